"""How a template marks its turns, and prompts of two templates in the same words where only their markers differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from tpllint.conversations import Conversation

OTHER = "other"
"""Any role that a template does not know by name."""
TOOLS = "tools"
"""In place of a role: who says the names in the definitions of tools."""
REASONING = ("reasoning_content", "reasoning", "thinking")
SENTENCE = re.compile(r"[^\W\d_]{2,}[ \n]+[^\W\d_]{2,}")
"""Two words beside each other."""
MOST_TEXTS = 500
"""How many texts of a conversation are looked for in a prompt."""
MAX_DEPTH = 20


@dataclass(frozen=True)
class Dialect:
    """How a template marks turns: each role's markers with the blanks that belong to them, as its description tells them.

    Roles whose turns have none are left out. `unmarked` are those whose texts are rendered without an opener, with the blanks
    that stand there instead; the `separator` is of blanks as well.
    """

    beginning: str
    separator: str
    openers: Mapping[str, str]
    closers: Mapping[str, str]
    unmarked: Mapping[str, str] = field(default_factory=dict)

    def for_roles(self, roles: Iterable[str]) -> Dialect:
        """The same with the markers of further roles, where those of any role are known by the place of its name."""
        own = {role: self.openers.get(OTHER, "").replace("{role}", role) for role in roles}
        openers = {role: marker for role, marker in own.items() if marker and role not in self.openers}
        closers = {role: self.closers[OTHER] for role in openers if OTHER in self.closers and role not in self.closers}
        return replace(self, openers={**self.openers, **openers}, closers={**self.closers, **closers})


class Said(NamedTuple):
    """A text of a conversation, and the role of the message that it is in."""

    text: str
    role: str


def dialect(description: Mapping[str, Any]) -> Dialect:
    """The markers that a description (`by_name`) tells."""
    roles: Mapping[str, Any] = description.get("roles") or {}
    return Dialect(
        (description.get("beginning") or {}).get("text") or "",
        separator if not (separator := description.get("separator") or "").strip() else "",
        dict(_markers(roles, "opener")),
        dict(_markers(roles, "closer")),
        {role: told["opener"] for role, told in roles.items() if told["opener"] is not None and not told["opener"].strip()},
    )


def _markers(roles: Mapping[str, Any], key: str) -> Iterator[tuple[str, str]]:
    """The marker of each role; what says something in natural language is none, and has to be seen."""
    for role, told in roles.items():
        marker = told[key]
        if marker and marker.strip() and not SENTENCE.search(marker):
            yield role, marker


def agree(left: Dialect, right: Dialect) -> bool:
    """Whether two templates mark the turns of those roles alike that both of them know, blanks aside."""
    pairs = ((left.openers, right.openers), (left.closers, right.closers))
    return all(one[role].strip() == other[role].strip() for one, other in pairs for role in one.keys() & other.keys())


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
    """A prompt with the markers of turns written as what they are for: `{user}` and `{/user}`.

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
            same = own == shown
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


def aligned(text: str, texts: Sequence[Said], spoken: Dialect, other: Dialect) -> Aligned:
    """A prompt of a conversation that holds these texts, to be held against one in another dialect.

    Markers of roles that the other renders without any are left out, and so are the beginning of sequence, what only separates
    turns and the blanks in place of an opener: the descriptions of both tell of them. A marker that opens the turns of several
    roles is taken for that of the role that speaks next; one that closes turns closes the turn that is open.
    """
    roles = dict.fromkeys(one.role for one in texts)
    spoken, other = spoken.for_roles(roles), other.for_roles(roles)
    found = list(_found(text, texts, spoken))
    pieces: list[tuple[str, str]] = []
    at, role, closed = 0, None, True
    for index, one in enumerate(found):
        between = text[at : one.start]
        pieces.append((between, "" if closed and _only_separates(between, one, spoken) else between))
        role = one.speaks or (_opened(found, index) if one.opens else role)
        closes = None if one.speaks or one.opens else _closed(one.text, role, spoken)
        pieces.append((one.text, one.text if one.speaks else _written(one, closes or role, other)))
        at, closed = one.start + len(one.text), not (one.speaks or one.opens)
    pieces.append((text[at:], text[at:]))
    return Aligned(tuple(piece for piece in pieces if piece[0]))


