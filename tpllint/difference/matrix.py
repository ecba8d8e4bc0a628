"""Who renders like whom, of several sides."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from tpllint.difference.diff import Diff, Side, Verdict
from tpllint.difference.outcomes import Key
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

    @functools.cached_property
    def signatures(self) -> tuple[str, ...]:
        """The render signature of each side: equal ones have the same templates and give callers the same."""
        keys = sorted(set(self.sides[0].outcomes).intersection(*(side.outcomes for side in self.sides)))
        return tuple(_signature(side, keys) for side in self.sides)

    @property
    def groups(self) -> tuple[int, ...]:
        """For each side the number of the group that renders like it, in the order of their first members."""
        numbers: dict[str, int] = {}
        return tuple(numbers.setdefault(each, len(numbers)) for each in self.signatures)

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


def _signature(side: Side, keys: list[Key]) -> str:
    texts = (side.outcomes[key].text for key in keys)
    return signature(*sorted(side.sources), *(REFUSED if text is None else steady(text) for text in texts))
