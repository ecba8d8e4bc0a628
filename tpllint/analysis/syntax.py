"""The exact syntax tree of a template: nodes as they were written, each with its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError

from tpllint.analysis.environment import ChatEnvironment
from tpllint.analysis.offsets import normalised, raw_tokens
from tpllint.span import Place

_CONTINUED_BY_A_NAME = (".", "is", "|")


class Syntax:
    """A parsed source. `text` is the source as Jinja reads it; all offsets are into it."""

    def __init__(self, environment: ChatEnvironment, source: str, tree: nodes.Template) -> None:
        self.text = normalised(source)
        self.tree = tree
        self.filters = frozenset(environment.filters)
        self.tests = frozenset(environment.tests)
        self.globals = frozenset(environment.globals)
        self._environment = environment
        self._ends: dict[int, int] | None = None

    def find(self, *kinds: str) -> Iterator[Any]:
        """Every node whose class has one of these names (`Filter`, `Getattr`, ...), in source order."""
        found = [node for node in _walk(self.tree) if type(node).__name__ in kinds]
        return iter(sorted(found, key=lambda node: node.lineno))

    def place(self, node: nodes.Node) -> Place:
        """Where a node stands: the token it begins with, and the name after a dot, a pipe or `is`."""
        return self.place_at(node.lineno - 1)

    def place_at(self, offset: int) -> Place:
        """The token at an offset."""
        return Place(offset, self._token_ends().get(offset, offset + 1))

    def _token_ends(self) -> dict[int, int]:
        if self._ends is None:
            self._ends = {}
            opened: int | None = None
            for offset, kind, value in self._tokens():
                self._ends[offset] = offset + len(value)
                if opened is not None and kind == "name":
                    self._ends[opened] = offset + len(value)
                if kind != "whitespace" and not (value == "not" and opened is not None):
                    opened = offset if value in _CONTINUED_BY_A_NAME else None
        return self._ends

    def _tokens(self) -> Iterator[tuple[int, str, str]]:
        try:
            yield from raw_tokens(self._environment.lexer, self.text)
        except TemplateSyntaxError:  # pragma: no cover - the tree exists, so the source has tokens
            return


def _walk(node: nodes.Node) -> Iterator[nodes.Node]:
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(current.iter_child_nodes())
