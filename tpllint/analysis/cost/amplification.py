"""How a prompt grows with what is said: with the rounds of a conversation, and with the length of a message.

What is measured is text, never time, so that the answer is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from tpllint.analysis.renders import Render
from tpllint.conversations import Conversation, canonical
from tpllint.conversations.words import QUESTION

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

SIZES = (1, 2, 4, 8)
"""Rounds, or words; the last is asked for where the others look bad."""
STEEP = 2.5
"""Doubling a conversation doubles what is added to a linear prompt and makes it four times as much in a quadratic one."""
MAX_COPIES = 10
"""So often no prompt repeats a message."""


class Amplification(NamedTuple):
    """A prompt that is longer than what is said accounts for, and a sentence that says so."""

    says: str
    render: Render


def amplifications(template: Template) -> Iterator[Amplification]:
    """How prompts grow faster than conversations or messages do; nothing where one of the renders fails."""
    for name, make in (("rounds", _rounds), ("words", _words)):
        steep = _steep(template, make)
        if steep is not None:
            lengths = ", ".join(str(len(render.text or "")) for render in steep)
            asked = f"{', '.join(map(str, SIZES[:-1]))} and {SIZES[-1]} {name}"
            yield Amplification(f"prompts of {asked} have {lengths} characters: they grow faster than what is said", steep[1])
    copied = _copies(template)
    if copied is not None:
        yield copied


def _rounds(template: Template, count: int) -> Conversation:
    """So many questions with answers, and one more question."""
    messages = list(template.conversation("two-rounds").messages)
    return Conversation(f"{count}-rounds", [*(messages * count)[: 2 * count], messages[0]])


def _words(template: Template, count: int) -> Conversation:
    """A question of so many words."""
    conversation = canonical()["user"].with_message(0, content=" ".join([QUESTION] * count))
    return conversation.in_parts() if template.anatomy.reads_parts_only else conversation


def _rendered(template: Template, conversation: Conversation) -> Render:
    return template.render_conversation(conversation, generation_prompt=True)


def _steep(template: Template, make: Callable[[Template, int], Conversation]) -> list[Render] | None:
    """The prompts of ever larger conversations, where each doubling adds much more than twice what the one before it added."""
    renders: list[Render] = []
    for size in SIZES:
        renders.append(_rendered(template, make(template, size)))
        if renders[-1].text is None:
            return None
        lengths = [len(render.text or "") for render in renders]
        added = [later - earlier for earlier, later in pairwise(lengths)]
        if any(more <= STEEP * max(less, 1) for less, more in pairwise(added)):
            return None
    return renders


def _copies(template: Template) -> Amplification | None:
    """How often a prompt holds a message, where that is very often."""
    render = template.render("user", generation_prompt=True)
    copies = (render.text or "").count(QUESTION)
    if copies < MAX_COPIES:
        return None
    return Amplification(f"a prompt holds each message {copies} times", render)
