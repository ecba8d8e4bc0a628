"""The lines of a file that a place is in, cut so that a person can look at them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tpllint.report.escape import code, width
from tpllint.span import NEWLINE, Position, Span, offset_at

WIDTH = 100
"""How many columns of a line are shown; a template inside JSON is one line of many thousand."""
WIDEST_MARK = 80
MOST_LINES = 3


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


def snippet(text: str, span: Span) -> Snippet:
    """What stands at a span of a file's text."""
    first, last = span.start.line, _last_line(span)
    shown = last if last - first < MOST_LINES else first
    return Snippet(tuple(_excerpts(text, span, range(first, shown + 1), last)), last)


def _last_line(span: Span) -> int:
    """A span that ends where a line begins ends with the line before."""
    start, end = span.start, span.end
    return end.line - 1 if end.column == 1 and end.line > start.line else end.line


def _excerpts(text: str, span: Span, numbers: range, last: int) -> Iterator[Excerpt]:
    for number, line in zip(numbers, _lines(text, numbers.start), strict=False):
        indentation = len(line) - len(line.lstrip())
        start = span.start.column - 1 if number == span.start.line else indentation
        end = span.end.column - 1 if number == last == span.end.line else len(line)
        yield _excerpt(number, line, start, end)


def _lines(text: str, first: int) -> Iterator[str]:
    """The lines of a text from this one on, without their ends."""
    begin = offset_at(text, Position(first, 1))
    for match in NEWLINE.finditer(text, begin):
        yield text[begin : match.start()]
        begin = match.end()
    yield text[begin:]


def _excerpt(number: int, line: str, start: int, end: int) -> Excerpt:
    before, whole, after = line[:start], line[start:end], line[max(start, end) :]
    marked = _head(whole, WIDEST_MARK)
    if marked != whole:
        after = ""
    room = WIDTH - _taken(marked)
    kept_before = _tail(before, max(room // 2, room - _taken(_head(after, room))))
    kept_after = _head(after, room - _taken(kept_before))
    cut_after = kept_after != after or marked != whole
    return Excerpt(number, kept_before, marked, kept_after, kept_before != before, cut_after)


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
