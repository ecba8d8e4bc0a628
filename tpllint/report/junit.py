"""JUnit XML, which CI servers show as results of tests; the form is the one that Jenkins checks (junit-10.xsd)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from operator import add
from typing import NamedTuple, TextIO
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from tpllint.finding import Crash, Finding, Report, TargetError, TargetResult
from tpllint.report.escape import escape
from tpllint.report.spool import Spool
from tpllint.report.text import crash_text, finding_lines
from tpllint.severity import Severity

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
FAILING = (Severity.ERROR, Severity.WARNING)
"""Findings of these levels are failures; information is a test that passed and says something."""
PASSED = "no findings"


class Counts(NamedTuple):
    """How many tests there are, and what became of them."""

    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: int = 0

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(*map(add, self, other))


class Writer:
    """Gathers a suite per target on disk; how many tests there are in all stands before the first one."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._suites = Spool()
        self._counts = Counts()

    def add(self, report: Report) -> None:
        """Keep a report."""
        for one in report.by_target():
            suite, counts = _suite(one)
            self._counts = self._counts.plus(counts)
            self._suites.write(_written(suite))

    def end(self) -> None:
        """Write the document."""
        counts = self._counts
        told = f'tests="{counts.tests}" failures="{counts.failures}" errors="{counts.errors}"'
        self._stream.write(f'{DECLARATION}<testsuites name="tpllint" {told}>\n')
        self._suites.pour(self._stream)
        self._stream.write("</testsuites>\n")


def write(report: Report, stream: TextIO) -> None:
    """Write one report that is a whole run."""
    writer = Writer(stream)
    writer.add(report)
    writer.end()


def _suite(report: Report) -> tuple[Element, Counts]:
    """The tests of one target."""
    (result,) = report.targets
    cases = list(_cases(report, result)) or [_case(result.target, PASSED)]
    counts = _counted(cases)
    suite = Element(
        "testsuite", {"name": escape(result.target), **{key: str(count) for key, count in counts._asdict().items()}}
    )
    suite.extend(cases)
    if result.notes:
        SubElement(suite, "system-out").text = "\n".join(f"note: {escape(note)}" for note in result.notes)
    return suite, counts


def _counted(cases: Iterable[Element]) -> Counts:
    outcomes = Counter(part.tag for case in cases for part in (case, *case))
    return Counts(*(outcomes[tag] for tag in ("testcase", "failure", "error", "skipped")))


def _cases(report: Report, result: TargetResult) -> Iterator[Element]:
    yield from _findings(report.findings)
    for crash in report.crashes:
        yield _crash(crash)
    for target, reason in report.undecided():
        yield _case(target, "undecided", _outcome("skipped", "undecided", reason))
    if result.error:
        yield _error(result.target, result.error)


def _findings(findings: Iterable[Finding]) -> Iterator[Element]:
    """Tests of one file that have the same name are numbered: some servers show only one of them."""
    seen: Counter[tuple[str, str]] = Counter()
    for finding in findings:
        key = finding.path, finding.rule
        seen[key] += 1
        name = finding.rule if seen[key] == 1 else f"{finding.rule} ({seen[key]})"
        yield _case(finding.path, name, _told(finding))


def _told(finding: Finding) -> Element:
    text = "\n".join(finding_lines(finding, color=False))
    if finding.severity in FAILING:
        return _outcome("failure", finding.severity, finding.message, text)
    output = Element("system-out")
    output.text = text
    return output


def _crash(crash: Crash) -> Element:
    what = f"rule {crash.rule}" if crash.rule else "tpllint"
    message = f"{what} failed; please report this"
    return _case(crash.target, crash.rule or "tpllint", _outcome("error", "defect", message, crash_text(crash, False)))


def _error(target: str, error: TargetError) -> Element:
    return _case(target, "could not be checked", _outcome("error", error.kind, error.message, f"help: {escape(error.hint)}"))


def _case(where: str, name: str, outcome: Element | None = None) -> Element:
    """A test; without an outcome it passed."""
    case = Element("testcase", classname=escape(where), name=escape(name))
    if outcome is not None:
        case.append(outcome)
    return case


def _outcome(tag: str, kind: str, message: str, text: str | None = None) -> Element:
    """What became of a test; `text` is escaped already and may have several lines."""
    outcome = Element(tag, type=escape(kind), message=escape(message))
    outcome.text = text
    return outcome


def _written(suite: Element) -> str:
    indent(suite, " ", level=1)
    written: bytes = tostring(suite, encoding="us-ascii")
    return f" {written.decode('ascii').rstrip()}\n"
