"""The one way for untrusted text to reach a terminal, and how much room it takes there."""

from __future__ import annotations

import itertools
import re
import unicodedata

COMMAND = re.compile(r"##(?=[A-Za-z]*\[)")
UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
"""Letters and marks that show nothing, though their category does not tell."""


def escape(text: str, limit: int | None = None) -> str:
    r"""One line of printable text: line ends as `\n`, control, format, surrogate and private characters as `\u{..}`.

    With `limit`, at most that many characters and an ellipsis.
    """
    shown = no_command("".join(map(_character, text if limit is None else text[:limit])))
    return shown if limit is None or len(text) <= limit else shown + "..."


def escape_lines(text: str) -> str:
    """A text of several lines, each escaped: its line ends stay."""
    return "\n".join(map(escape, text.split("\n")))


def no_command(line: str) -> str:
    r"""The same, with the second sign of `##[` and `##vso[` as `\u{23}`: runners of CI obey these anywhere in a log."""
    return COMMAND.sub(r"#\\u{23}", line) if "##" in line else line


def code(text: str) -> str:
    """A part of one line of source code: escaped, with a tab as four spaces."""
    return escape(text.replace("\t", "    "))


def width(escaped: str) -> int:
    """How many columns of a terminal an escaped text takes: most East Asian characters two, combining marks none."""
    return len(escaped) if escaped.isascii() else sum(map(_columns, escaped))


def padded(escaped: str, columns: int) -> str:
    """An escaped text with blanks behind it, up to that many columns."""
    return escaped + " " * (columns - width(escaped))


def shortened(escaped: str, columns: int) -> str:
    """An escaped text, cut in the middle where it takes more columns. Every character counts, also a combining mark."""
    if len(_head(escaped, columns)) == len(escaped):
        return escaped
    tail = columns // 3
    return f"{_head(escaped, columns - tail - 3)}...{_head(escaped[::-1], tail)[::-1]}"


def _head(escaped: str, columns: int) -> str:
    """As much of the beginning as fits."""
    ends = itertools.accumulate(max(_columns(character), 1) for character in escaped)
    return escaped[: sum(1 for _ in itertools.takewhile(lambda end: end <= columns, ends))]


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _character(character: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    if character in named:
        return named[character]
    if character.isascii():
        return character if character.isprintable() else f"\\u{{{ord(character):x}}}"
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    hidden = hidden or character in UNSEEN or _is_variation_selector(character)
    return f"\\u{{{ord(character):x}}}" if hidden else character


def _is_variation_selector(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
