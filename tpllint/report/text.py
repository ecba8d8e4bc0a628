"""The person's view: findings with the code they are about, errors of targets, and one line that sums up."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import TextIO

import click

from tpllint.finding import Crash, Evidence, Finding, RelatedPlace, Report, TargetError, Totals
from tpllint.report.escape import code, escape, no_command, width
from tpllint.report.spool import Below
from tpllint.severity import Severity
from tpllint.snippet import Excerpt, Snippet
from tpllint.span import Span

COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
GUTTER = "blue"
CUT = "..."
LONGEST = 300
"""How many characters of a conversation are shown; the JSON report has all of it."""


class Writer:
    """Writes reports one after the other: findings at once, what stands below all findings at the end."""

    def __init__(self, stream: TextIO, *, color: bool = False, quiet: bool = False) -> None:
        """With `quiet`, nothing where all is well and no closing line."""
        self._stream = stream
        self._color = color
        self._quiet = quiet
        self._totals = Totals()
        self._below = Below()

    def add(self, report: Report) -> None:
        """Write the findings."""
        self._totals = self._totals.plus(report.totals)
        for finding in report.findings:
            self._stream.write("\n".join(finding_lines(finding, self._color)) + "\n\n")
        for crash in report.crashes:
            self._below.crashes.write(crash_text(crash, self._color) + "\n")
        for undecided, reason in report.undecided():
            told = f"{styled('undecided', 'blue', self._color)}: {escape(undecided)}: {escape(reason)}\n"
            self._below.undecided.write(told)
        for note in () if self._quiet else _notes(report, self._color):
            self._below.notes.write(note)
        for error in self._below.news(report):
            self._below.errors.write("\n".join(_error(error, self._color)) + "\n")

    def end(self) -> None:
        """Write what is left to say."""
        self._below.pour(self._stream)
        if not self._quiet:
            self._stream.write(summary(self._totals) + "\n")


def write(report: Report, stream: TextIO, *, color: bool = False, quiet: bool = False) -> None:
    """Write one report that is a whole run."""
    writer = Writer(stream, color=color, quiet=quiet)
    writer.add(report)
    writer.end()


def as_text(report: Report) -> str:
    """What `tpllint check` prints, for the message of an assertion or an exception."""
    stream = io.StringIO()
    write(report, stream)
    return stream.getvalue().rstrip("\n")


def finding_lines(finding: Finding, color: bool) -> Iterator[str]:
    """All that is told of a finding."""
    head = styled(f"{finding.severity}[{finding.rule}]", COLOURS[finding.severity], color)
    margin = " " * _digits(finding)
    yield f"{head}: {escape(finding.message)}"
    yield f"{margin}{styled('-->', GUTTER, color)} {place(finding.path, finding.span)}{template_words(finding)}"
    yield from excerpt_lines(finding, color)
    for name, told in evidence(finding):
        yield f"{margin} {styled('=', GUTTER, color)} {name}: {told}"


def excerpt_lines(finding: Finding, color: bool) -> Iterator[str]:
    """The code that a finding is about, then the other places with theirs."""
    margin = " " * _digits(finding)
    yield from code_lines(finding.snippet, margin, ("^", COLOURS[finding.severity]), color)
    for related in finding.related:
        yield from _related(related, margin, color)


def evidence(finding: Finding) -> Iterator[tuple[str, str]]:
    """What stands below a finding, by name and ready to be shown."""
    if finding.evidence.conversation:
        yield "conversation", escape(_conversation(finding.evidence))
    if finding.evidence.excerpt is not None:
        yield "prompt", _excerpt(finding.evidence.excerpt)
    if finding.evidence.usual is not None:
        yield "usually", _excerpt(finding.evidence.usual)
    yield "help", escape(finding.help)


def _conversation(evidence: Evidence) -> str:
    """Its name and, where it is made from the one of this name, its messages."""
    name, made = str(evidence.conversation), evidence.input
    if made is None:
        return name
    messages = json.dumps(made["messages"], ensure_ascii=False)
    return f"made from {name}: {messages[:LONGEST]}{f' {CUT}' if len(messages) > LONGEST else ''}"


def _excerpt(text: str) -> str:
    """In quotes, with a backslash doubled: a line end and a written backslash-n must not look the same."""
    return escape(json.dumps(text, ensure_ascii=False))


def place(path: str, span: Span | None) -> str:
    """Where it is, in the form that terminals and editors turn into a link."""
    return f"{escape(path)}:{span.start.line}:{span.start.column}" if span else escape(path)


def template_words(finding: Finding) -> str:
    """Which template it is about, where that is not the only one or the usual one."""
    return "" if finding.template in (None, "default") else f" ({escape(str(finding.template))})"


def _related(related: RelatedPlace, margin: str, color: bool) -> Iterator[str]:
    yield f"{margin}{styled(':::', GUTTER, color)} {place(related.path, related.span)}: {escape(related.message)}"
    yield from code_lines(related.snippet, margin, ("-", GUTTER), color)


def _digits(finding: Finding) -> int:
    """The width of the column of line numbers; two digits are usual."""
    snippets = (finding.snippet, *(related.snippet for related in finding.related))
    return max([2, *(len(str(line.line)) for snippet in snippets if snippet for line in snippet.lines)])


def code_lines(snippet: Snippet | None, margin: str, mark: tuple[str, str], color: bool) -> Iterator[str]:
    """The lines of code with marks below them; `mark` is a character and its colour."""
    if snippet is None:
        return
    character, colour = mark
    bar = styled("|", GUTTER, color)
    yield f"{margin} {bar}"
    for line in snippet.lines:
        number = styled(f"{line.line:>{len(margin)}}", GUTTER, color)
        before, marked, after = _parts(line)
        yield no_command(f"{number} {bar} {before}{marked}{after}".rstrip())
        yield f"{margin} {bar} {' ' * width(before)}{styled(character * max(width(marked), 1), colour, color)}"
    if snippet.last_line > snippet.lines[-1].line:
        yield f"{margin} {bar} {CUT} to line {snippet.last_line}"


def _parts(line: Excerpt) -> tuple[str, str, str]:
    before, marked, after = map(code, (line.before, line.marked, line.after))
    return f"{CUT}{before}" if line.cut_before else before, marked, f"{after}{CUT}" if line.cut_after else after


def _error(error: TargetError, color: bool) -> Iterator[str]:
    yield f"{styled('error', 'red', color)}: {escape(error.message)}"
    yield f"  help: {escape(error.hint)}"


def _notes(report: Report, color: bool) -> Iterator[str]:
    for target in report.targets:
        for note in target.notes:
            yield f"{styled('note', 'blue', color)}: {escape(target.target)}: {escape(note)}\n"


def crash_text(crash: Crash, color: bool) -> str:
    """A rule that raised, or tpllint itself, with its traceback."""
    what = f"rule {crash.rule}" if crash.rule else "tpllint"
    lines = "\n".join("    " + escape(line) for line in crash.traceback.splitlines())
    return f"{styled('defect', 'magenta', color)}: {what} failed on {escape(crash.target)}; please report this:\n{lines}"


def summary(totals: Totals) -> str:
    """The last line."""
    return f"{amounts(totals)} {scope(totals)}"


def amounts(totals: Totals) -> str:
    """How many findings there are."""
    levels = ((totals.errors, Severity.ERROR), (totals.warnings, Severity.WARNING), (totals.infos, Severity.INFO))
    return ", ".join(counted(number, level.value) for number, level in levels if number) or "no findings"


def scope(totals: Totals) -> str:
    """In how much of what they were looked for."""
    tails = ((totals.failed, "could not be checked"), (totals.incomplete, "not fully analysed"))
    tail = "".join(f", {counted(number, 'target')} {what}" for number, what in tails if number)
    hidden = ((totals.suppressed, "suppressed"), (totals.baselined, "in the baseline"))
    besides = ", ".join(f"{number} {what}" for number, what in hidden if number)
    return f"in {counted(totals.templates, 'template')}{f' ({besides})' if besides else ''}{tail}"


def counted(number: int, word: str) -> str:
    """A number of things in words."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def styled(text: str, colour: str, color: bool) -> str:
    """A text in a colour, where colours are wanted."""
    return click.style(text, fg=colour, bold=True) if color else text
