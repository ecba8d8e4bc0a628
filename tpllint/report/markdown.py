"""Markdown for the discussion of a pull request and the summary of a job: as much as a comment has room for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from tpllint.finding import Crash, Finding, Report, TargetError, Totals
from tpllint.report.escape import shortened
from tpllint.report.markdown_text import cell, code, fenced
from tpllint.report.spool import Below
from tpllint.report.text import counted, crash_text, evidence, excerpt_lines, place, summary, template_words

ROOM = {"findings": 40_000, "defects": 9_000, "errors": 6_000, "undecided": 4_000, "notes": 2_000}
"""In characters; a comment on GitHub has at most 65,536."""
LONGEST = 1000
MOST_LINES, LONGEST_LINE = 40, 200
"""Of a traceback, of which the end tells most."""


class Part:
    """What stands below one title, as far as there is room for it."""

    def __init__(self, title: str, room: int, what: str) -> None:
        """`what` is one of the things that are told, such as `finding`."""
        self._title = title
        self._room = room
        self._what = what
        self._blocks: list[str] = []
        self._left_out = 0

    def add(self, block: str) -> None:
        """Keep it, or else that it was there."""
        size = len(block) + sum(character > "\uffff" for character in block)  # as GitHub and the Hub count
        if size > self._room:
            self._left_out += 1
            return
        self._room -= size
        self._blocks.append(block)

    def text(self) -> str:
        """All of it."""
        title = f"### {self._title}\n\n" if self._title and (self._blocks or self._left_out) else ""
        more = f"There is no room here for {counted(self._left_out, f'further {self._what}')}.\n\n" if self._left_out else ""
        return "".join((title, *self._blocks, more))


class Writer:
    """Keeps what there is room for, and writes it below the line that sums up."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._totals = Totals()
        self._below = Below()
        self._findings = Part("", ROOM["findings"], "finding")
        self._defects = Part("Defects of tpllint", ROOM["defects"], "defect")
        self._errors = Part("Not checked", ROOM["errors"], "error")
        self._undecided = Part("Undecided", ROOM["undecided"], "target")
        self._notes = Part("Notes", ROOM["notes"], "note")

    def add(self, report: Report) -> None:
        """Keep a report."""
        self._totals = self._totals.plus(report.totals)
        for finding in report.findings:
            self._findings.add("".join(f"{block}\n" for block in finding_blocks(finding)))
        for crash in report.crashes:
            self._defects.add(crash_block(crash))
        for error in self._below.news(report):
            self._errors.add(_error(error))
        for target, reason in report.undecided():
            self._undecided.add(_about(target, reason))
        for result in report.targets:
            for note in result.notes:
                self._notes.add(_about(result.target, note))

    def end(self) -> None:
        """Write it."""
        parts = (self._findings, self._defects, self._errors, self._undecided, self._notes)
        verdict = f"**tpllint: {cell(summary(self._totals))}**\n\n"
        self._stream.write("".join((verdict, *(part.text() for part in parts))).rstrip("\n") + "\n")


def write(report: Report, stream: TextIO) -> None:
    """Write one report that is a whole run."""
    writer = Writer(stream)
    writer.add(report)
    writer.end()


def finding_blocks(finding: Finding) -> Iterator[str]:
    """A finding with the code that it is about, as blocks of Markdown."""
    lines = list(excerpt_lines(finding, color=False))
    where = code(f"{place(finding.path, finding.span)}{template_words(finding)}", LONGEST)
    yield f"#### {finding.severity}: {code(finding.rule)}\n"
    yield f"{code(finding.message, LONGEST)}\n"
    yield f"In {where}{':' if lines else ''}\n"
    if lines:
        yield fenced("text", lines)
    yield "".join(f"- {name}: {code(told, LONGEST)}\n" for name, told in evidence(finding))


def crash_block(crash: Crash) -> str:
    """What a rule that raised left behind."""
    head, *traceback = crash_text(crash, color=False).split("\n")
    return fenced("text", (shortened(line, LONGEST_LINE) for line in (head, *traceback[-MOST_LINES:]))) + "\n"


def _error(error: TargetError) -> str:
    return f"- {code(error.message, LONGEST)}\n  - help: {code(error.hint, LONGEST)}\n\n"


def _about(target: str, told: str) -> str:
    return f"- {code(target, LONGEST)}: {code(told, LONGEST)}\n"
