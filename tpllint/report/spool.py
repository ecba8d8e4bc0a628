"""What a report says at its end is kept on disk until then: the memory of a run does not grow with its targets."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, TextIO

from tpllint.errors import RepairableError
from tpllint.finding import Report, TargetError
from tpllint.report.json_text import json_text

IN_MEMORY = 1_000_000
"""Of one text in characters; what is longer goes into a temporary file that has no name."""
BLOCK = 1 << 16
HOLE = "\0"
"""Stands in a document where an array goes."""
_HOLE = re.compile(r' *"(?P<key>[A-Za-z]+)": "\\u0000"(?P<comma>,?)')


class Spool:
    """A text that is written piece by piece and read once, at the end. Raises RepairableError where there is no room for it."""

    def __init__(self) -> None:
        self._kept: IO[str] = io.StringIO()
        self._size = 0
        self._on_disk = False

    def write(self, text: str) -> None:
        """Append."""
        self._size += len(text)
        with _room_made():
            if self._size > IN_MEMORY and not self._on_disk:
                self._move()
            self._kept.write(text)

    def pour(self, stream: TextIO) -> None:
        """Write all of it into a stream, and forget it."""
        with _room_made():
            self._kept.seek(0)
        while block := self._read():
            stream.write(block)
        self._kept.close()

    def _read(self) -> str:
        with _room_made():
            return self._kept.read(BLOCK)

    def _move(self) -> None:
        file = _file_without_a_name()
        self._kept.seek(0)
        while block := self._kept.read(BLOCK):
            file.write(block)
        self._kept, self._on_disk = file, True


def _file_without_a_name() -> IO[str]:
    import tempfile  # takes long to import, and most runs are short

    return tempfile.TemporaryFile("w+", encoding="utf-8", errors="surrogatepass", newline="")


@contextmanager
def _room_made() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"no temporary file can be written: {(error.strerror or str(error)).lower()}"
        raise RepairableError("unusable-path", message, "make room, or name another folder in TMPDIR") from error


class Below:
    """What stands below all findings, kept until the last target is done: crashes, undecided targets, errors, notes."""

    def __init__(self) -> None:
        self.crashes = Spool()
        self.undecided = Spool()
        self.errors = Spool()
        self.notes = Spool()
        self._told: set[TargetError] = set()

    def news(self, report: Report) -> Iterator[TargetError]:
        """The errors of targets that were not told before."""
        for result in report.targets:
            if result.error and result.error not in self._told:
                self._told.add(result.error)
                yield result.error

    def pour(self, stream: TextIO) -> None:
        """Write all of it."""
        for spool in (self.crashes, self.undecided, self.errors, self.notes):
            spool.pour(stream)


class Elements:
    """The elements of a JSON array of which nobody knows yet how many there are; `depth` is how deep they are nested."""

    def __init__(self, depth: int) -> None:
        self._spool = Spool()
        self._line = "\n" + " " * depth
        self._started = False

    def add(self, element: Mapping[str, Any]) -> None:
        """Append one, as `json.dumps(..., indent=1)` writes it; a line end inside of a text is an escape."""
        self._spool.write(("," if self._started else "[") + self._line)
        self._spool.write(json_text(element, indent=1).replace("\n", self._line))
        self._started = True

    def pour(self, stream: TextIO) -> None:
        """Write the array."""
        if not self._started:
            stream.write("[]")
            return
        self._spool.pour(stream)
        stream.write(self._line[:-1] + "]")


def write_document(document: Mapping[str, Any], arrays: Mapping[str, Elements], stream: TextIO) -> None:
    """Write a JSON document; where it holds HOLE under a key, the array of that name is written."""
    lines = json_text(document, indent=1).split("\n")
    for line in lines:
        hole = _HOLE.fullmatch(line)
        if hole is None:
            stream.write(line + "\n")
            continue
        stream.write(line[: line.index(":")] + ": ")
        arrays[hole["key"]].pour(stream)
        stream.write(hole["comma"] + "\n")
