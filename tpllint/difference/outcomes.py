"""What the two sides make of one conversation."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from tpllint.signatures import steady


class Status(StrEnum):
    """How the two sides treat one conversation."""

    SAME = "same"
    DIFFERENT = "different"
    LEFT_RAISES = "left-raises"
    RIGHT_RAISES = "right-raises"
    BOTH_RAISE = "both-raise"


class Outcome(NamedTuple):
    """What one side makes of a conversation: the prompt in `text`, or why there is none in `error`; never both."""

    text: str | None
    error: str | None


Key: TypeAlias = tuple[str, str, bool]
"""A template, a conversation, and whether a generation prompt was asked for."""
Outcomes: TypeAlias = Mapping[Key, Outcome]


@dataclass(frozen=True)
class Compared:
    """One conversation through the template of the same name on both sides."""

    template: str
    name: str
    add_generation_prompt: bool
    left: Outcome
    right: Outcome

    @property
    def key(self) -> Key:
        """What tells it from the other conversations of a diff."""
        return self.template, self.name, self.add_generation_prompt

    @functools.cached_property
    def status(self) -> Status:
        """Who renders it, and whether the prompts are equal; refusals are not compared with each other."""
        if self.left.text is None and self.right.text is None:
            return Status.BOTH_RAISE
        if self.left.text is None:
            return Status.LEFT_RAISES
        if self.right.text is None:
            return Status.RIGHT_RAISES
        return Status.SAME if steady(self.left.text) == steady(self.right.text) else Status.DIFFERENT

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


def compared(left: Outcomes, right: Outcomes) -> Iterator[Compared]:
    """What both sides were given; a form of content that only one of them needs shows as a failure in the other form."""
    return (Compared(*key, left[key], right[key]) for key in left if key in right)
