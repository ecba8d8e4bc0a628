"""Annotations for GitHub Actions: workflow commands, and the line that sums up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TextIO

from tpllint.finding import Crash, Finding, Report, TargetError, Totals
from tpllint.report.escape import escape
from tpllint.report.spool import Below
from tpllint.report.text import evidence, place, summary
from tpllint.severity import Severity
from tpllint.span import Span

COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


class Writer:
    """Writes one command per finding at once; crashes, undecided targets, errors, notes and the summary at the end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._totals = Totals()
        self._below = Below()

    def add(self, report: Report) -> None:
        """Write the findings."""
        self._totals = self._totals.plus(report.totals)
        for finding in report.findings:
            self._stream.write(_finding(finding))
        for crash in report.crashes:
            self._below.crashes.write(_crash(crash))
        for target, reason in report.undecided():
            told = _command("notice", {"title": "tpllint: undecided"}, f"{escape(target)}: {escape(reason)}")
            self._below.undecided.write(told)
        for error in self._below.news(report):
            self._below.errors.write(_error(error))
        for result in report.targets:
            for note in result.notes:
                told = _command("notice", {"title": "tpllint: note"}, f"{escape(result.target)}: {escape(note)}")
                self._below.notes.write(told)

    def end(self) -> None:
        """Write what is left to say."""
        self._below.pour(self._stream)
        self._stream.write(summary(self._totals) + "\n")


def write(report: Report, stream: TextIO) -> None:
    """Write one report that is a whole run."""
    writer = Writer(stream)
    writer.add(report)
    writer.end()


def _finding(finding: Finding) -> str:
    title = f"{finding.rule} ({finding.code})"
    properties = {"file": escape(finding.path), **_region(finding.span), "title": title}
    return _command(COMMANDS[finding.severity], properties, "\n".join(_lines(finding)))


def _lines(finding: Finding) -> Iterator[str]:
    yield escape(finding.message)
    for related in finding.related:
        yield f"{place(related.path, related.span)}: {escape(related.message)}"
    for name, told in evidence(finding):
        yield f"{name}: {told}"


def _region(span: Span | None) -> dict[str, str]:
    """Lines and columns; GitHub takes no columns of a region of several lines."""
    if span is None:
        return {}
    lines = {"line": str(span.start.line), "endLine": str(span.end.line)}
    if span.start.line != span.end.line:
        return lines
    return {**lines, "col": str(span.start.column), "endColumn": str(span.end.column)}


def _crash(crash: Crash) -> str:
    what = f"rule {crash.rule}" if crash.rule else "tpllint"
    head = f"{escape(what)} failed on {escape(crash.target)}; please report this:"
    return _command("error", {"title": "tpllint: defect"}, "\n".join([head, *map(escape, crash.traceback.splitlines())]))


def _error(error: TargetError) -> str:
    message = f"{escape(error.message)}\nhelp: {escape(error.hint)}"
    return _command("error", {"title": f"tpllint: {escape(error.kind)}"}, message)


def _command(name: str, properties: Mapping[str, str], message: str) -> str:
    """One line as the runner reads it: `::name key=value,...::message`."""
    told = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {told}::{_data(message)}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
