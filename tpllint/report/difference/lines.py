"""Two prompts line by line, what differs in each line apart: the same in every report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import NamedTuple

from tpllint.difference.examples import Example
from tpllint.report.prompt import Marks

CONTEXT = 2
"""Lines of a prompt around what differs in it."""


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
    lines = example.left.text.splitlines(keepends=True), example.right.text.splitlines(keepends=True)
    shown = (
        _pieces(lines[0], [passage.left for passage in example.passages], marks),
        _pieces(lines[1], [passage.right for passage in example.passages], marks),
    )
    for kind, *ends in SequenceMatcher(None, *lines, autojunk=False).get_opcodes():
        yield Lines(kind == "equal", tuple(shown[0][ends[0] : ends[1]]), tuple(shown[1][ends[2] : ends[3]]))


def _pieces(lines: Sequence[str], spans: Sequence[tuple[int, int]], marks: Marks) -> list[Line]:
    found, at = [], 0
    for line in lines:
        ends = sorted({0, len(line), *(min(max(end - at, 0), len(line)) for span in spans for end in span)})
        found.append(
            tuple(
                Piece(marks.shown(line[start:end]), any(first < at + end and last > at + start for first, last in spans))
                for start, end in pairwise(ends)
            )
        )
        at += len(line)
    return found


def context(lines: Sequence[Line], *, before: bool, after: bool) -> Iterator[Line | None]:
    """The lines next to what differs, before and after the run; None for what is left out."""
    first = lines[:CONTEXT] if before else ()
    last = lines[max(len(lines) - CONTEXT, len(first)) :] if after else ()
    yield from first
    if len(first) + len(last) < len(lines):
        yield None
    yield from last
