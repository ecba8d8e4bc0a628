"""The person's view of a prompt: whitespace visible, and every piece beside the message that it came from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import click

from tpllint.job import Origin
from tpllint.rendering import Prompt
from tpllint.report.escape import escape, padded, width
from tpllint.tokenizing import Token

COLOURS = ("green", "cyan", "yellow", "magenta", "blue")
"""Of messages, in turns: neighbours differ."""
MAX_ROLE = 16
MAX_LEGEND = 20
MAX_SPECIAL_TOKENS = 64
MAX_SPECIAL_TOKEN = 100
CONTROL = r"<[^<>\s]{1,60}>|\[/?[A-Z][A-Z_]{1,40}\]"
"""The form of a control token."""
BLANKS = r"^ +| +$|  +|\t|\n"
"""Whitespace that is easily overlooked: at an end, in a row, and any that is no blank."""
PIECES = re.compile(r"[^\n]*\n|[^\n]+")
UNUSUAL_SPACES = (0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)


@dataclass(frozen=True)
class Marks:
    """What whitespace is shown as. A character of a prompt that looks like a mark is shown by its number."""

    line_end: str
    tab: str
    blank: str
    margin: str

    def shown(self, text: str) -> str:
        """A text as one line, in which nothing can control a terminal and no whitespace is overlooked."""
        parts, at = [], 0
        for found in re.finditer(BLANKS, text):
            parts += [self.escaped(text[at : found.start()]), self.marked(found[0])]
            at = found.end()
        return "".join([*parts, self.escaped(text[at:])])

    def marked(self, blanks: str) -> str:
        """What one match of BLANKS is shown as."""
        return {"\n": self.line_end, "\t": self.tab}.get(blanks) or self.blank * len(blanks)

    def escaped(self, text: str) -> str:
        """A text without such whitespace as it is shown."""
        alike = (ord(mark) for mark in (self.line_end, self.tab, self.blank) if len(mark) == 1)
        return escape(text).translate({code: f"\\u{{{code:x}}}" for code in (*UNUSUAL_SPACES, *alike)})


UNICODE = Marks("\u21b5", "\u2192", "\u00b7", "\u2502")
ASCII = Marks("\\n", "\\t", "\\s", "|")


@dataclass(frozen=True)
class _Row:
    """What one line of the view shows: pieces of one line of the prompt, beside the message they belong to."""

    message: int | None
    pieces: tuple[tuple[str, int | None], ...]


def write(prompt: Prompt, stream: TextIO, *, color: bool = False) -> None:
    """Write a prompt that was rendered, with its tokens and the program that reproduces it where these were asked for."""
    view = _View(prompt, marks_for(stream), color)
    stream.write("\n".join([*view.legend(), *view.prompt(), *view.tokens(), *view.snippet()]) + "\n")


def marks_for(stream: TextIO) -> Marks:
    """The marks that a stream can show."""
    try:
        "".join(vars(UNICODE).values()).encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


class _View:
    """The lines that show one prompt."""

    def __init__(self, prompt: Prompt, marks: Marks, color: bool) -> None:
        self._text: str = prompt.record["text"]
        self._origins = prompt.origins or (Origin(0, len(self._text)),)
        self._tokens = prompt.tokens
        self._snippet = prompt.snippet
        self._marks = marks
        self._color = color
        self._names = [_name(index, message) for index, message in enumerate(prompt.record["inputs"]["messages"])]
        self._width = max(map(width, self._names), default=0)
        self._notable = _notable(prompt.record["inputs"]["variables"])

    def legend(self) -> Iterator[str]:
        """The messages in their colours."""
        names = [self._styled(name, index) for index, name in enumerate(self._names[:MAX_LEGEND])]
        more = len(self._names) - MAX_LEGEND
        yield f"messages: {', '.join(names) or 'none'}{f', and {more} more' if more > 0 else ''}"
        yield ""

    def prompt(self) -> Iterator[str]:
        """The prompt line by line; a line goes on below where a message begins or ends in it."""
        for row in _rows(self._text, self._origins):
            yield self._margin(row.message) + "".join(self._piece(text, message) for text, message in row.pieces)

    def tokens(self) -> Iterator[str]:
        """Each token's id and text, beside the message it begins in."""
        if self._tokens is None:
            return
        yield f"\ntokens: {len(self._tokens)}\n"
        digits = max((len(str(token.id)) for token in self._tokens), default=0)
        for token, origin, owner in _placed(self._tokens, self._origins):
            text = self._marks.shown(self._text[token.start : token.end])
            yield f"{self._margin(owner)}{token.id:>{digits}}  {self._styled(text, origin.message)}"

    def snippet(self) -> Iterator[str]:
        """The program that reproduces the prompt."""
        if self._snippet is not None:
            yield f"\n{self._snippet.rstrip(chr(10))}"

    def _margin(self, message: int | None) -> str:
        name = self._names[message] if message is not None else ""
        return f"{self._styled(padded(name, self._width), message)} {self._marks.margin} "

    def _piece(self, text: str, message: int | None) -> str:
        """A piece of the prompt, with the special tokens in it standing out."""
        parts, plain, at = [], "", 0
        for found in self._notable.finditer(text):
            plain += self._marks.escaped(text[at : found.start()])
            if found["special"]:
                parts += [self._styled(plain, message), self._styled(self._marks.shown(found[0]), message, special=True)]
                plain = ""
            else:
                plain += self._marks.marked(found[0])
            at = found.end()
        return "".join([*parts, self._styled(plain + self._marks.escaped(text[at:]), message)])

    def _styled(self, text: str, message: int | None, *, special: bool = False) -> str:
        if not (self._color and text):
            return text
        colour = None if message is None else COLOURS[message % len(COLOURS)]
        return click.style(text, fg=colour, bold=special or None, dim=(message is None and not special) or None)


