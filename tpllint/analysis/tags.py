"""The tags of a template as they stand in the source: where each body begins and ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tpllint.span import Place

Token = tuple[int, str, str]

OPENING = frozenset(("if", "for", "macro", "call", "filter", "with", "block", "generation"))
CONTINUING = frozenset(("elif", "else"))


class Tag(NamedTuple):
    """A `{% ... %}` that opens a body: its keyword, its place with the braces, and the body.

    `chain` is where the first tag of its statement begins: the `{% if %}` of an `{% else %}`.
    """

    keyword: str
    place: Place
    chain: int
    body: Place


def tags(tokens: Iterable[Token], set_blocks: frozenset[int]) -> tuple[Tag, ...]:
    """The tags that open a body, in source order; `set_blocks` are the offsets of the word `set` where it opens a block."""
    found: list[Tag] = []
    unfinished: list[int] = []
    for keyword, at, place in _plain(tokens):
        chain = place.start
        if unfinished and (keyword.startswith("end") or keyword in CONTINUING):
            last = unfinished.pop()
            found[last] = found[last]._replace(body=Place(found[last].place.end, place.start))
            chain = found[last].chain
        if keyword in OPENING or keyword in CONTINUING or at in set_blocks:
            unfinished.append(len(found))
            found.append(Tag(keyword, place, chain, Place(place.end, place.end)))
    return tuple(found)


def _plain(tokens: Iterable[Token]) -> Iterator[tuple[str, int, Place]]:
    """The keyword of each tag, the keyword's offset, and the place of the tag."""
    start, keyword, at = 0, "", 0
    for offset, kind, value in tokens:
        if kind == "block_begin":
            start, keyword = offset, ""
        elif kind == "name" and not keyword:
            keyword, at = value, offset
        elif kind == "block_end":
            yield keyword, at, Place(start, offset + len(value.rstrip()))
