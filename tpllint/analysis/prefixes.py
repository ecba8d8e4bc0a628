"""Prefix preservation: whether what a longer conversation renders begins with what a shorter one rendered.

`first_divergence(template, conversation)` renders the conversation as it was after each
message, without a generation prompt, and returns where the first of these prompts is not the beginning of the next one, or
None where each is. `first_divergence(template, conversation, serving=True)` does the same with the requests that a server
gets: the conversation up to each turn of a user or a tool, with the generation prompt.

A `Divergence` tells the index of the first message
that is rendered otherwise, the share of the shorter prompt that the longer one keeps, and both renders.

Undecided is silent: a history that raises, as many templates do after a lone system message or an unanswered call, is skipped
and the next one is compared with the last that rendered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from tpllint.analysis.masks import ASSISTANT
from tpllint.analysis.renders import Render
from tpllint.conversations import Conversation
from tpllint.markers import MARKER, marker_start, shared

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

RESULT_ROLES = ("tool", "function", "ipython", "observation")
NOBODY_ANSWERS = (*ASSISTANT, "system", "developer")
"""No request ends with a message of these."""
LONGEST_MARKER = 42


class Divergence(NamedTuple):
    """Two histories of one conversation, of which the longer one does not begin as the shorter one reads.

    `message` is the index of the first message whose text changed, `after` how many messages the shorter history has, `until`
    how many the longer one. `at` is the offset at which the prompts part, `kept` the share of the shorter prompt before it.
    """

    message: int
    after: int
    until: int
    at: int
    kept: float
    earlier: Render
    later: Render

    @property
    def before(self) -> str:
        """What the shorter prompt says from there on."""
        return (self.earlier.text or "")[self.at :]

    @property
    def instead(self) -> str:
        """What the longer prompt says from there on."""
        return (self.later.text or "")[self.at :]


def first_divergence(template: Template, conversation: Conversation, *, serving: bool = False) -> Divergence | None:
    """The first place where a conversation's prompt takes back what it said; None where it only grows, or nothing tells."""
    shorter: tuple[int, Render] | None = None
    for count in histories(conversation, serving=serving):
        whole = count == len(conversation.messages)
        history = conversation if whole else conversation.first(count)
        render = template.render_conversation(history, generation_prompt=serving)
        if render.text is None:
            continue
        if shorter is not None and not render.text.startswith(shorter[1].text or ""):
            return _divergence(template, conversation, shorter, (count, render))
        shorter = count, render
    return None


def histories(conversation: Conversation, *, serving: bool = False) -> Iterator[int]:
    """The numbers of messages after which a program would render: never between the results of one round of calls, and
    not before anybody but the system has spoken.
    """
    messages = conversation.messages
    roles = [message.get("role") for message in messages]
    for count in range(1, len(messages) + 1):
        last, following = roles[count - 1], roles[count] if count < len(messages) else None
        begun = any(role not in ("system", "developer") for role in roles[:count])
        between_results = last in RESULT_ROLES and following == last
        if begun and not between_results and not (serving and last in NOBODY_ANSWERS):
            yield count


def _divergence(
    template: Template, conversation: Conversation, shorter: tuple[int, Render], longer: tuple[int, Render]
) -> Divergence:
    (after, earlier), (until, later) = shorter, longer
    text = earlier.text or ""
    at = _whole_marker(text, shared(text, later.text or ""))
    return Divergence(_message_at(template, conversation, after, text, at), after, until, at, at / len(text), earlier, later)


def _whole_marker(text: str, at: int) -> int:
    """`at`, or where the marker begins that `at` would cut in two, also one in brackets such as `[INST]`."""
    bracket = text.rfind("[", max(at - LONGEST_MARKER, 0), at)
    cuts = bracket >= 0 and "]" not in text[bracket:at] and MARKER.match(text, bracket) is not None
    return bracket if cuts else marker_start(text, at)


def _message_at(template: Template, conversation: Conversation, count: int, text: str, at: int) -> int:
    """The message whose part of the prompt an offset lies in: the first one after all histories that end before it."""
    for index in range(count, 0, -1):
        history = template.render_conversation(conversation.first(index))
        if history.text is not None and len(history.text) <= at and text.startswith(history.text):
            return index
    return 0
