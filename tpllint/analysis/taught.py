"""What the assistant mask teaches: each answer of the canonical conversations, and what of it the model has to write itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from tpllint.analysis.masks import ASSISTANT, Found, find_turns, misaligned
from tpllint.analysis.renders import Render
from tpllint.markers import common_prefix
from tpllint.span import Place

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

TAUGHT = (
    "user-assistant",
    "user-assistant-user",
    "two-rounds",
    "reasoning-last",
    "reasoning-old-and-last",
    "tool-loop",
    "tool-loop-string-arguments",
    "tool-loop-text-beside-call",
    "reasoning-in-tool-loop",
)


class TaughtTurn(NamedTuple):
    """An answer in a prompt that has a mask.

    From `begins` on the model writes itself: so far goes what its prompt and the finished text have in common; None where the
    template has no generation prompt or the two share none of it. Before `ends` stands all that the answer itself brings, its
    end of turn included. `found` are its words; `final` tells that no other message follows.
    """

    render: Render
    message: int
    begins: int | None
    ends: int
    found: tuple[Found, ...]
    final: bool

    @property
    def text(self) -> str:
        """The whole prompt."""
        return self.render.text or ""

    @property
    def last_word(self) -> int:
        """Where its last word ends."""
        return max(found.end for found in self.found)

    @property
    def first_word(self) -> int:
        """Where its first word begins."""
        return min(found.start for found in self.found)

    def masked(self, start: int, end: int) -> bool:
        """Whether the mask holds all of a stretch of the prompt."""
        return any(first <= start and end <= last for first, last in self.render.spans)


def generation_tags(template: Template) -> tuple[Place, ...]:
    """Where the template opens a generation block."""
    if template.syntax is None:
        return ()
    tags = (block for block in template.syntax.find("CallBlock") if getattr(block.call.node, "name", None) == "_mark")
    return tuple(template.syntax.place(tag) for tag in tags)


def masked_renders(template: Template) -> Iterator[Render]:
    """The prompts of the canonical conversations that a template with generation blocks renders, the simplest first."""
    if generation_tags(template):
        for name in TAUGHT:
            render = template.render(name)
            if render.text is not None:
                yield render


def taught_turns(template: Template) -> Iterator[TaughtTurn]:
    """The answers in those prompts whose spans are what the blocks wrote; where they are not, there is no telling."""
    for render in masked_renders(template):
        if render.recipe is not None and not any(misaligned(render)):
            yield from _turns(template, render)


def _turns(template: Template, render: Render) -> Iterator[TaughtTurn]:
    assert render.recipe is not None
    conversation = render.recipe.conversation
    everything = tuple(find_turns(conversation, render))
    for index, message in enumerate(conversation.messages):
        found = tuple(one for one in everything if one.message == index and one.kind != "tool call")
        ends = _end_of_turn(template, render, index)
        if message.get("role") in ASSISTANT and found and ends is not None and ends >= max(one.end for one in found):
            final = index + 1 == len(conversation.messages)
            yield TaughtTurn(render, index, _beginning(template, render, index), ends, found, final)


def _beginning(template: Template, render: Render, index: int) -> int | None:
    """The end of what the generation prompt before a message and the finished text have in common."""
    assert render.recipe is not None
    history = render.recipe.conversation.first(index)
    if not history.messages:
        return None
    prompt = template.render_conversation(history, generation_prompt=True).text
    bare = template.render_conversation(history).text
    if prompt is None or bare is None or prompt == bare:
        return None
    shared = common_prefix(prompt, render.text or "")
    return shared if shared > common_prefix(prompt, bare) else None


def _end_of_turn(template: Template, render: Render, index: int) -> int | None:
    """Where a message ends: so far goes what the history up to it and the whole have in common."""
    assert render.recipe is not None
    conversation, text = render.recipe.conversation, render.text or ""
    if index + 1 == len(conversation.messages):
        return len(text)
    history = template.render_conversation(conversation.first(index + 1)).text
    return None if history is None else common_prefix(history, text)
