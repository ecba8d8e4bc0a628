"""What tpllint says about a change of a model that somebody proposes: both sides checked, and what differs between them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from tpllint.difference.diff import Diff, Verdict, unsaid
from tpllint.errors import RepairableError
from tpllint.finding import Crash, Finding, Report, TargetError
from tpllint.severity import Severity

SCHEMA = "tpllint-review-v1"
NOTHING_TO_COMPARE = "no-chat-template"


class Proposal(NamedTuple):
    """The pull request that is reviewed; its title is a stranger's, its status the Hub's: open, draft, closed or merged.

    `is_exact` tells whether it is held against where it branched off: else that was not found, and it is held against the last
    commit of its branch.
    """

    repository: str
    number: int
    title: str
    status: str
    is_exact: bool = True


class Capability(NamedTuple):
    """Something that a template can do, by the words of `--expect`."""

    template: str
    name: str


@dataclass(frozen=True)
class Review:
    """Two sides of a model: `before` and `after` are what a check says of each, `diff` how they differ.

    Where they could not be compared, `diff` is None and `undecided` tells why.
    """

    left: str
    right: str
    before: Report
    after: Report
    diff: Diff | None
    undecided: TargetError | None = None
    proposal: Proposal | None = None

    @property
    def verdict(self) -> Verdict | None:
        """What the change amounts to; None where that could not be found out."""
        return None if self.diff is None else self.diff.verdict

    @functools.cached_property
    def added(self) -> tuple[Finding, ...]:
        """The findings that only the right side has, the worst first."""
        return _worst_first(unsaid(self.after.findings, self.before.findings))

    @functools.cached_property
    def removed(self) -> tuple[Finding, ...]:
        """The findings that only the left side has, the worst first."""
        return _worst_first(unsaid(self.before.findings, self.after.findings))

    @property
    def kept(self) -> int:
        """How many findings both sides have."""
        return len(self.after.findings) - len(self.added)

    @functools.cached_property
    def won(self) -> tuple[Capability, ...]:
        """What only the right side can do."""
        return tuple(self._capabilities(from_=False, to=True))

    @functools.cached_property
    def lost(self) -> tuple[Capability, ...]:
        """What only the left side can do."""
        return tuple(self._capabilities(from_=True, to=False))

    @property
    def crashes(self) -> tuple[Crash, ...]:
        """The rules that raised on either side."""
        return self.before.crashes + self.after.crashes

    @property
    def could_not_compare(self) -> bool:
        """Whether something kept the sides from being compared; that neither has a template does not."""
        return self.undecided is not None and self.undecided.kind != NOTHING_TO_COMPARE

    def adds(self, level: Severity) -> bool:
        """Whether the right side adds a finding at this level or above."""
        return any(finding.severity.rank >= level.rank for finding in self.added)

    def _capabilities(self, *, from_: bool, to: bool) -> Iterator[Capability]:
        """What is known to have been so and is known to be otherwise now, in the templates of both sides."""
        if self.diff is None:
            return
        for name in self.diff.structures:
            left, right = (
                side.descriptions.get(name, {}).get("capabilities", {}) for side in (self.diff.before, self.diff.after)
            )
            for capability in left:
                if left[capability] is from_ and right.get(capability) is to:
                    yield Capability(name, capability)

    def as_json(self) -> dict[str, Any]:
        """The review in the form of the JSON contract, `tpllint-review-v1`."""
        compared = self.diff.as_json() if self.diff else {}
        return {
            "schema": SCHEMA,
            "left": self.left,
            "right": self.right,
            "pull_request": self.proposal._asdict() if self.proposal else None,
            "verdict": compared.get("verdict"),
            "error": self.undecided._asdict() if self.undecided else None,
            "fully_analysed": {side: _whole(report) for side, report in (("left", self.before), ("right", self.after))},
            "findings": {
                "added": [finding.as_json() for finding in self.added],
                "removed": [finding.as_json() for finding in self.removed],
                "kept": self.kept,
            },
            "capabilities": {
                "won": [capability._asdict() for capability in self.won],
                "lost": [capability._asdict() for capability in self.lost],
            },
            "source_changed": compared.get("source_changed"),
            "templates": compared.get("templates"),
            "conversations": compared.get("conversations", []),
            "undecided": compared.get("undecided", []),
            "examples": compared.get("examples", []),
            "anatomy": compared.get("anatomy", {}),
            "crashes": [crash._asdict() for crash in self.crashes],
        }


def _worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: -finding.severity.rank))


def _whole(report: Report) -> bool:
    return all(result.fully_analysed for result in report.targets)


def told(error: RepairableError) -> TargetError:
    """Why two sides could not be compared, as a review keeps it."""
    return TargetError(error.kind, error.message, error.hint)
