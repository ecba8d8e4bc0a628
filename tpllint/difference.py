"""What tpllint says about two versions of a model's templates: every conversation through both, and a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tpllint.finding import Crash, Finding


class Verdict(StrEnum):
    """What a change of templates amounts to: cosmetic means that the sources differ and no prompt does."""

    IDENTICAL = "identical"
    COSMETIC = "cosmetic"
    BEHAVIOURAL = "behavioural"


class Status(StrEnum):
    """How the two sides treat one conversation."""

    SAME = "same"
    DIFFERENT = "different"
    LEFT_RAISES = "left-raises"
    RIGHT_RAISES = "right-raises"
    BOTH_RAISE = "both-raise"


@dataclass(frozen=True)
class Outcome:
    """What one side makes of a conversation: the prompt in `text`, or why there is none in `error`; never both."""

    text: str | None
    error: str | None


@dataclass(frozen=True)
class Compared:
    """One conversation through the template of the same name on both sides."""

    template: str
    name: str
    add_generation_prompt: bool
    left: Outcome
    right: Outcome

    @property
    def status(self) -> Status:
        """Who renders it, and whether the prompts are equal; refusals are not compared with each other."""
        if self.left.text is None and self.right.text is None:
            return Status.BOTH_RAISE
        if self.left.text is None:
            return Status.LEFT_RAISES
        if self.right.text is None:
            return Status.RIGHT_RAISES
        return Status.SAME if self.left.text == self.right.text else Status.DIFFERENT

    @property
    def changed(self) -> bool:
        """Whether a caller gets something else; a conversation that both sides refuse is no change."""
        return self.status not in (Status.SAME, Status.BOTH_RAISE)

    def as_json(self) -> dict[str, Any]:
        """The conversation in the form of the JSON contract."""
        return {
            "template": self.template,
            "name": self.name,
            "add_generation_prompt": self.add_generation_prompt,
            "status": str(self.status),
            "left": self.left.text,
            "right": self.right.text,
            "left_error": self.left.error,
            "right_error": self.right.error,
        }


@dataclass(frozen=True)
class Diff:
    """How two sides differ.

    `templates_added` and `templates_removed` are the names that only the right or only the left side has. Every template that
    both have is compared in `conversations`. `added` and `removed` are the findings that only the right or only the left side
    has. `anatomy` holds what differs between the descriptions of the two sides, as `differences` gives it, by template.
    """

    left: str
    right: str
    source_changed: bool
    templates_added: tuple[str, ...] = ()
    templates_removed: tuple[str, ...] = ()
    conversations: tuple[Compared, ...] = ()
    added: tuple[Finding, ...] = ()
    removed: tuple[Finding, ...] = ()
    anatomy: Mapping[str, Any] = field(default_factory=dict)
    crashes: tuple[Crash, ...] = ()

    @property
    def changed(self) -> tuple[Compared, ...]:
        """The conversations of which a caller gets something else."""
        return tuple(compared for compared in self.conversations if compared.changed)

    @property
    def verdict(self) -> Verdict:
        """What the change amounts to."""
        if self.templates_added or self.templates_removed or self.changed:
            return Verdict.BEHAVIOURAL
        return Verdict.COSMETIC if self.source_changed else Verdict.IDENTICAL

    def as_json(self) -> dict[str, Any]:
        """The diff in the form of the JSON contract, `tpllint-diff-v1`."""
        return {
            "schema": "tpllint-diff-v1",
            "left": self.left,
            "right": self.right,
            "verdict": str(self.verdict),
            "source_changed": self.source_changed,
            "templates": {"added": list(self.templates_added), "removed": list(self.templates_removed)},
            "conversations": [compared.as_json() for compared in self.conversations],
            "anatomy": dict(self.anatomy),
            "findings": {
                "added": [finding.as_json() for finding in self.added],
                "removed": [finding.as_json() for finding in self.removed],
            },
        }


def differences(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What differs between two descriptions, JSON values by name: for the path of each value, both sides of it.

    A side that has no such value has no entry: `{"roles.tool": {"right": "..."}}` was added.
    """
    if left == right:
        return {}
    from deepdiff import DeepDiff  # loads numpy where that is installed

    found: dict[str, dict[str, Any]] = {}
    for changes in DeepDiff(dict(left), dict(right), view="tree").values():
        for change in changes:
            sides = (("left", change.t1), ("right", change.t2))
            path = ".".join(map(str, change.path(output_format="list")))
            found[path] = {side: value for side, value in sides if not _is_absent(value)}
    return dict(sorted(found.items()))


def _is_absent(value: object) -> bool:
    from deepdiff.helper import NotPresent

    return isinstance(value, NotPresent)
