"""The machine's view: one JSON object per run, ASCII only."""

from __future__ import annotations

import json
from typing import Any, TextIO

import tpllint
from tpllint.finding import Finding, RelatedPlace, Report, TargetResult
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
        "findings": [_finding(finding) for finding in report.findings],
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
    }


def _related(related: RelatedPlace) -> dict[str, Any]:
    start = related.span.start
    return {"path": related.path, "line": start.line, "column": start.column, "message": related.message}


def _finding(finding: Finding) -> dict[str, Any]:
    span = finding.span
    return {
        "code": finding.code,
        "rule": finding.rule,
        "category": finding.category,
        "severity": finding.severity,
        "message": finding.message,
        "help": finding.help,
        "target": finding.target,
        "template": finding.template,
        "path": finding.path,
        "line": span.start.line if span else None,
        "column": span.start.column if span else None,
        "end_line": span.end.line if span else None,
        "end_column": span.end.column if span else None,
        "related": [_related(related) for related in finding.related],
        "fingerprint": finding.fingerprint,
        "evidence": {
            "conversation": finding.evidence.conversation,
            "engine": finding.evidence.engine,
            "excerpt": finding.evidence.excerpt,
        },
        "fixable": False,
        "url": f"docs/rules/{finding.rule}.md",
    }
