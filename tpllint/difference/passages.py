"""Where two texts part: lines first, then words, control tokens and blanks within the lines that differ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from tpllint.markers import shared

UNIT = re.compile(r"<[^<>\s]{1,60}>|\[/?[A-Z][A-Z_]{1,40}\]|\w+(?:-\w+)*|\s|.", re.DOTALL)
"""A control token, a word, one blank, or one other character."""
MOST_COMPARED = 400_000
"""Pairs of units that are held against each other at most: the time that takes grows with their number."""


class Passage(NamedTuple):
    """Where two texts differ: offsets into the left one and into the right one (0-based, end exclusive)."""

    left: tuple[int, int]
    right: tuple[int, int]


def passages(left: str, right: str) -> tuple[Passage, ...]:
    """The parts in which two texts differ, in their order; between two of them both say the same."""
    return tuple(_shifted(found, 0, 0) for found in _by_line(left, right))


def _by_line(left: str, right: str) -> Iterator[Passage]:
    start, end = _ends(left, right)
    lines = left[start : len(left) - end].splitlines(keepends=True), right[start : len(right) - end].splitlines(keepends=True)
    for found in _differing(*lines):
        inner = left[slice(*_moved(found.left, start))], right[slice(*_moved(found.right, start))]
        for part in _by_unit(*inner):
            yield _shifted(part, found.left[0] + start, found.right[0] + start)


def _by_unit(left: str, right: str) -> Iterator[Passage]:
    start, end = _ends(left, right)
    units = UNIT.findall(left[start : len(left) - end]), UNIT.findall(right[start : len(right) - end])
    for found in _differing(*units):
        yield _shifted(found, start, start)


def _differing(left: Sequence[str], right: Sequence[str]) -> Iterator[Passage]:
    """The runs of units in which two texts differ; all of them where there are too many to compare."""
    if len(left) * len(right) > MOST_COMPARED:
        yield Passage((0, sum(map(len, left))), (0, sum(map(len, right))))
        return
    offsets = _offsets(left), _offsets(right)
    for kind, *ends in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if kind != "equal":
            yield Passage(
                (offsets[0][ends[0]], offsets[0][ends[1]]),
                (offsets[1][ends[2]], offsets[1][ends[3]]),
            )


def _offsets(units: Sequence[str]) -> list[int]:
    found = [0]
    for unit in units:
        found.append(found[-1] + len(unit))
    return found


def _ends(left: str, right: str) -> tuple[int, int]:
    """How many characters both begin with and, of what is left, both end with."""
    start = shared(left, right)
    return start, shared(left[start:][::-1], right[start:][::-1])


def _moved(span: tuple[int, int], by: int) -> tuple[int, int]:
    return span[0] + by, span[1] + by


def _shifted(passage: Passage, left: int, right: int) -> Passage:
    return Passage(_moved(passage.left, left), _moved(passage.right, right))
