"""Edits of text that leave every other character as it is, also inside JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from tpllint.span import JsonMember, Place, json_members


class Replacement(NamedTuple):
    """Put `text` in the place of what stands at `place`."""

    place: Place
    text: str = ""


def replaced(text: str, replacements: Iterable[Replacement]) -> str:
    """The text after some replacements, no two of which overlap; their places are those before any of them."""
    pieces, at = [], 0
    for place, new in sorted(replacements):
        pieces += [text[at : place.start], new]
        at = place.end
    return "".join((*pieces, text[at:]))


def without_key(text: str, key: str) -> str:
    """A JSON object without its members of this key, each with a comma and the blanks beside it. `text` must be valid."""
    members = list(json_members(text))
    kept = [index for index, member in enumerate(members) if member.key != key]
    last = kept[-1] if kept else -1
    before = enumerate(members[: max(last, 0)])
    cuts = [Place(member.start, members[index + 1].start) for index, member in before if member.key == key]
    if last + 1 < len(members):
        cuts.append(_tail(text, members, last))
    return replaced(text, map(Replacement, cuts))


def _tail(text: str, members: list[JsonMember], last: int) -> Place:
    """All that stands behind the last member that is kept, or in an object of which none is."""
    begin = text.index("{") + 1 if last < 0 else members[last].end
    return Place(begin, members[-1].end)


def in_json(text: str, *, ascii_only: bool) -> str:
    """The text as it stands between the quotes of a JSON string."""
    own = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
    return own if _has_no_surrogate(own) else json.dumps(text)[1:-1]


def _has_no_surrogate(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
