"""SARIF 2.1.0, the format of code scanning: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO
from urllib.parse import quote

import tpllint
from tpllint.finding import Crash, Finding, RelatedPlace, Report, TargetResult
from tpllint.report.escape import code as shown_line
from tpllint.report.escape import escape
from tpllint.report.markdown_text import code, fenced
from tpllint.report.spool import HOLE, Elements, write_document
from tpllint.report.text import CUT, counted
from tpllint.rule import RuleInfo
from tpllint.severity import Severity
from tpllint.span import Span

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
FINGERPRINTS = ("primaryLocationLineHash", "tpllint/v1")
"""Code scanning reads the first name only. What its upload action would put there is a hash of the line's beginning, which
all findings in a template inside JSON share."""
SECURITY = "security"
SCORES = {Severity.ERROR: "8.0", Severity.WARNING: "5.0", Severity.INFO: "2.0"}
"""What code scanning calls high, medium and low: https://docs.github.com/en/code-security/code-scanning/\
integrating-with-code-scanning/sarif-support-for-code-scanning#reportingdescriptor-object."""
PROBLEMS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "recommendation"}
LONGEST_DESCRIPTION = 1024
MOST_RESULTS = 25_000
"""Code scanning refuses a log with more."""

ON_THE_HUB = re.compile(r"(?P<repository>[^/:@]+(?:/[^/:@]+)?)@(?P<commit>[0-9a-f]{40}):(?P<name>.+)", re.DOTALL)
WHAT_IT_DOES = re.compile(r"^## What it does\n+(.+?)(?=\n+^## |\Z)", re.DOTALL | re.MULTILINE)


class Writer:
    """Gathers reports on disk and writes one log of one run at the end: what failed stands in it before what was found."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rules: dict[str, RuleInfo] = {}
        self._successful = True
        self._results = Elements(depth=4)
        self._kept = self._left_out = 0
        self._notifications = Elements(depth=6)

    def add(self, report: Report) -> None:
        """Keep a report."""
        self._rules |= {rule.code: rule for rule in report.rules}
        self._successful &= not (report.crashes or any(result.error for result in report.targets))
        index = {code: number for number, code in enumerate(self._rules)}
        kept = report.findings[: MOST_RESULTS - self._kept]
        self._kept += len(kept)
        self._left_out += len(report.findings) - len(kept)
        for finding in kept:
            self._results.add(_result(finding, index))
        for notification in _notifications(report):
            self._notifications.add(notification)

    def end(self) -> None:
        """Write the log."""
        if self._left_out:
            self._notifications.add(_left_out(self._left_out))
        log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(list(self._rules.values()), self._successful)]}
        arrays = {"results": self._results, "toolExecutionNotifications": self._notifications}
        write_document(log, arrays, self._stream)


def write(report: Report, stream: TextIO) -> None:
    """Write one report that is a whole run."""
    writer = Writer(stream)
    writer.add(report)
    writer.end()


def _run(rules: Sequence[RuleInfo], successful: bool) -> dict[str, Any]:
    return {
        "tool": {
            "driver": {
                "name": "tpllint",
                "version": tpllint.__version__,
                "semanticVersion": tpllint.__version__,
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": successful, "toolExecutionNotifications": HOLE}],
        "results": HOLE,
    }


def _rule(rule: RuleInfo) -> dict[str, Any]:
    about = WHAT_IT_DOES.search(rule.documentation)
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": _cut(rule.summary)},
        "fullDescription": {"text": _cut(" ".join(about[1].split()) if about else rule.summary)},
        "help": {"text": rule.documentation or rule.summary, "markdown": _help(rule)},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": {"category": rule.category, **_rank(rule)},
    }


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_DESCRIPTION else text[: LONGEST_DESCRIPTION - len(CUT)] + CUT


def _help(rule: RuleInfo) -> str:
    """The documentation with an example and its repair before the references."""
    before, heading, references = (rule.documentation or rule.summary).partition("## References")
    examples = "".join(_example(title, files) for title, files in (("Example", rule.example), ("Use instead", rule.better)))
    return f"{before}{examples}{heading}{references}" if examples else rule.documentation or rule.summary


def _example(title: str, files: Mapping[str, str]) -> str:
    if not files or any("\0" in text for text in files.values()):  # a GGUF file is nothing to read
        return ""
    shown = (f"{code(name)}\n\n{_fenced(text)}\n" for name, text in files.items())
    return f"## {title}\n\n{''.join(shown)}"


def _fenced(text: str) -> str:
    return fenced("text", map(shown_line, text.split("\n")))


def _rank(rule: RuleInfo) -> dict[str, Any]:
    """How code scanning sorts what a rule finds: a score makes it a security alert."""
    if rule.category == SECURITY:
        return {"tags": [SECURITY], "security-severity": SCORES[rule.severity]}
    return {"tags": [rule.category], "problem.severity": PROBLEMS[rule.severity]}


def _result(finding: Finding, index: Mapping[str, int]) -> dict[str, Any]:
    related = [_related(place, number) for number, place in enumerate(finding.related, start=1)]
    return {
        "ruleId": finding.code,
        **({"ruleIndex": index[finding.code]} if finding.code in index else {}),
        "level": LEVELS[finding.severity],
        "message": _message(f"{escape(finding.message)}\nhelp: {escape(finding.help)}"),
        "locations": [_location(finding.path, finding.span)],
        **({"relatedLocations": related} if related else {}),
        "partialFingerprints": dict.fromkeys(FINGERPRINTS, finding.fingerprint),
        "properties": {
            "target": finding.target,
            "template": finding.template,
            "conversation": finding.evidence.conversation,
            "excerpt": finding.evidence.excerpt,
            "usual": finding.evidence.usual,
            "input": finding.evidence.input,
        },
    }


def _related(related: RelatedPlace, number: int) -> dict[str, Any]:
    return {"id": number, **_location(related.path, related.span), "message": _message(escape(related.message))}


def _location(path: str, span: Span | None) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(path)}}
    if span is not None:
        place["region"] = {
            "startLine": span.start.line,
            "startColumn": span.start.column,
            "endLine": span.end.line,
            "endColumn": span.end.column,
        }
    return {"physicalLocation": place}


def _uri(path: str) -> str:
    """A path as a URI: relative as it is, a file on the Hub in huggingface_hub's own form."""
    hosted = ON_THE_HUB.fullmatch(path)
    if hosted:
        return f"hf://{hosted['repository']}@{hosted['commit']}/{_quoted(hosted['name'])}"
    return f"file://{_quoted(path)}" if path.startswith("/") else _quoted(path)


