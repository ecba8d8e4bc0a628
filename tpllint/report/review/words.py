"""What a review found, in words: the same in every report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tpllint.difference.review import Capability, Review
from tpllint.finding import Finding
from tpllint.report.difference.words import summary
from tpllint.report.text import counted
from tpllint.severity import Severity

UNDECIDED = "undecided"
MERGED = "merged"


def verdict(review: Review) -> str:
    """The first word."""
    return UNDECIDED if review.verdict is None else str(review.verdict)


def basis(review: Review) -> str:
    """What the verdict rests on, or why there is none."""
    if review.diff is not None:
        return summary(review.diff)
    return review.undecided.message if review.undecided else ""


def findings_words(review: Review) -> str:
    """How many findings come and go."""
    added, removed = _levels(review.added) or "no findings", counted(len(review.removed), "finding")
    kept = f", {review.kept} as before" if review.kept else ""
    return f"{added} added, {removed} removed{kept}"


def _levels(findings: Iterable[Finding]) -> str:
    levels = [finding.severity for finding in findings]
    return ", ".join(counted(levels.count(level), level.value) for level in reversed(Severity) if level in levels)


def capabilities(review: Review) -> Iterator[tuple[str, str]]:
    """What is won and what is lost, as a word and what follows it; nothing where nothing is."""
    several = review.diff is not None and len(review.diff.structures) > 1
    for word, told in (("won", review.won), ("lost", review.lost)):
        if told:
            yield word, ", ".join(_named(capability, several) for capability in told)


def _named(capability: Capability, several: bool) -> str:
    return f"{capability.name} ({capability.template})" if several else capability.name


def notes(review: Review) -> Iterator[str]:
    """What is to be known of the pull request before the rest is believed."""
    if review.proposal is None:
        return
    if review.proposal.status == MERGED:
        yield "it is merged: what its branch has of it already is on both sides, and shows no difference"
    if not review.proposal.is_exact:
        yield "where it branched off was not found: the left side is the last commit of its branch"
