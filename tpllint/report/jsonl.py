"""The machine's view of large runs: for each target one line, which is the JSON report of that target alone."""

from __future__ import annotations

import json
from typing import TextIO

from tpllint.finding import Report
from tpllint.report.json import body


def write(report: Report, stream: TextIO) -> None:
    """Write one line per target."""
    for one in report.by_target():
        write_target(one, stream)


def write_target(report: Report, stream: TextIO) -> None:
    """Write the report of one target."""
    stream.write(json.dumps(body(report), separators=(",", ":")) + "\n")
