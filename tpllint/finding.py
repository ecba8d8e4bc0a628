"""What tpllint says: findings with a place and evidence, and the reports they are gathered in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from operator import add
from typing import Any, NamedTuple, TypeVar

from tpllint.rule import Fix, RuleInfo
from tpllint.severity import Severity
from tpllint.snippet import Snippet
from tpllint.span import Span

INCOMPLETE = "not fully analysed, so there may be more to find"


class Evidence(NamedTuple):
    """What a person can look at: the conversation that shows the problem and the part of its prompt that matters.

    `usual` is the same part of a prompt without the problem, where the two are held against each other.
    `input` is what a conversation file has to hold, where the conversation is made from the one that is named, and None where
    it is that one.
    """

    conversation: str | None = None
    excerpt: str | None = None
    engine: str = "transformers"
    usual: str | None = None
    input: Mapping[str, Any] | None = None

    def __hash__(self) -> int:
        return hash((self.conversation, self.excerpt, self.engine, self.usual))


class RelatedPlace(NamedTuple):
    """Another place that a finding is about, and what stands there."""

    path: str
    span: Span
    message: str
    snippet: Snippet | None = None

    def as_json(self) -> dict[str, Any]:
        """The place in the form of the JSON contract."""
        start = self.span.start
        return {"path": self.path, "line": start.line, "column": start.column, "message": self.message}


class Finding(NamedTuple):
    """One defect of one target.

    `span` is None where there is no place, such as a missing file; `snippet` where there is nothing to look at. `fix` is what
    the rule offers to repair it; the edits of a rewrite are of the source that is stored.
    """

    code: str
    rule: str
    category: str
    severity: Severity
    message: str
    help: str
    target: str
    template: str | None
    path: str
    span: Span | None
    evidence: Evidence
    related: tuple[RelatedPlace, ...] = ()
    repetition: int = 0
    snippet: Snippet | None = None
    fix: Fix | None = None

    @property
    def fingerprint(self) -> str:
        """Stays the same when lines move: rule, template, file, message and which of several alike, not the place."""
        import hashlib  # loads OpenSSL, which takes longer than most of a run

        parts = (self.rule, self.template or "", self.path, self.message, *([str(self.repetition)] if self.repetition else []))
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """The finding in the form of the JSON contract."""
        span = self.span
        return {
            "code": self.code,
            "rule": self.rule,
            "category": self.category,
            "severity": str(self.severity),
            "message": self.message,
            "help": self.help,
            "target": self.target,
            "template": self.template,
            "path": self.path,
            "line": span.start.line if span else None,
            "column": span.start.column if span else None,
            "end_line": span.end.line if span else None,
            "end_column": span.end.column if span else None,
            "related": [related.as_json() for related in self.related],
            "fingerprint": self.fingerprint,
            "evidence": {
                "conversation": self.evidence.conversation,
                "engine": self.evidence.engine,
                "excerpt": self.evidence.excerpt,
                "usual": self.evidence.usual,
                "input": self.evidence.input,
            },
            "fixable": self.fix is not None,
            "url": f"docs/rules/{self.rule}.md",
        }


class Skipped(NamedTuple):
    """A rule that could not be decided on a target, and why; `alone` where the reason is of this rule only."""

    rule: str
    target: str
    reason: str
    alone: bool = False

    def as_json(self) -> dict[str, str]:
        """The rule in the form of the JSON contract."""
        return {"rule": self.rule, "target": self.target, "reason": self.reason}


class TargetError(NamedTuple):
    """Why a target could not be examined at all."""

    kind: str
    message: str
    hint: str


class TargetResult(NamedTuple):
    """One argument of the command line: the templates found in it, or why there are none.

    `suppressed` is how many findings comments in the templates cover, `baselined` how many a baseline does. `note` tells what
    was read where that is not plain.
    """

    target: str
    templates: tuple[str, ...] = ()
    fully_analysed: bool = True
    error: TargetError | None = None
    suppressed: int = 0
    note: str | None = None
    baselined: int = 0

    @property
    def is_incomplete(self) -> bool:
        """Whether it was examined, but not whole."""
        return not (self.fully_analysed or self.error)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know of how it was examined."""
        notes = (self.note, INCOMPLETE if self.is_incomplete else None)
        return tuple(note for note in notes if note)


