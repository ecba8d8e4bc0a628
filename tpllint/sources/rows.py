"""The door for rows of data: JSON lines, plain or gzipped, read a little at a time, or one JSON list, read as a whole."""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, cast

from tpllint.conversations import MAX_DEPTH
from tpllint.errors import RepairableError

STDIN = "-"
MAX_LINE_BYTES = 8_000_000
MAX_LIST_BYTES = 32_000_000
CHUNK_BYTES = 256_000
CHUNK_LINES = 1000
BLOCK = 1 << 16
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
GZIP = b"\x1f\x8b"
BEGINS_A_DOCUMENT = (b"[", b"{")
"""A first line that is nothing but this begins JSON that is spread over lines."""
TOO_LONG = f"longer than {MAX_LINE_BYTES // 1_000_000} MB"
NOT_UTF_8 = "not UTF-8"
HINT = "name a file with one row of JSON per line, or - for standard input"
MESSAGES = ("role", "from")
"""What an object in a list has that is a message and not a row."""


class NotJsonError(ValueError):
    """What was read is no JSON; the message says why."""


class SeveralValuesError(ValueError):
    """One JSON value follows another: these are JSON lines, whatever the name says."""


@dataclass(frozen=True)
class Chunk:
    """Some rows that follow each other, each a line without its end; `first` is the number of the first, from 1.

    `bad` are the lines that cannot be read, by their index, and why; in `lines` they are empty. `end` is how many bytes are
    read when they are.
    """

    first: int
    lines: tuple[str, ...]
    bad: tuple[tuple[int, str], ...]
    end: int


@dataclass(frozen=True)
class Rows:
    """The rows of a file; `size` are its bytes, None where nothing tells. `by_line` tells that a row's number is its line's."""

    size: int | None
    chunks: Iterator[Chunk]
    by_line: bool = True


@contextlib.contextmanager
def opened_rows(path: str, stdin: BinaryIO | None) -> Iterator[Rows]:
    """The rows of a file, or of standard input for `-`. Raises RepairableError, also while they are read."""
    if path == STDIN:
        if stdin is None:
            raise RepairableError("empty-input", "standard input is closed", "pipe rows into it, or name a file")
        yield _rows("<stdin>", None, stdin)
        return
    with _open(path) as stream:
        yield _rows(path, os.fstat(stream.fileno()).st_size or None, stream)


def _open(path: str) -> io.BufferedReader:
    try:
        if stat.S_ISDIR(os.stat(path).st_mode):
            raise RepairableError("not-a-file", f"not a file: {path}", HINT)
        return open(path, "rb")
    except FileNotFoundError as error:
        raise RepairableError("no-such-path", f"no such file: {path}", HINT) from error
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from error


def _unusable(shown: str, error: Exception) -> RepairableError:
    reason = (getattr(error, "strerror", None) or str(error)).lower()
    return RepairableError("unusable-path", f"{shown} cannot be read: {reason}", "check the file and its permissions")


def _rows(shown: str, size: int | None, raw: BinaryIO) -> Rows:
    """The rows of a stream, in the form that its name and its first line say it has."""
    reading = _Reading(shown, raw)
    first = reading.line()
    name = shown.lower().removesuffix(".gz")
    if not (name.endswith(".json") or first.strip() in BEGINS_A_DOCUMENT):
        return Rows(size, _chunks(reading.lines(first), reading.position))
    data = first + reading.read(MAX_LIST_BYTES + 1 - len(first))
    if len(data) <= MAX_LIST_BYTES:
        return _document(shown, size, data)
    if not _is_json(first):
        message = f"{shown} is one JSON value of more than {MAX_LIST_BYTES // 1_000_000} MB"
        raise RepairableError("too-large", message, "write one row per line: a file of that form is read a little at a time")
    whole = _Reading(shown, cast("BinaryIO", io.BufferedReader(_Rejoined(data, reading), BLOCK)))
    return Rows(size, _chunks(whole.lines(whole.line()), reading.position))


