"""The machine's view: one JSON object per run, ASCII only."""

from __future__ import annotations

from typing import Any, TextIO

import tpllint
from tpllint.finding import Report, TargetResult, Totals
from tpllint.report.spool import HOLE, Elements, write_document

ARRAYS = ("targets", "findings", "skipped", "crashes")


class Writer:
    """Gathers reports on disk and writes one object at the end, in which all targets stand before all findings."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._totals = Totals()
        self._arrays = {name: Elements(depth=2) for name in ARRAYS}

    def add(self, report: Report) -> None:
        """Keep a report."""
        self._totals = self._totals.plus(report.totals)
        for name, elements in _arrays(report).items():
            for element in elements:
                self._arrays[name].add(element)

    def end(self) -> None:
        """Write the object."""
        holes = dict.fromkeys(ARRAYS, HOLE)
        write_document(_body(holes, self._totals), self._arrays, self._stream)


def write(report: Report, stream: TextIO) -> None:
    """Write one report that is a whole run."""
    writer = Writer(stream)
    writer.add(report)
    writer.end()


def body(report: Report) -> dict[str, Any]:
    """The report as one object: the contract `tpllint-check-v1`."""
    return _body(_arrays(report), report.totals)


def _body(arrays: dict[str, Any], totals: Totals) -> dict[str, Any]:
    return {
        "schema": "tpllint-check-v1",
        "version": tpllint.__version__,
        **arrays,
        "summary": {
            "errors": totals.errors,
            "warnings": totals.warnings,
            "infos": totals.infos,
            "suppressed": totals.suppressed,
            "baselined": totals.baselined,
        },
    }


def _arrays(report: Report) -> dict[str, list[dict[str, Any]]]:
    return {
        "targets": [_target(result) for result in report.targets],
        "findings": [finding.as_json() for finding in report.findings],
        "skipped": [skipped.as_json() for skipped in report.skipped],
        "crashes": [crash._asdict() for crash in report.crashes],
    }


def _target(result: TargetResult) -> dict[str, Any]:
    return {
        "target": result.target,
        "templates": list(result.templates),
        "fully_analysed": result.fully_analysed,
        "error": None if result.error is None else result.error._asdict(),
        **({"note": result.note} if result.note else {}),
    }
