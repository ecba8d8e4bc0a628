"""A Code Quality report of GitLab: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TextIO

from tpllint.finding import INCOMPLETE, Crash, Finding, Report, TargetError
from tpllint.report.escape import escape
from tpllint.report.spool import Elements
from tpllint.severity import Severity
from tpllint.span import Span

SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}
UNCHECKED = "blocker"
"""Of what kept a target from being checked."""
FIRST_LINE = {"begin": 1}
"""GitLab shows nothing without a line."""


class Writer:
    """Gathers entries on disk and writes one array at the end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._entries = Elements(depth=1)

    def add(self, report: Report) -> None:
        """Keep a report."""
        for entry in _entries(report):
            self._entries.add(entry)

    def end(self) -> None:
        """Write the array."""
        self._entries.pour(self._stream)
        self._stream.write("\n")


def write(report: Report, stream: TextIO) -> None:
    """Write one report that is a whole run."""
    writer = Writer(stream)
    writer.add(report)
    writer.end()


def _entries(report: Report) -> Iterator[dict[str, Any]]:
    for finding in report.findings:
        yield _finding(finding)
    for crash in report.crashes:
        yield _crash(crash)
    for target, reason in report.undecided():
        yield _about_target(target, "undecided", SEVERITIES[Severity.INFO], f"undecided: {escape(reason)}")
    for result in report.targets:
        if result.is_incomplete:
            yield _about_target(result.target, "incomplete", SEVERITIES[Severity.INFO], INCOMPLETE)
        if result.error:
            yield _error(result.target, result.error)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "description": f"{escape(finding.message)}; {escape(finding.help)}",
        "check_name": finding.rule,
        "fingerprint": _fingerprint(finding.target, finding.fingerprint),
        "severity": SEVERITIES[finding.severity],
        "location": {"path": finding.path, "lines": _lines(finding.span)},
    }


def _lines(span: Span | None) -> dict[str, int]:
    return FIRST_LINE if span is None else {"begin": span.start.line, "end": span.end.line}


def _crash(crash: Crash) -> dict[str, Any]:
    what = f"rule {crash.rule}" if crash.rule else "tpllint"
    last_line = crash.traceback.rstrip().rpartition("\n")[2]
    told = f"{escape(what)} failed, please report this: {escape(last_line)}"
    return _about_target(crash.target, crash.rule or "tpllint", UNCHECKED, told)


def _error(target: str, error: TargetError) -> dict[str, Any]:
    return _about_target(target, error.kind, UNCHECKED, f"{escape(error.message)}; {escape(error.hint)}")


def _about_target(target: str, check: str, severity: str, told: str) -> dict[str, Any]:
    return {
        "description": told,
        "check_name": check,
        "fingerprint": _fingerprint(target, check, told),
        "severity": severity,
        "location": {"path": target, "lines": FIRST_LINE},
    }


def _fingerprint(*parts: str) -> str:
    """Different for every entry of a run, and the same in the next run, also where lines moved."""
    import hashlib  # loads OpenSSL

    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
