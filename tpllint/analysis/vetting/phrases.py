"""Natural language in a prompt: runs of words that stand side by side, apart from markers, data and what was said.

A run ends at a line end, at a marker such as `<|user|>`, at punctuation of data and at the words of the conversation. Scripts
that put no blanks between words count by their characters, a few of which say as much as one word.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

PIECE = re.compile(
    r"(?P<broken><[^<>\n]{1,60}>|\[/?\w{1,30}\]|[\n\r{}\[\]|`\"<>_/\\#=]|\d)"
    r"|(?P<word>[^\W\d_\u3040-\u30ff\u3400-\u9fff]{2,}(?:['\u2019][^\W\d_]{1,3})?)"
    r"|(?P<characters>[\u3040-\u30ff\u3400-\u9fff]{1,2})"
)
"""What ends a run; a word of letters; two characters of a script without blanks."""
SENTENCE = 4
"""So many words in a row are a sentence: headers of turns have fewer."""
TOGETHER = 3
"""How many words beside each other are compared: one word can stand anywhere."""


class Run(NamedTuple):
    """Words that stand beside each other, in small letters, and where they stand in the text."""

    words: tuple[str, ...]
    start: int
    end: int


def runs(text: str, said: frozenset[str] = frozenset(), begin: int = 0, stop: int = sys.maxsize) -> Iterator[Run]:
    """The runs of words between two offsets of a text; what is `said` in the conversation ends one and belongs to none."""
    words: list[str] = []
    start = end = 0
    for piece in PIECE.finditer(text, begin, stop):
        word = piece[0].casefold()
        if piece["broken"] or word in said:
            if words:
                yield Run(tuple(words), start, end)
            words = []
            continue
        start = start if words else piece.start()
        words.append(word)
        end = piece.end()
    if words:
        yield Run(tuple(words), start, end)


def words_of(data: Any) -> frozenset[str]:
    """Every word of letters in the keys and texts of JSON data."""
    return frozenset(word for text in _texts(data) for word in _words(text))


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield str(key)
            yield from _texts(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _texts(value)


def _words(text: str) -> Iterator[str]:
    return (piece[0].casefold() for piece in PIECE.finditer(text) if not piece["broken"])


class Known:
    """The words of prompts that are beyond suspicion, one by one and side by side."""

    def __init__(self) -> None:
        self._words: set[str] = set()
        self._together: set[tuple[str, ...]] = set()

    def learn(self, found: Iterable[Run]) -> None:
        """Take the runs of a prompt in."""
        for run in found:
            self._words.update(run.words)
            self._together.update(_beside(run.words))

    def knows(self, run: Run) -> bool:
        """Whether every word of a run, and all that stand side by side in it, are in these prompts."""
        return self._words.issuperset(run.words) and self._together.issuperset(_beside(run.words))


def _beside(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (words[at : at + TOGETHER] for at in range(len(words) - TOGETHER + 1))
