"""What a person is shown of a change: a conversation, the code behind each passage, and the tokens of each turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from tpllint.difference.examples import Example
from tpllint.job import Origin
from tpllint.snippet import Snippet
from tpllint.span import Span


class Code(NamedTuple):
    """A place in a file that wrote something."""

    path: str
    span: Span
    snippet: Snippet | None

    def as_json(self) -> dict[str, Any]:
        """The place in the form of the JSON contract."""
        start, end = self.span.start, self.span.end
        return {
            "path": self.path,
            "line": start.line,
            "column": start.column,
            "end_line": end.line,
            "end_column": end.column,
        }


class Turn(NamedTuple):
    """How many tokens a prompt spends on a message, its markers included; `role` None is what belongs to no message."""

    role: str | None
    tokens: int


class Traced(NamedTuple):
    """One side of an example.

    `origins` tell whose each part of the prompt is, `roles` whose each message is, `codes` what wrote the words of each
    passage, or what stands before them where this side has none. `turns` are None where no tokenizer is at hand.
    """

    origins: tuple[Origin, ...]
    roles: tuple[str, ...]
    codes: tuple[Code | None, ...]
    turns: tuple[Turn, ...] | None = None


@dataclass(frozen=True)
class Shown:
    """An example and what is known of both its sides; None for one that raises."""

    example: Example
    left: Traced | None
    right: Traced | None

    def as_json(self) -> dict[str, Any]:
        """The change in the form of the JSON contract; offsets are into the prompts themselves, also where they are aligned."""
        compared = self.example.compared
        return {
            "template": compared.template,
            "name": compared.name,
            "add_generation_prompt": compared.add_generation_prompt,
            "alike": self.example.alike,
            "aligned": self.example.is_aligned,
            "passages": [self._passage(index) for index in range(len(self.example.passages))],
            "tokens": {"left": _turns(self.left), "right": _turns(self.right)},
        }

    def _passage(self, index: int) -> dict[str, Any]:
        found, passage = self.example, self.example.passages[index]
        return {
            "left": _words(found.compared.left.text, found.left.in_prompt(passage.left), self.left, index),
            "right": _words(found.compared.right.text, found.right.in_prompt(passage.right), self.right, index),
        }


def _words(prompt: str | None, span: tuple[int, int], traced: Traced | None, index: int) -> dict[str, Any]:
    code = traced.codes[index] if traced else None
    text = (prompt or "")[slice(*span)]
    return {"start": span[0], "end": span[1], "text": text, "code": None if code is None else code.as_json()}


def _turns(traced: Traced | None) -> list[dict[str, Any]] | None:
    return None if traced is None or traced.turns is None else [turn._asdict() for turn in traced.turns]
