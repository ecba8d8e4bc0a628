"""The machine's view of large runs: for each target one line, which is the JSON report of that target alone."""

from __future__ import annotations

from typing import TextIO

from tpllint.finding import Report
from tpllint.report.json import body
from tpllint.report.json_text import json_text


class Writer:
    """Writes the line of each target as soon as its report is there; keeps nothing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def add(self, report: Report) -> None:
        """Write one line per target."""
        for one in report.by_target():
            self._stream.write(json_text(body(one), separators=(",", ":")) + "\n")

    def end(self) -> None:
        """Nothing is left to say."""


def write(report: Report, stream: TextIO) -> None:
    """Write one line per target."""
    Writer(stream).add(report)
