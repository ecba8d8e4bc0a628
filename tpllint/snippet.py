"""The lines of a file that a place is in, cut so that a person can look at them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tpllint.report.escape import code, width
from tpllint.span import Lined, Span

WIDTH = 100
"""How many columns of a line are shown; a template inside JSON is one line of many thousand."""
WIDEST_MARK = 80
MOST_LINES = 3
BLANK = re.compile(r"\s*")


class Excerpt(NamedTuple):
    """One line of a file, unescaped: what stands before the place, the place, and what follows; which ends are cut off."""

    line: int
    before: str
    marked: str
    after: str
    cut_before: bool = False
    cut_after: bool = False


class Snippet(NamedTuple):
    """The lines of a place. `last_line` is where it ends; of a long place, only its first line is among `lines`."""

    lines: tuple[Excerpt, ...]
    last_line: int


def snippet(text: Lined, span: Span) -> Snippet:
    """What stands at a span of a file's text."""
    first, last = span.start.line, _last_line(span)
    shown = last if last - first < MOST_LINES else first
    return Snippet(tuple(_excerpts(text, span, range(first, shown + 1), last)), last)


def _last_line(span: Span) -> int:
    """A span that ends where a line begins ends with the line before."""
    start, end = span.start, span.end
    return end.line - 1 if end.column == 1 and end.line > start.line else end.line


def _excerpts(lined: Lined, span: Span, numbers: range, last: int) -> Iterator[Excerpt]:
    for number in numbers:
        begin, end = lined.line(number)
        start = begin + span.start.column - 1 if number == span.start.line else _indented(lined.text, begin, end)
        stop = begin + span.end.column - 1 if number == last == span.end.line else end
        yield _excerpt(number, lined.text, (begin, min(start, end), min(stop, end), end))


def _indented(text: str, begin: int, end: int) -> int:
    match = BLANK.match(text, begin, end)
    return match.end() if match else begin


def _excerpt(number: int, text: str, offsets: tuple[int, int, int, int]) -> Excerpt:
    """What is shown of a line, by where it begins, where the place in it begins and ends, and where the line ends.

    One character more than there is room for tells that something is cut off; a line may have millions.
    """
    begin, start, stop, end = offsets
    before = text[max(begin, start - WIDTH - 1) : start]
    whole = text[start : min(stop, start + WIDEST_MARK + 1)]
    marked = _head(whole, WIDEST_MARK)
    is_cut = marked != whole
    after = "" if is_cut else text[max(start, stop) : min(end, max(start, stop) + WIDTH + 1)]
    room = WIDTH - _taken(marked)
    kept_before = _tail(before, max(room // 2, room - _taken(_head(after, room))))
    kept_after = _head(after, room - _taken(kept_before))
    return Excerpt(number, kept_before, marked, kept_after, kept_before != before, is_cut or kept_after != after)


def _head(text: str, room: int) -> str:
    return text[: _fitting(text[:room], room)]


def _tail(text: str, room: int) -> str:
    end = text[max(len(text) - room, 0) :]
    return end[len(end) - _fitting(reversed(end), room) :]


def _fitting(characters: Iterable[str], room: int) -> int:
    """How many of the characters fit."""
    count = 0
    for character in characters:
        room -= _taken(character)
        if room < 0:
            break
        count += 1
    return count


def _taken(text: str) -> int:
    """The columns of a text, where every character counts: a thousand marks over one letter take no room on a terminal."""
    return sum(max(width(code(character)), 1) for character in text)
