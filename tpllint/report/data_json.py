"""The machine's view of a survey of data: one object, or one line per row and one for the sum; ASCII only."""

from __future__ import annotations

from typing import Any, TextIO

import tpllint
from tpllint.data import Portion, RowProblem, RowResult, Totals
from tpllint.finding import TargetError
from tpllint.report.json_text import json_text
from tpllint.report.spool import HOLE, Elements, write_document
from tpllint.severity import Severity

SCHEMA = "tpllint-data-v1"


class Writer:
    """Gathers the rows on disk and writes one object at the end."""

    def __init__(self, stream: TextIO, target: str, data: str) -> None:
        self._stream = stream
        self._head = {"schema": SCHEMA, "version": tpllint.__version__, "target": target, "data": data}
        self._totals = Totals()
        self._rows = Elements(depth=2)

    def add(self, portion: Portion) -> None:
        """Keep a portion."""
        self._totals.add(portion)
        for result in portion.told:
            self._rows.add(_row(result))

    def end(self, error: TargetError | None = None) -> None:
        """Write the object."""
        document = {**self._head, **_error(error), "rows": HOLE, "summary": _summary(self._totals)}
        write_document(document, {"rows": self._rows}, self._stream)


class LinesWriter:
    """Writes each row at once; keeps nothing."""

    def __init__(self, stream: TextIO, target: str, data: str) -> None:
        self._stream = stream
        self._head = {"schema": SCHEMA, "version": tpllint.__version__, "target": target, "data": data}
        self._totals = Totals()

    def add(self, portion: Portion) -> None:
        """Write a line for each row."""
        self._totals.add(portion)
        for result in portion.told:
            self._write(_row(result))

    def end(self, error: TargetError | None = None) -> None:
        """Write the line that sums up."""
        self._write({**self._head, **_error(error), "summary": _summary(self._totals)})

    def _write(self, body: dict[str, Any]) -> None:
        self._stream.write(json_text(body, separators=(",", ":")) + "\n")


def _error(error: TargetError | None) -> dict[str, Any]:
    return {"error": None if error is None else error._asdict()}


def _row(result: RowResult) -> dict[str, Any]:
    return {"row": result.row, "problems": [_problem(problem) for problem in result.problems]}


def _problem(problem: RowProblem) -> dict[str, Any]:
    return {
        "kind": problem.kind,
        "severity": problem.severity,
        "message": problem.message,
        "index": problem.index,
        "part": problem.part or None,
    }


def _summary(totals: Totals) -> dict[str, Any]:
    kinds: dict[str, dict[str, int]] = {}
    for (kind, severity), count in sorted(totals.kinds.items()):
        kinds.setdefault(kind, dict.fromkeys(_LEVELS.values(), 0))[_LEVELS[severity]] = count
    worst = {name: totals.worst[severity] for severity, name in _LEVELS.items()}
    return {"rows": totals.rows, **worst, "kinds": kinds}


_LEVELS = {Severity.ERROR: "errors", Severity.WARNING: "warnings", Severity.INFO: "infos"}
