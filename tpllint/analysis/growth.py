"""How prompts grow with the conversation: canonical histories in which a longer prompt takes back what a shorter one said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from tpllint.analysis.prefixes import Divergence, first_divergence
from tpllint.analysis.reasoning import Reasoning, State
from tpllint.conversations import TOOL_LOOPS, Conversation
from tpllint.markers import BARE_MARKER
from tpllint.quoting import quoted

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

PLAIN, WITH_REASONING, WITH_CALLS, WITH_BOTH = (
    "three-rounds",
    "reasoning-old-and-last",
    "two-loops-in-a-row",
    "reasoning-in-tool-loop",
)
SHOWN = 40
"""So many characters of what changes are quoted."""
SAME = 12
"""Two histories that part in the same message with the same letters part for the same reason."""


class Growth(NamedTuple):
    """A history that does not only grow; `switch` is what has to be passed for it."""

    conversation: Conversation
    divergence: Divergence
    switch: State = ()

    @property
    def under(self) -> str:
        """The switch as the beginning of a sentence."""
        return f"{Reasoning.passed(self.switch).lstrip()}, " if self.switch else ""

    @property
    def changed(self) -> str:
        """The role of the message whose text changes."""
        return str(self.conversation.messages[self.divergence.message].get("role"))

    @property
    def appended(self) -> str:
        """The role of the message whose arrival changes it."""
        return str(self.conversation.messages[self.divergence.after].get("role"))

    @property
    def kept(self) -> str:
        """How much of the shorter prompt stays; never all of it."""
        return f"{int(self.divergence.kept * 100)} %"

    @property
    def taken_back(self) -> str:
        """What was said and what stands there now, as far as a reader needs to see it."""
        return f"{_start_of(self.divergence.before)} becomes {_start_of(self.divergence.instead)}"


def _start_of(text: str) -> str:
    """The text in quotes; of a long one what goes up to the end of a marker."""
    if len(text) <= SHOWN:
        return quoted(text)
    ends = [found.end() for found in BARE_MARKER.finditer(text[:SHOWN])]
    return f"{quoted(text[: ends[-1] if ends else SHOWN])} ..."


def growths(template: Template, *, serving: bool = False) -> Iterator[Growth]:
    """The histories that do not only grow, each for a reason of its own; the simplest first."""
    seen: set[tuple[str, ...]] = set()
    for conversation in _histories(template):
        for switch in ((), *thinking_switches(template)):
            found = _growth(template, conversation, switch, serving=serving)
            if found is not None:
                reason = (found.changed, found.divergence.before[:SAME], found.divergence.instead[:SAME])
                if reason not in seen:
                    seen.add(reason)
                    yield found
                break


def _growth(template: Template, conversation: Conversation, switch: State, *, serving: bool) -> Growth | None:
    if False in dict(switch).values() and any("reasoning_content" in message for message in conversation.messages):
        return None  # who has switched reasoning off has none in the history
    if switch:
        conversation = conversation.with_variables(**dict(switch))
    divergence = first_divergence(template, conversation, serving=serving)
    return None if divergence is None else Growth(conversation, divergence, switch)


def thinking_switches(template: Template) -> tuple[State, ...]:
    """What can be passed about reasoning that changes what the model is prompted with; of what changes it alike, the first."""
    found: dict[str | None, State] = {None: ()}
    for state in template.reasoning.states:
        found.setdefault(template.reasoning.render("user", state, generation_prompt=True).text, state)
    return tuple(state for state in found.values() if state)


def _histories(template: Template) -> Iterator[Conversation]:
    """Plain rounds, rounds with reasoning, and loops of calls without and with it."""
    yield template.conversation(PLAIN)
    yield template.conversation(WITH_REASONING)
    if template.anatomy.renders_calls:
        yield _as_read(template, template.conversation(WITH_CALLS))
        loop = _as_read(template, template.conversation(WITH_BOTH))
        question = template.conversation(PLAIN).messages[2]
        yield replace(loop, messages=[*loop.messages, question])


def _as_read(template: Template, conversation: Conversation) -> Conversation:
    """The conversation with its arguments in the form that the template takes: as an object or, where that raises, a string."""
    as_object, as_string = (template.render(name) for name in TOOL_LOOPS)
    if as_object.text is not None or as_string.text is None:
        return conversation
    calls = template.conversation(TOOL_LOOPS[1]).messages[1]["tool_calls"]
    for index, message in enumerate(conversation.messages):
        if message.get("tool_calls"):
            conversation = conversation.with_message(index, tool_calls=calls)
    return conversation