def _only_separates(between: str, following: _Found, spoken: Dialect) -> bool:
    """Whether what stands between two turns is told already: what separates them, or blanks in place of an opener."""
    if following.opens or following.speaks is None:
        return bool(following.opens) and between == spoken.separator
    blank = spoken.unmarked.get(following.speaks, "")
    return between in (blank, spoken.separator + blank)


class _Found(NamedTuple):
    """Something known in a prompt: a text that a role `speaks`, or a marker that `opens` the turns of some roles or closes.

    The beginning of sequence is neither.
    """

    start: int
    text: str
    speaks: str | None = None
    opens: tuple[str, ...] = ()
    begins: bool = False


def _written(marker: _Found, role: str | None, other: Dialect) -> str:
    """What a marker of a role's turn is written as."""
    if marker.begins or role is None:
        return ""
    if marker.opens:
        return "" if role in other.unmarked else f"{{{role}}}"
    return "" if role in other.unmarked and role not in other.closers else f"{{/{role}}}"


def _found(text: str, texts: Sequence[Said], spoken: Dialect) -> Iterator[_Found]:
    """What is known in a prompt, in its order: of what overlaps the first, of what begins together a text, then the longer.

    Texts are looked for one by one: to compile a pattern of them takes longer than to read a prompt several times.
    """
    speakers: dict[str, list[str]] = {}
    for one in texts:
        speakers.setdefault(one.text, []).append(one.role)
    places = [(start, True, word) for word in speakers for start in _places(text, word)]
    places += [(found.start(), False, found[0]) for found in _markers_of(spoken).finditer(text)] if _all_markers(spoken) else []
    at = 0
    if spoken.beginning and text.startswith(spoken.beginning):
        yield _Found(0, spoken.beginning, begins=True)
        at = len(spoken.beginning)
    openers = _openers(spoken)
    for start, is_said, word in sorted(places, key=lambda place: (place[0], not place[1], -len(place[2]))):
        if start < at:
            continue
        at = start + len(word)
        speaking = speakers[word] if is_said else []
        if is_said:
            yield _Found(start, word, speaks=speaking.pop(0) if len(speaking) > 1 else speaking[0])
        else:
            yield _Found(start, word, opens=openers.get(word, ()))


def _places(text: str, word: str) -> Iterator[int]:
    start = text.find(word)
    while start >= 0:
        yield start
        start = text.find(word, start + len(word))


def _openers(spoken: Dialect) -> dict[str, tuple[str, ...]]:
    """The roles whose turns each marker opens."""
    found: dict[str, tuple[str, ...]] = {}
    for role, marker in spoken.openers.items():
        found[marker] = (*found.get(marker, ()), role)
    return found


def _all_markers(spoken: Dialect) -> set[str]:
    return {*spoken.openers.values(), *spoken.closers.values()}


def _markers_of(spoken: Dialect) -> re.Pattern[str]:
    markers = sorted(_all_markers(spoken), key=lambda one: (-len(one), one))
    return re.compile("|".join(map(re.escape, markers)))  # there are few, and Python keeps the last patterns


def _closed(marker: str, role: str | None, spoken: Dialect) -> str | None:
    """Whose turn a marker closes: that which is open, unless its turns are known to close otherwise."""
    roles = [own for own, closer in spoken.closers.items() if closer == marker]
    return role if role in roles or not roles or role not in spoken.closers else roles[0]


def _opened(found: Sequence[_Found], index: int) -> str:
    """Whose turn a marker opens."""
    roles = found[index].opens
    following = next((one for one in found[index + 1 :] if one.speaks or one.opens), None)
    return following.speaks if following and following.speaks in roles else roles[0]
