"""Text that remembers who wrote each piece of it.

It is the same text as without: equal, of the same hash, printed alike. What may get lost on the way through a filter is only
the memory, and then the expression that wrote the result answers for all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any, NamedTuple, SupportsIndex


class Piece(NamedTuple):
    """A stretch of text from one writer.

    `site` is the number of the code that wrote it, `at` how far into that code's own text it begins. `message` is the index of
    the message whose words these are, `during` that of the message in whose turn of the loop they were written. None: unknown.
    """

    length: int
    site: int | None = None
    at: int = 0
    message: int | None = None
    during: int | None = None


class TracedText(str):
    """A str with the pieces it was put together from; their lengths add up to its own."""

    __slots__ = ("_pieces",)
    _pieces: tuple[Piece, ...]

    def __new__(cls, text: str = "", pieces: tuple[Piece, ...] | None = None) -> TracedText:
        """The text; without pieces, one of an unknown writer."""
        made = super().__new__(cls, text)
        made._pieces = (Piece(str.__len__(made)),) if pieces is None else pieces
        return made

    def __str__(self) -> str:
        return self

    def __add__(self, other: str) -> str:
        if not isinstance(other, str) or hasattr(
            other, "__html__"
        ):  # what the filter `safe` made escapes whatever is added to it
            return NotImplemented
        return joined((self, other))

    def __radd__(self, other: str) -> str:
        return joined((other, self)) if isinstance(other, str) else NotImplemented

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        text = super().__getitem__(key)
        start, _, step = key.indices(len(self)) if isinstance(key, slice) else (key.__index__() % len(self), 0, 1)
        return self._cut(start, text) if step == 1 else text

    def strip(self, chars: str | None = None, /) -> str:
        """As str.strip."""
        start = len(self) - len(super().lstrip(chars))
        return self._cut(start, super().strip(chars))

    def lstrip(self, chars: str | None = None, /) -> str:
        """As str.lstrip."""
        text = super().lstrip(chars)
        return self._cut(len(self) - len(text), text)

    def rstrip(self, chars: str | None = None, /) -> str:
        """As str.rstrip."""
        return self._cut(0, super().rstrip(chars))

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        """As str.split."""
        return list(self._located(super().split(sep, maxsplit), sep))

    def rsplit(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        """As str.rsplit."""
        return list(self._located(super().rsplit(sep, maxsplit), sep))

    def replace(self, old: str, new: str, count: SupportsIndex = -1, /, **named: Any) -> str:
        """As str.replace."""
        text = super().replace(old, new, count, **named)
        if not old:
            return text
        limit = named.get("count", count)
        together = TracedText(new).join(self.split(old, limit) if limit != 0 else [self])
        return together if together == text else text

    def join(self, parts: Iterable[str], /) -> str:
        """As str.join."""
        parts = list(parts)
        text = super().join(parts)
        between = [part for each in parts for part in (self, each)][1:]
        return joined(between, text)

    def upper(self) -> str:
        """As str.upper."""
        return self._in_place(super().upper())

    def lower(self) -> str:
        """As str.lower."""
        return self._in_place(super().lower())

    def capitalize(self) -> str:
        """As str.capitalize."""
        return self._in_place(super().capitalize())

    def title(self) -> str:
        """As str.title."""
        return self._in_place(super().title())

    def _in_place(self, text: str) -> str:
        """Other letters in the same places."""
        return TracedText(text, self._pieces) if len(text) == len(self) else text

    def _located(self, parts: Iterable[str], sep: str | None) -> Iterator[str]:
        at = 0
        for part in parts:
            at = at if sep is not None else str.find(self, part, at)
            yield self._cut(at, part)
            at += len(part) + len(sep or "")

    def _cut(self, start: int, text: str) -> TracedText:
        """The part of this text that begins at `start` and reads `text`."""
        return TracedText(text, tuple(_between(self._pieces, start, start + len(text))))


def pieces_of(text: str) -> tuple[Piece, ...]:
    """Who wrote a text; one unknown writer for an ordinary str."""
    return text._pieces if isinstance(text, TracedText) else (Piece(len(text)),)


def joined(parts: Iterable[str], text: str | None = None) -> TracedText:
    """The parts one after the other; `text` is what they make together, where it is known already."""
    parts = list(parts)
    pieces = tuple(piece for part in parts for piece in pieces_of(part) if piece.length)
    return TracedText("".join(map(str.__str__, parts)) if text is None else text, pieces)


def _between(pieces: Iterable[Piece], start: int, end: int) -> Iterator[Piece]:
    pieces = tuple(pieces)
    for begin, piece in zip(accumulate((piece.length for piece in pieces), initial=0), pieces, strict=False):
        first, last = max(begin, start), min(begin + piece.length, end)
        if first < last:
            yield piece._replace(length=last - first, at=piece.at + first - begin)
