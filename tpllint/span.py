"""Places in text, and the way from a place in a template to a place in the file that holds it."""

from __future__ import annotations

import json
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

NEWLINE = re.compile(r"\r\n|\r|\n")


class Position(NamedTuple):
    """A 1-based line and column; columns count characters."""

    line: int
    column: int


class Span(NamedTuple):
    """From `start` up to, not including, `end`."""

    start: Position
    end: Position


class Place(NamedTuple):
    """Offsets (0-based, end exclusive) into a template's source."""

    start: int
    end: int


def position_at(text: str, offset: int) -> Position:
    """The position of the character at `offset` (0-based) of `text`, whose lines end as Jinja and editors count them."""
    line, begin = 1, 0
    for match in NEWLINE.finditer(text):
        if match.end() > offset:
            break
        line, begin = line + 1, match.end()
    return Position(line, offset - begin + 1)


def offset_at(text: str, position: Position) -> int:
    """The offset (0-based) of `position` in `text`; the inverse of `position_at`."""
    begin = 0
    for line, match in enumerate(NEWLINE.finditer(text), start=1):
        if line == position.line:
            break
        begin = match.end()
    return min(begin + position.column - 1, len(text))


class Lined:
    """A text in which many places are looked for: its lines are counted once, for a stranger's may be one of megabytes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = array("Q", [0])
        self._starts.extend(match.end() for match in NEWLINE.finditer(text))

    def position(self, offset: int) -> Position:
        """What `position_at` says."""
        line = bisect_right(self._starts, offset)
        return Position(line, offset - self._starts[line - 1] + 1)

    def line(self, number: int) -> tuple[int, int]:
        """From where to where a line goes, without its end; nothing of the text for a line that it has not."""
        if number > len(self._starts):
            return len(self.text), len(self.text)
        begin = self._starts[number - 1]
        if number == len(self._starts):
            return begin, len(self.text)
        end = self._starts[number]
        return begin, end - (2 if self.text.startswith("\r\n", max(begin, end - 2)) else 1)


JSON_SPACE = re.compile(r"[ \t\r\n]*")
JSON_ESCAPE = re.compile(r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL)


def json_string_at(text: str, path: tuple[str | int, ...]) -> int | None:
    """The offset of the opening quote of the JSON string that `path` (keys and indices) leads to; None if there is none."""
    at = json_value_at(text, path)
    return at if at is not None and text[at] == '"' else None


def json_value_at(text: str, path: tuple[str | int, ...]) -> int | None:
    """The offset of the JSON value that `path` (keys and indices) leads to; None if there is none.

    Where a key is repeated the last one counts, as in `json.loads`. `text` must be valid JSON.
    """
    at: int | None = _skip(text, 0)
    for step in path:
        if at is None:
            return None
        at = _member(text, at, step) if isinstance(step, str) else _item(text, at, step)
    return at


class JsonMember(NamedTuple):
    """One member of a JSON object: from `start`, the quote of its key, up to `end`; its value begins at `value`."""

    key: str
    start: int
    value: int
    end: int


def json_members(text: str, at: int = 0) -> Iterator[JsonMember]:
    """The members of the JSON object that begins at `at`, repeated keys too. `text` must be valid JSON."""
    at = _skip(text, _skip(text, at) + 1)
    while text[at] != "}":
        key, end = json.JSONDecoder().raw_decode(text, at)
        value = _skip(text, _skip(text, end) + 1)
        member = JsonMember(key, at, value, _value_end(text, value))
        yield member
        at = _after(text, member.end)


def offset_in_json_string(text: str, quote: int, index: int) -> int:
    """The offset in `text` of the character `index` of the JSON string whose opening quote is at `quote`."""
    at = quote + 1
    for _ in range(index):
        if text[at] == '"':
            break
        escape = JSON_ESCAPE.match(text, at)
        at = escape.end() if escape else at + 1
    return at


def _skip(text: str, at: int) -> int:
    match = JSON_SPACE.match(text, at)
    return match.end() if match else at


def _value_end(text: str, at: int) -> int:
    return json.JSONDecoder().raw_decode(text, at)[1]


def _member(text: str, at: int, key: str) -> int | None:
    if text[at] != "{":
        return None
    return next((member.value for member in reversed(list(json_members(text, at))) if member.key == key), None)


def _item(text: str, at: int, index: int) -> int | None:
    if text[at] != "[":
        return None
    at = _skip(text, at + 1)
    while text[at] != "]":
        if index == 0:
            return at
        at, index = _after_comma(text, at), index - 1
    return None


def _after_comma(text: str, at: int) -> int:
    return _after(text, _value_end(text, at))


def _after(text: str, end: int) -> int:
    """Where the next value or key begins behind one that ends here, or what closes them all."""
    at = _skip(text, end)
    return _skip(text, at + 1) if text[at] == "," else at