def _quoted(path: str) -> str:
    try:
        return quote(path.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # surrogates that stand for no byte of a file's name
        return quote(path.encode("utf-8", "surrogatepass"))


def _message(text: str) -> dict[str, str]:
    """Plain text: a brace would begin a placeholder (3.11.5), and brackets before a parenthesis would be a link (3.11.6)."""
    return {"text": text.replace("{", "{{").replace("}", "}}").replace("](", "\\](")}


def _notifications(report: Report) -> Iterator[dict[str, Any]]:
    for crash in report.crashes:
        yield _defect(crash)
    for target, reason in report.undecided():
        yield _note(target, f"undecided: {escape(target)}: {escape(reason)}")
    for result in report.targets:
        for note in result.notes:
            yield _note(result.target, f"{escape(result.target)}: {escape(note)}")
        if result.error:
            yield _failure(result)


def _note(target: str, told: str) -> dict[str, Any]:
    return {"level": "note", "message": _message(told), "properties": {"target": target}}


def _left_out(number: int) -> dict[str, Any]:
    return {
        "level": "warning",
        "message": _message(f"{counted(number, 'further finding')} left out: {MOST_RESULTS} fit into a log"),
    }


def _defect(crash: Crash) -> dict[str, Any]:
    what = f"rule {crash.rule}" if crash.rule else "tpllint"
    message = f"{escape(what)} failed on {escape(crash.target)}; please report this"
    return {
        "level": "error",
        "message": _message(message),
        "properties": {"target": crash.target, "rule": crash.rule, "traceback": crash.traceback},
    }


def _failure(result: TargetResult) -> dict[str, Any]:
    assert result.error is not None
    message = f"{escape(result.error.message)}\nhelp: {escape(result.error.hint)}"
    return {"level": "error", "message": _message(message), "properties": {"target": result.target, "kind": result.error.kind}}
