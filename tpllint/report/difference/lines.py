"""Two prompts line by line, what differs in each line apart and whitespace visible: for text and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tpllint.difference.examples import Example
from tpllint.report.difference.side_by_side import Line as Written
from tpllint.report.difference.side_by_side import blocks, segments
from tpllint.report.prompt import Marks

CONTEXT = 2
"""Lines of a prompt around what differs in it."""
LONGEST = 400
"""Characters of a piece of a line; of a longer one the middle is left out."""
KEPT = 150
CUT = " ... "


class Piece(NamedTuple):
    """A part of a line as it is shown, and whether it differs from the other side."""

    text: str
    differs: bool


Line = tuple[Piece, ...]


class Lines(NamedTuple):
    """A run of lines that both sides share, or in which they differ."""

    same: bool
    left: tuple[Line, ...]
    right: tuple[Line, ...]


def runs(example: Example, marks: Marks) -> Iterator[Lines]:
    """Both prompts line by line, what differs in each line apart."""
    for block in blocks(segments(example)):
        left, right = (tuple(_shown(line, marks) for line in side) for side in (block.left, block.right))
        yield Lines(block.same, left, right)


def _shown(line: Written, marks: Marks) -> Line:
    return tuple(Piece(_shortened(part.text, marks), part.differs) for part in line if part.text)


def _shortened(text: str, marks: Marks) -> str:
    if len(text) <= LONGEST:
        return marks.shown(text)
    return f"{marks.shown(text[:KEPT])}{CUT}{marks.shown(text[-KEPT:])}"


def context(lines: Sequence[Line], *, before: bool, after: bool) -> Iterator[Line | None]:
    """The lines next to what differs, before and after the run; None for what is left out."""
    first = lines[:CONTEXT] if before else ()
    last = lines[max(len(lines) - CONTEXT, len(first)) :] if after else ()
    yield from first
    if len(first) + len(last) < len(lines):
        yield None
    yield from last
