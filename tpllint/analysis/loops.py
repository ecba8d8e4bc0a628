"""Texts that end with the same words over and over."""

from __future__ import annotations

from typing import NamedTuple

MOST = 20_000
"""So many characters at the end of a text are looked at."""
SHORTEST = 40
"""Characters of a text that loops; a shorter one may be an emphasis."""
FEWEST = 4
"""Repetitions that make a loop."""


class Loop(NamedTuple):
    """Words that a text ends with `times` times in `length` characters; of one more time there may be a part."""

    words: str
    times: int
    length: int


def loop_at_end(text: str) -> Loop | None:
    """The longest end of a text that repeats the same words; None where it has no letter, as rules of tables have none."""
    end = text.rstrip()[-MOST:]
    backwards = end[::-1]
    longest: tuple[int, int] = (0, 0)
    for index, border in enumerate(_borders(backwards)):
        length, period = index + 1, index + 1 - border
        if length >= SHORTEST and length >= FEWEST * period:
            longest = (length, period)
    length, period = longest
    words = end[len(end) - length :][:period]
    return Loop(words, round(length / period), length) if any(letter.isalnum() for letter in words) else None


def _borders(text: str) -> list[int]:
    """For each beginning of a text, the length of the longest shorter one that it ends with."""
    borders = [0] * len(text)
    length = 0
    for index in range(1, len(text)):
        while length and text[index] != text[length]:
            length = borders[length - 1]
        if text[index] == text[length]:
            length += 1
        borders[index] = length
    return borders
