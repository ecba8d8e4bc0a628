"""The machine's view: one JSON object per run, ASCII only."""

from __future__ import annotations

import json
from typing import Any, TextIO

import tpllint
from tpllint.finding import Report, TargetResult
from tpllint.severity import Severity


def write(report: Report, stream: TextIO) -> None:
    """Write the whole report."""
    stream.write(json.dumps(body(report), indent=1) + "\n")


def body(report: Report) -> dict[str, Any]:
    """The report as one object: the contract `tpllint-check-v1`."""
    return {
        "schema": "tpllint-check-v1",
        "version": tpllint.__version__,
        "targets": [_target(result) for result in report.targets],
        "findings": [finding.as_json() for finding in report.findings],
        "skipped": [vars(skipped) for skipped in report.skipped],
        "crashes": [vars(crash) for crash in report.crashes],
        "summary": {
            "errors": report.count(Severity.ERROR),
            "warnings": report.count(Severity.WARNING),
            "infos": report.count(Severity.INFO),
            "suppressed": report.suppressed,
        },
    }


def _target(result: TargetResult) -> dict[str, Any]:
    return {
        "target": result.target,
        "templates": list(result.templates),
        "fully_analysed": result.fully_analysed,
        "error": None if result.error is None else vars(result.error),
        **({"note": result.note} if result.note else {}),
    }
