"""Two templates of one model, compared by what they render."""

from __future__ import annotations

from collections.abc import Iterator

from tpllint.analysis.renders import Render
from tpllint.analysis.template import Template
from tpllint.conversations import Conversation, canonical


def first_difference(left: Template, right: Template) -> tuple[Render, Render] | None:
    """Both renders of the first canonical conversation of which a caller gets something else; None where there is none.

    A conversation that both refuse is no difference, whatever the words; nor is one whose render a limit ended.
    """
    if left.text == right.text:
        return None
    for conversation in _conversations(left, right):
        for generation_prompt in (True, False):
            pair = tuple(
                template.render_conversation(conversation, generation_prompt=generation_prompt) for template in (left, right)
            )
            if pair[0].text != pair[1].text and not any(render.limited for render in pair):
                return pair[0], pair[1]
    return None


def _conversations(left: Template, right: Template) -> Iterator[Conversation]:
    plain = tuple(canonical().values())
    yield from plain
    if left.anatomy.reads_parts_only or right.anatomy.reads_parts_only:
        yield from (conversation.in_parts() for conversation in plain)
