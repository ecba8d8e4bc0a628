"""Where two texts part: lines first, then words, control tokens and blanks within the lines that differ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from tpllint.markers import shared

UNIT = re.compile(r"<[^<>\s]{1,60}>|\[/?[A-Z][A-Z_]{1,40}\]|\{/?[a-z]{1,20}\}|\w+(?:-\w+)*|\s|.", re.DOTALL)
"""A control token, a word, one blank, or one other character."""
MARKER = re.compile(r"[<>\[\]{}]")
MOST_COMPARED = 200_000
"""Pairs of units of one run that are held against each other at most: the time that takes grows with their number."""
MOST_IN_ALL = 10_000_000
"""The same for all prompts of a diff together."""
EACH = 10
"""To take in one unit costs about as much as to compare so many pairs."""


class Effort:
    """How many pairs of units may still be held against each other: prompts are a stranger's, and nothing else bounds this."""

    def __init__(self, most: int = MOST_IN_ALL) -> None:
        self._left = most

    def allows(self, pairs: int) -> bool:
        """Whether so many are not too many; they count as spent."""
        if pairs > min(self._left, MOST_COMPARED):
            return False
        self._left -= pairs
        return True


class Passage(NamedTuple):
    """Where two texts differ: offsets into the left one and into the right one (0-based, end exclusive)."""

    left: tuple[int, int]
    right: tuple[int, int]


def passages(left: str, right: str, effort: Effort | None = None) -> tuple[Passage, ...]:
    """The parts in which two texts differ, in their order; between two of them both say the same.

    Where that takes too much effort, one part goes from the first difference to the last.
    """
    return tuple(_by_line(left, right, effort or Effort()))


def _by_line(left: str, right: str, effort: Effort) -> Iterator[Passage]:
    start, end = _shared_lines(left, right)
    lines = left[start : len(left) - end].splitlines(keepends=True), right[start : len(right) - end].splitlines(keepends=True)
    for found in _differing(*lines, effort):
        block = _shifted(found, start, start)
        for part in _by_unit(left[slice(*block.left)], right[slice(*block.right)], effort):
            yield _shifted(part, block.left[0], block.right[0])


def _shared_lines(left: str, right: str) -> tuple[int, int]:
    """How many characters the lines take that both begin with and, of what is left, both end with."""
    start = left.rfind("\n", 0, shared(left, right)) + 1
    ends = left[start:], right[start:]
    end = shared(ends[0][::-1], ends[1][::-1])
    first = ends[0].find("\n", len(ends[0]) - end)
    return start, 0 if first < 0 else len(ends[0]) - first - 1


def _by_unit(left: str, right: str, effort: Effort) -> Iterator[Passage]:
    for found in _differing(UNIT.findall(left), UNIT.findall(right), effort):
        yield _shifted(_trimmed(left[slice(*found.left)], right[slice(*found.right)]), found.left[0], found.right[0])


def _trimmed(left: str, right: str) -> Passage:
    """Without what two words begin or end alike with; a marker is another one as a whole."""
    start = end = 0
    if not (MARKER.search(left) or MARKER.search(right)):
        start = shared(left, right)
        end = shared(left[start:][::-1], right[start:][::-1])
    return Passage((start, len(left) - end), (start, len(right) - end))


def _differing(left: Sequence[str], right: Sequence[str], effort: Effort) -> Iterator[Passage]:
    """The runs of units in which two texts differ; all of them where there are too many to compare.

    Units that stand all over a long text are no landmarks in it (`autojunk`): to try each with each takes cubic time.
    """
    if not effort.allows(len(left) * len(right) + EACH * (len(left) + len(right))):
        yield Passage((0, sum(map(len, left))), (0, sum(map(len, right))))
        return
    offsets = _offsets(left), _offsets(right)
    for kind, *ends in SequenceMatcher(None, left, right).get_opcodes():
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


def _moved(span: tuple[int, int], by: int) -> tuple[int, int]:
    return span[0] + by, span[1] + by


def _shifted(passage: Passage, left: int, right: int) -> Passage:
    return Passage(_moved(passage.left, left), _moved(passage.right, right))