def _name(index: int, message: Any) -> str:
    role = message.get("role")
    return f"{index} {escape(role, MAX_ROLE)}" if isinstance(role, str) else str(index)


def _notable(variables: Any) -> re.Pattern[str]:
    """What is not shown as it is: special tokens that the template was given, whatever has the form of one, and BLANKS."""
    tokens = [value for name, value in variables.items() if name.endswith("_token") and isinstance(value, str)]
    usable = [token for token in tokens if token.strip() and "\n" not in token and len(token) <= MAX_SPECIAL_TOKEN]
    given = map(re.escape, sorted(usable[:MAX_SPECIAL_TOKENS], key=len, reverse=True))
    return re.compile(f"(?P<special>{'|'.join([*given, CONTROL])})|{BLANKS}")


def _rows(text: str, origins: Sequence[Origin]) -> Iterator[_Row]:
    """The prompt cut at its line ends, and where the message changes."""
    pieces: list[tuple[str, int | None]] = []
    current = None
    for origin, owner in _owned(origins):
        for piece in PIECES.findall(text[origin.start : origin.end]):
            if pieces and owner != current:
                yield _Row(current, tuple(pieces))
                pieces = []
            current = owner
            pieces.append((piece, origin.message))
            if piece.endswith("\n"):
                yield _Row(current, tuple(pieces))
                pieces = []
    if pieces:
        yield _Row(current, tuple(pieces))


def _owned(origins: Iterable[Origin]) -> Iterator[tuple[Origin, int | None]]:
    """Each span with the message it is shown beside: what is written around a message's words is shown with them."""
    for origin in origins:
        yield origin, origin.during if origin.message is None else origin.message


def _placed(tokens: Iterable[Token], origins: Sequence[Origin]) -> Iterator[tuple[Token, Origin, int | None]]:
    """Each token with the span in which it begins, and the message it is shown beside; tokens stand in the prompt's order."""
    owned, at = list(_owned(origins)), 0
    for token in tokens:
        while at + 1 < len(owned) and owned[at][0].end <= token.start:
            at += 1
        yield token, *owned[at]
