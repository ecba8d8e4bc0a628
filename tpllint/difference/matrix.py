"""Who renders like whom, of several sides."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from tpllint.difference.diff import Diff, Side, Verdict
from tpllint.finding import Crash
from tpllint.signatures import signature, steady

SCHEMA = "tpllint-diff-matrix-v1"
REFUSED = "\0refused"
"""In place of a prompt that there is none of; in which words it is refused is no difference."""


@dataclass(frozen=True)
class Matrix:
    """Several sides that were given the same conversations."""

    sides: tuple[Side, ...]

    @functools.cached_property
    def diffs(self) -> Mapping[tuple[int, int], Diff]:
        """The difference of each two, by their places."""
        return {
            (one, other): Diff(self.sides[one], self.sides[other]) for one, other in combinations(range(len(self.sides)), 2)
        }

    def between(self, one: int, other: int) -> Diff:
        """The difference of two sides, in whatever order."""
        return self.diffs[min(one, other), max(one, other)]

    @property
    def signatures(self) -> tuple[str, ...]:
        """The render signature of each side: that of the first of its group, of all its templates and prompts."""
        own = [_signature(side) for side in self.sides]
        return tuple(own[self.groups.index(group)] for group in self.groups)

    @functools.cached_property
    def groups(self) -> tuple[int, ...]:
        """For each side the number of the group that gives callers the same, in the order of their first members."""
        found: list[int] = []
        for place in range(len(self.sides)):
            alike = (other for other in range(place) if self.between(other, place).verdict is not Verdict.BEHAVIOURAL)
            first = next(alike, None)
            found.append(len(set(found)) if first is None else found[first])
        return tuple(found)

    @property
    def crashes(self) -> tuple[Crash, ...]:
        """The rules that raised on any side."""
        return tuple(crash for side in self.sides for crash in side.crashes)

    @property
    def undecided(self) -> tuple[str, ...]:
        """What was not compared on some side (see `Diff.undecided`)."""
        return tuple(dict.fromkeys(name for side in self.sides for name in side.undecided))

    @property
    def verdict(self) -> Verdict:
        """What lies between those that are furthest apart."""
        verdicts = {diff.verdict for diff in self.diffs.values()}
        return next((each for each in (Verdict.BEHAVIOURAL, Verdict.COSMETIC) if each in verdicts), Verdict.IDENTICAL)

    def as_json(self) -> dict[str, Any]:
        """The matrix in the form of its JSON contract."""
        sides = zip(self.sides, self.groups, self.signatures, strict=True)
        return {
            "schema": SCHEMA,
            "verdict": str(self.verdict),
            "targets": [{"target": side.name, "group": group, "signature": own} for side, group, own in sides],
            "undecided": list(self.undecided),
            "pairs": [
                {
                    "left": diff.left,
                    "right": diff.right,
                    "verdict": str(diff.verdict),
                    "prompts": len(diff.conversations),
                    "differing": len(diff.changed),
                }
                for diff in self.diffs.values()
            ],
            "error": None,
        }


def _signature(side: Side) -> str:
    texts = (side.outcomes[key].text for key in sorted(side.outcomes))
    return signature(*sorted(side.sources), *(REFUSED if text is None else steady(text) for text in texts))