class _Rejoined(io.RawIOBase):
    """What was read ahead of a stream, and then the stream."""

    def __init__(self, begun: bytes, rest: _Reading) -> None:
        self._begun = memoryview(begun)
        self._rest = rest

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as there is something."""
        if self._begun:
            given, self._begun = self._begun[: len(buffer)], self._begun[len(buffer) :]
        else:
            given = memoryview(self._rest.read(len(buffer)))
        buffer[: len(given)] = given
        return len(given)


def _document(shown: str, size: int | None, data: bytes) -> Rows:
    """The rows in one JSON value: a list has them, anything else is one. JSON lines may have the name of a document."""
    try:
        value = value_in(text_of(data))
    except SeveralValuesError:
        reading = _Reading(shown, io.BytesIO(data))
        return Rows(size, _chunks(reading.lines(reading.line()), reading.position))
    except NotJsonError as error:
        raise RepairableError("bad-json", f"{shown} is not usable JSON: {error}", HINT) from error
    rows = value if is_list_of_rows(value) else [value]
    lines = (json.dumps(row).encode() for row in rows)
    return Rows(None, _chunks(lines, lambda: 0), by_line=False)


def text_of(data: bytes) -> str:
    """The text of a JSON file, without a byte order mark. Raises NotJsonError."""
    encoding = json.detect_encoding(data)
    try:
        return data.decode(encoding, "surrogatepass")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise NotJsonError(f"not {encoding.removesuffix('-sig').upper()} at line {line}") from error


def value_in(text: str) -> Any:
    """The JSON value in a text. Raises NotJsonError, and SeveralValuesError where there is another one behind it."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            raise SeveralValuesError from error
        what = error.msg.removesuffix(" at")
        raise NotJsonError(f"{what[:1].lower()}{what[1:]} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise NotJsonError(f"it nests deeper than {MAX_DEPTH} levels") from error
    except ValueError as error:  # an integer longer than Python converts
        raise NotJsonError("it holds a number of thousands of digits") from error


def is_list_of_rows(value: Any) -> bool:
    """Whether a JSON value is a list of rows. A list is itself one where it holds messages, or pairs of texts."""
    if not isinstance(value, list):
        return False
    first = value[0] if value else None
    if isinstance(first, list):
        return not first or not (first[0] is None or isinstance(first[0], str))
    return not (isinstance(first, dict) and any(name in first for name in MESSAGES))


def unpacked(shown: str, raw: BinaryIO, most: int) -> bytes:
    """What a stream holds, unpacked where it is packed, so many bytes at most. Raises RepairableError."""
    return _Reading(shown, raw).read(most)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


class _Reading:
    """A stream of lines, unpacked where it is packed, with bounds on how much of it is held."""

    def __init__(self, shown: str, raw: BinaryIO) -> None:
        self._shown = shown
        self._raw = raw
        self._stream = raw
        if isinstance(raw, io.BufferedReader) and self._tried(lambda: raw.peek(len(GZIP)))[: len(GZIP)] == GZIP:
            import gzip

            self._stream = cast("BinaryIO", gzip.GzipFile(fileobj=raw))

    def read(self, most: int) -> bytes:
        """What follows, so many bytes at most."""
        return self._tried(lambda: self._stream.read(most))

    def line(self) -> bytes:
        """The next line with its end; of one that is too long only the beginning is held, and no end. Empty at the end."""
        return self._tried(lambda: self._stream.readline(MAX_LINE_BYTES + 1))

    def lines(self, first: bytes) -> Iterator[bytes]:
        """This line, and all that follow."""
        line = first.removeprefix(BYTE_ORDER_MARK)
        while line:
            yield line
            if len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
                self._skip()
            line = self.line()

    def position(self) -> int:
        """How many bytes of the file are read."""
        return self._raw.tell() if self._raw.seekable() else 0

    def _skip(self) -> None:
        """Read on to the end of the line."""
        while (block := self.line()) and not block.endswith(b"\n"):
            pass

    def _tried(self, read: Callable[[], bytes]) -> bytes:
        try:
            return read()
        except (OSError, EOFError, zlib.error) as error:
            raise _unusable(self._shown, error) from error


def _chunks(lines: Iterable[bytes], position: Callable[[], int]) -> Iterator[Chunk]:
    """The lines in chunks that are bounded in number and in size."""
    first, waiting = 1, iter(lines)
    while held := list(_some(waiting)):
        read = [_text(line) for line in held]
        bad = tuple((index, why) for index, (_, why) in enumerate(read) if why)
        yield Chunk(first, tuple(text for text, _ in read), bad, position())
        first += len(held)


def _some(lines: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for line in islice(lines, CHUNK_LINES):
        yield line
        size += len(line)
        if size >= CHUNK_BYTES:
            return


def _text(line: bytes) -> tuple[str, str | None]:
    """A line's text, or why it has none."""
    if len(line) > MAX_LINE_BYTES:
        return "", TOO_LONG
    try:
        return line.decode("utf-8").rstrip("\r\n"), None
    except UnicodeDecodeError:
        return "", NOT_UTF_8
