"""How a template marks its turns, and prompts of two templates in the same words where only their markers differ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tpllint.conversations import Conversation

TOOLS = "tools"
"""In place of a role: who says the names in the definitions of tools."""
ANSWER = "assistant"
BEGINNING = "{beginning}"
REASONING = ("reasoning_content", "reasoning", "thinking")
MOST_TEXTS = 500
"""How many texts of a conversation are looked for in a prompt."""
MAX_DEPTH = 20


@dataclass(frozen=True)
class Dialect:
    """The markers of a template without the blanks around them; roles whose turns have none are left out."""

    beginning: str
    openers: Mapping[str, str]
    closers: Mapping[str, str]


class Said(NamedTuple):
    """A text of a conversation, and the role of the message that it is in."""

    text: str
    role: str


def dialect(description: Mapping[str, Any]) -> Dialect:
    """The markers that a description (`by_name`) tells."""
    beginning = (description.get("beginning") or {}).get("text") or ""
    roles: Mapping[str, Any] = description.get("roles") or {}
    return Dialect(beginning.strip(), dict(_markers(roles, "opener")), dict(_markers(roles, "closer")))


def _markers(roles: Mapping[str, Any], key: str) -> Iterator[tuple[str, str]]:
    for role, told in roles.items():
        marker = (told[key] or "").strip()
        if marker:
            yield role, marker


def agree(left: Dialect, right: Dialect) -> bool:
    """Whether two templates mark the turns of those roles alike that both of them know."""
    pairs = ((left.openers, right.openers), (left.closers, right.closers))
    return left.beginning == right.beginning and all(
        one[role] == other[role] for one, other in pairs for role in one.keys() & other.keys()
    )


def said(conversation: Conversation) -> tuple[Said, ...]:
    """The texts of a conversation, in order."""
    found = [Said(text, str(message.get("role"))) for message in conversation.messages for text in _texts(message)]
    found += [Said(text, TOOLS) for text in _leaves(conversation.tools or (), 0)]
    return tuple(one for one in found if len(one.text) > 1)[:MOST_TEXTS]


def _texts(message: Mapping[str, Any]) -> Iterator[str]:
    for key in ("content", *REASONING):
        yield from _leaves(message.get(key), 0)
    yield from _leaves(message.get("tool_calls"), 0)


def _leaves(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple) and depth < MAX_DEPTH:
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _leaves(item, depth + 1)


class Aligned(NamedTuple):
    """A prompt with the markers around a conversation's texts written as what they are for: `{user}` and `{/user}`.

    `pieces` are its parts as they stand in the prompt itself, each with what it is written as.
    """

    pieces: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """The prompt in this form."""
        return "".join(shown for _, shown in self.pieces)

    def in_prompt(self, span: tuple[int, int]) -> tuple[int, int]:
        """A span of this text as a span of the prompt itself; one that begins or ends in a marker takes it in whole."""
        start = end = raw = at = 0
        for own, shown in self.pieces:
            same = len(own) == len(shown)
            if at <= span[0] < at + len(shown):
                start = raw + (span[0] - at if same else 0)
            if at < span[1] <= at + len(shown):
                end = raw + (span[1] - at if same else len(own))
            raw, at = raw + len(own), at + len(shown)
        start = raw if span[0] >= at else start
        return start, max(start, end)


def unaligned(text: str) -> Aligned:
    """A prompt as it is."""
    return Aligned(((text, text),))


def aligned(text: str, texts: Sequence[Said], spoken: Dialect, *, generation_prompt: bool) -> Aligned:
    """A prompt of a conversation that holds these texts, its markers written as what they are for."""
    if not texts:
        return unaligned(text)
    pattern = re.compile("|".join(map(re.escape, sorted({one.text for one in texts}, key=len, reverse=True))))
    roles: dict[str, list[str]] = {}
    for one in texts:
        roles.setdefault(one.text, []).append(one.role)
    pieces: list[tuple[str, str]] = []
    before, at = None, 0
    for match in pattern.finditer(text):
        known = roles[match[0]]
        role = known.pop(0) if len(known) > 1 else known[0]
        pieces += [*_gap(text[at : match.start()], before, role, spoken), (match[0], match[0])]
        before, at = role, match.end()
    pieces += _gap(text[at:], before, ANSWER if generation_prompt else None, spoken)
    return Aligned(tuple(piece for piece in pieces if piece[0]))


def _gap(gap: str, closes: str | None, opens: str | None, spoken: Dialect) -> Iterator[tuple[str, str]]:
    """What stands between two texts, with the end of the first one's turn and the beginning of the second one's."""
    if closes is None and spoken.beginning and gap.startswith(spoken.beginning):
        yield spoken.beginning, BEGINNING
        gap = gap.removeprefix(spoken.beginning)
    opener = spoken.openers.get(opens or "", "")
    start = gap.rfind(opener) if opener else len(gap)
    start = len(gap) if start < 0 else start
    closer = spoken.closers.get(closes or "", "")
    end = gap.find(closer, 0, start) if closer else -1
    if end >= 0:
        yield gap[:end], gap[:end]
        yield closer, f"{{/{closes}}}"
        yield gap[end + len(closer) : start], gap[end + len(closer) : start]
    else:
        yield gap[:start], gap[:start]
    if start < len(gap):
        yield opener, f"{{{opens}}}"
        yield gap[start + len(opener) :], gap[start + len(opener) :]
