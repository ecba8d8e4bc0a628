"""The person's view: findings one after the other, errors of targets, and one line that sums up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TextIO

import click

from tpllint.finding import Crash, Finding, Report, TargetResult
from tpllint.report.escape import escape
from tpllint.severity import Severity

COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def write(report: Report, stream: TextIO, *, color: bool = False, quiet: bool = False) -> None:
    """Write the report; with `quiet`, nothing where all is well and no closing line."""
    for finding in report.findings:
        stream.write("\n".join(_finding(finding, color)) + "\n\n")
    for crash in report.crashes:
        stream.write(_crash(crash, color) + "\n")
    told = {finding.target for finding in report.findings}
    for undecided, reason in dict.fromkeys((skipped.target, skipped.reason) for skipped in report.skipped):
        if undecided in told:
            continue
        stream.write(f"{_styled('undecided', 'blue', color)}: {escape(undecided)}: {escape(reason)}\n")
    for target in report.targets:
        if target.error:
            stream.write("\n".join(_error(target, color)) + "\n")
    if not quiet:
        stream.write(_summary(report) + "\n")


def _finding(finding: Finding, color: bool) -> Iterator[str]:
    head = _styled(f"{finding.severity}[{finding.rule}]", COLOURS[finding.severity], color)
    yield f"{head}: {escape(finding.message)}"
    yield f"  --> {_place(finding)}"
    if finding.evidence.conversation:
        yield f"   = conversation: {escape(finding.evidence.conversation)}"
    if finding.evidence.excerpt is not None:
        yield f"   = prompt: {_excerpt(finding.evidence.excerpt)}"
    yield f"   = help: {escape(finding.help)}"


def _excerpt(text: str) -> str:
    """In quotes, with a backslash doubled: a line end and a written backslash-n must not look the same."""
    return escape(json.dumps(text, ensure_ascii=False))


def _place(finding: Finding) -> str:
    path = escape(finding.path)
    place = f"{path}:{finding.span.start.line}:{finding.span.start.column}" if finding.span else path
    return f"{place} ({escape(finding.template)})" if finding.template not in (None, "default") else place


def _error(target: TargetResult, color: bool) -> Iterator[str]:
    assert target.error is not None
    yield f"{_styled('error', 'red', color)}: {escape(target.error.message)}"
    yield f"  help: {escape(target.error.hint)}"


def _crash(crash: Crash, color: bool) -> str:
    what = f"rule {crash.rule}" if crash.rule else "tpllint"
    lines = "\n".join("    " + escape(line) for line in crash.traceback.splitlines())
    return f"{_styled('defect', 'magenta', color)}: {what} failed on {escape(crash.target)}; please report this:\n{lines}"


def _summary(report: Report) -> str:
    checked = sum(len(result.templates) for result in report.targets if not result.error)
    amounts = ((report.count(level), level.value) for level in (Severity.ERROR, Severity.WARNING, Severity.INFO))
    parts = [_counted(number, word) for number, word in amounts if number]
    failed = sum(result.error is not None for result in report.targets)
    incomplete = sum(not (result.fully_analysed or result.error) for result in report.targets)
    tails = ((failed, "could not be checked"), (incomplete, "not fully analysed"))
    tail = "".join(f", {_counted(number, 'target')} {what}" for number, what in tails if number)
    suppressed = f" ({report.suppressed} suppressed)" if report.suppressed else ""
    return f"{', '.join(parts) or 'no findings'} in {_counted(checked, 'template')}{suppressed}{tail}"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _styled(text: str, colour: str, color: bool) -> str:
    return click.style(text, fg=colour, bold=True) if color else text
