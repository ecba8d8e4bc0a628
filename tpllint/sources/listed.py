"""The door for lists of targets: a text with one target per line, from a file or standard input."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import BinaryIO

from tpllint.errors import RepairableError

MAX_BYTES = 16_000_000
MAX_LINE_BYTES = 4096
"""No path is longer on Linux, and no name on the Hub."""
STDIN = "-"
BLANK = b" \t\r"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
HINT = "--from-file takes the path of a file with one target per line, or - for standard input"
FORM = "a list holds one path or model per line; blank lines and lines that begin with # count for nothing"


def read_list(path: str, stdin: BinaryIO | None) -> list[str]:
    """The targets that a file names, or standard input for `-`, in its order. Raises RepairableError.

    Bytes that are no UTF-8 stay what they are, as in an argument of the command line: a path may hold them.
    """
    data = _piped(stdin) if path == STDIN else _read(path)
    shown = "standard input" if path == STDIN else path
    if data.startswith(UTF_16):
        raise RepairableError("bad-list", f"{shown} is UTF-16 text", "save the list as UTF-8")
    lines = data.removeprefix(BYTE_ORDER_MARK).split(b"\n")
    return [_target(line, f"{shown}, line {number}") for number, line in _written(lines)]


def _written(lines: list[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that name something, each with its number."""
    for number, line in enumerate(lines, start=1):
        kept = line.strip(BLANK)
        if kept and not kept.startswith(b"#"):
            yield number, kept


def _target(line: bytes, place: str) -> str:
    if len(line) > MAX_LINE_BYTES:
        raise RepairableError("bad-list", f"{place} is longer than {MAX_LINE_BYTES} bytes", FORM)
    text = line.decode("utf-8", "surrogateescape")
    if any(character < " " or "\x7f" <= character < "\xa0" for character in text):
        raise RepairableError("bad-list", f"{place} holds a control character", FORM)
    return text


def _piped(stdin: BinaryIO | None) -> bytes:
    if stdin is None:
        raise RepairableError("empty-input", "standard input is closed", "pipe a list into it, or name a file")
    try:
        return _limited(stdin, "standard input")
    except OSError as error:
        raise _unusable("standard input", error) from error


def _read(path: str) -> bytes:
    try:
        if stat.S_ISDIR(os.stat(path).st_mode):
            raise RepairableError("not-a-file", f"not a file: {path}", HINT)
        with open(path, "rb") as stream:
            return _limited(stream, path)
    except FileNotFoundError as error:
        raise RepairableError("no-such-path", f"no such file: {path}", HINT) from error
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from error


def _unusable(shown: str, error: Exception) -> RepairableError:
    reason = (getattr(error, "strerror", None) or str(error)).lower()
    return RepairableError("unusable-path", f"{shown} cannot be read: {reason}", HINT)


def _limited(stream: BinaryIO, shown: str) -> bytes:
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise RepairableError("too-large", f"{shown} is larger than {MAX_BYTES // 1_000_000} MB", "split the list")
    return data
