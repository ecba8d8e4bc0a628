"""Two prompts beside each other, whole: the lines that both have, and between them those of each side."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from tpllint.difference.examples import Example

LEAD = 1000
"""Characters that are shown before the first difference of prompts that are too long to be shown whole."""
LINE = re.compile(r"[^\n]*\n|[^\n]+")


class Segment(NamedTuple):
    """A part of both prompts: the same text on both sides, or where it `differs`, what each of them has there."""

    left: str
    right: str
    differs: bool


class Part(NamedTuple):
    """A part of a line; one without text that differs is where only the other side has something."""

    text: str
    differs: bool


Line = tuple[Part, ...]


class Block(NamedTuple):
    """Whole lines: the same on both sides, or each side's own."""

    same: bool
    left: tuple[Line, ...]
    right: tuple[Line, ...]


class Cut(NamedTuple):
    """What is shown of two prompts, and how many characters are not: before it, on both sides alike, and after it."""

    segments: tuple[Segment, ...]
    before: int = 0
    after_left: int = 0
    after_right: int = 0


def segments(example: Example) -> Iterator[Segment]:
    """Both prompts in parts, which differ and do not differ in turns."""
    left, right, ends = example.left.text, example.right.text, (0, 0)
    for passage in example.passages:
        yield Segment(left[ends[0] : passage.left[0]], right[ends[1] : passage.right[0]], False)
        yield Segment(left[slice(*passage.left)], right[slice(*passage.right)], True)
        ends = passage.left[1], passage.right[1]
    yield Segment(left[ends[0] :], right[ends[1] :], False)


def cut(found: Sequence[Segment], most: int) -> Cut:
    """At most so many characters of each side, from shortly before the first difference on."""
    left, right = sum(len(one.left) for one in found), sum(len(one.right) for one in found)
    if max(left, right) <= most:
        return Cut(tuple(found))
    before = max(len(found[0].left) - LEAD, 0) if len(found) > 1 else 0
    first = found[0]._replace(left=found[0].left[before:], right=found[0].right[before:])
    kept = tuple(_kept((first, *found[1:]), most))
    taken = sum(len(one.left) for one in kept), sum(len(one.right) for one in kept)
    return Cut(kept, before, left - before - taken[0], right - before - taken[1])


def _kept(found: Iterable[Segment], most: int) -> Iterator[Segment]:
    left = right = most
    for one in found:
        rooms = (left, right) if one.differs else (min(left, right),) * 2
        shown = one._replace(left=one.left[: rooms[0]], right=one.right[: rooms[1]])
        yield shown
        if shown != one:
            return
        left, right = left - len(one.left), right - len(one.right)


def blocks(found: Iterable[Segment]) -> Iterator[Block]:
    """The lines of both sides. Those are the same that no difference touches."""
    left, right = _Side(), _Side()
    for one in found:
        rest = one.left
        if one.differs:
            left.write(one.left, differs=True)
            right.write(one.right, differs=True)
            continue
        if not (left.at_start and right.at_start):
            end = rest.find("\n") + 1 or len(rest)
            left.write(rest[:end])
            right.write(rest[:end])
            rest = rest[end:]
        if rest and left.at_start and right.at_start:
            yield from _between(left, right)
            whole = rest.rfind("\n") + 1
            if whole:
                lines = lines_of(rest[:whole])
                yield Block(True, lines, lines)
            left.write(rest[whole:])
            right.write(rest[whole:])
    yield from _between(left, right)


def _between(left: _Side, right: _Side) -> Iterator[Block]:
    lines = left.taken(), right.taken()
    if any(lines):
        yield Block(not any(part.differs for side in lines for line in side for part in line), *lines)


def lines_of(text: str) -> tuple[Line, ...]:
    """The lines of a text in which nothing differs."""
    return tuple((Part(line, False),) for line in LINE.findall(text))


class _Side:
    """The lines of one side as they come in."""

    def __init__(self) -> None:
        self._lines: list[Line] = []
        self._open: list[Part] = []

    @property
    def at_start(self) -> bool:
        """Whether the next character begins a line."""
        return not any(part.text for part in self._open)

    def write(self, text: str, *, differs: bool = False) -> None:
        """Go on with this text."""
        if differs and not text:
            self._open.append(Part("", True))
        for piece in LINE.findall(text):
            self._open.append(Part(piece, differs))
            if piece.endswith("\n"):
                self._end()

    def taken(self) -> tuple[Line, ...]:
        """The lines so far, of which nothing is kept."""
        self._end()
        lines, self._lines = tuple(self._lines), []
        return lines

    def _end(self) -> None:
        if not self.at_start:
            self._lines.append(tuple(self._open))
        self._open = []