class Crash(NamedTuple):
    """A rule that raised: a defect of tpllint or of a rule pack, reported with its traceback."""

    rule: str
    target: str
    traceback: str


_Told = TypeVar("_Told", Finding, Skipped, Crash)


class Totals(NamedTuple):
    """How much there is of everything in one report or in many.

    `templates` are those that were checked, `failed` the targets that could not be had, `incomplete` those not fully analysed.
    """

    errors: int = 0
    warnings: int = 0
    infos: int = 0
    suppressed: int = 0
    templates: int = 0
    failed: int = 0
    incomplete: int = 0
    baselined: int = 0

    def plus(self, other: Totals) -> Totals:
        """Both together."""
        return Totals(*map(add, self, other))


class Report(NamedTuple):
    """Everything one run of `check` has to say; `rules` are those that ran."""

    targets: tuple[TargetResult, ...]
    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...] = ()
    crashes: tuple[Crash, ...] = ()
    rules: tuple[RuleInfo, ...] = ()

    @property
    def suppressed(self) -> int:
        """How many findings comments in the templates cover."""
        return sum(result.suppressed for result in self.targets)

    @property
    def totals(self) -> Totals:
        """What the last line of a report counts."""
        return Totals(
            errors=self.count(Severity.ERROR),
            warnings=self.count(Severity.WARNING),
            infos=self.count(Severity.INFO),
            suppressed=self.suppressed,
            templates=sum(len(result.templates) for result in self.targets if not result.error),
            failed=sum(result.error is not None for result in self.targets),
            incomplete=sum(result.is_incomplete for result in self.targets),
            baselined=sum(result.baselined for result in self.targets),
        )

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that are errors."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)

    @property
    def passed(self) -> bool:
        """Whether there is no error, every target could be examined whole, and no rule raised."""
        examined = all(result.error is None and result.fully_analysed for result in self.targets)
        return examined and not self.errors and not self.crashes

    def count(self, severity: Severity) -> int:
        """How many findings have this severity."""
        return sum(finding.severity is severity for finding in self.findings)

    def undecided(self) -> tuple[tuple[str, str], ...]:
        """The targets on which rules had no verdict, each with the reason.

        One that all rules share is told where nothing was found, one of a single rule where it has more to say than an info.
        """
        told = {finding.target for finding in self.findings}
        infos = {rule.name for rule in self.rules if rule.severity is Severity.INFO}
        skipped = (one for one in self.skipped if (one.rule not in infos if one.alone else one.target not in told))
        reasons = ((one.target, f"{one.rule} has no verdict: {one.reason}" if one.alone else one.reason) for one in skipped)
        return tuple(dict.fromkeys(reasons))

    def by_target(self) -> Iterator[Report]:
        """The report of each target alone."""
        findings, skipped, crashes = _by_target(self.findings), _by_target(self.skipped), _by_target(self.crashes)
        for result in self.targets:
            name = result.target
            yield Report((result,), findings[name], skipped[name], crashes[name], rules=self.rules)


def joined(reports: Iterable[Report]) -> Report:
    """Reports about different targets as one."""
    parts = list(reports)
    return Report(
        tuple(result for part in parts for result in part.targets),
        tuple(finding for part in parts for finding in part.findings),
        tuple(skipped for part in parts for skipped in part.skipped),
        tuple(crash for part in parts for crash in part.crashes),
        parts[0].rules if parts else (),
    )


def _by_target(told: Iterable[_Told]) -> Mapping[str, tuple[_Told, ...]]:
    gathered: dict[str, list[_Told]] = defaultdict(list)
    for one in told:
        gathered[one.target].append(one)
    return defaultdict(tuple, {target: tuple(those) for target, those in gathered.items()})
