"""The exact syntax tree of a template: nodes as they were written, each with its place."""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from jinja2 import nodes

from tpllint.analysis.environment import ChatEnvironment
from tpllint.analysis.offsets import normalised
from tpllint.analysis.tags import Tag, tags
from tpllint.span import Place

_CONTINUED_BY_A_NAME = (".", "is", "|")
_NUMBERED_BY_END = (nodes.Compare, nodes.Operand)
"""Nodes whose number in Jinja's parser is that of the token after them, or none."""
_NUMBERED_INSIDE = ("Call", "Filter", "Concat", "Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow")
_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")


class Syntax:
    """A parsed source. `text` is the source as Jinja reads it; all offsets are into it.

    `tokens` are the offset, kind and text of every token, blanks and comments too.
    """

    def __init__(self, environment: ChatEnvironment, source: str, tree: nodes.Template) -> None:
        """Of the source that this environment has just parsed."""
        self.text = normalised(source)
        self.tree = tree
        self.tokens = environment.tokens
        self.filters = frozenset(environment.filters)
        self.tests = frozenset(environment.tests)
        self.globals = frozenset(environment.globals)

    def find(self, *kinds: str) -> Iterator[Any]:
        """Every node whose class has one of these names (`Filter`, `Getattr`, ...), in source order."""
        found = [node for kind in kinds for node in self._by_kind.get(kind, ())]
        return iter(sorted(found, key=lambda node: node.lineno) if len(kinds) > 1 else found)

    def place(self, node: nodes.Node) -> Place:
        """Where a node stands: the token it begins with, and the name after a dot, a pipe or `is`."""
        place = self.place_at(node.lineno - 1)
        if not isinstance(node, nodes.NSRef):
            return place
        behind = bisect_left(self.tokens, (place.end,))
        dot = next(at for at, _, text in self.tokens[behind : behind + 2] if text == ".")
        return Place(place.start, self.place_at(dot).end)

    def code_at(self, offset: int) -> Place:
        """The expression that Jinja numbers with the offset of its bracket or operator, whole; else the token there."""
        numbered = [self.expression(node) for node in self.find(*_NUMBERED_INSIDE) if node.lineno - 1 == offset]
        return max(numbered, key=lambda place: place.end - place.start, default=self.place_at(offset))

    def mention(self, name: str, offset: int) -> Place | None:
        """The variable or attribute of this name that is nearest to an offset, in the same pair of braces."""
        named = [node for node in self.find("Name", "Getattr", "Getitem") if _name_of(node) == name]
        nearest = min(named, key=lambda node: abs(node.lineno - 1 - offset), default=None)
        if nearest is None:
            return None
        between = self.text[min(nearest.lineno - 1, offset) : max(nearest.lineno - 1, offset)]
        return None if "}}" in between or "%}" in between else self.expression(nearest)

    def place_at(self, offset: int) -> Place:
        """The token at an offset."""
        return Place(offset, self._token_ends.get(offset, offset + 1))

    def expression(self, node: nodes.Node) -> Place:
        """The whole of an expression, from its first token to its last, brackets closed."""
        offsets = [
            child.lineno - 1 for child in walk(node) if child.lineno is not None and not isinstance(child, _NUMBERED_BY_END)
        ]
        start, end = min(offsets), max(self._token_ends.get(offset, offset + 1) for offset in offsets)
        first, last = bisect_left(self.tokens, (start,)), bisect_left(self.tokens, (end,))
        inside = list(accumulate(_depth(token) for token in self.tokens[first:last]))
        while inside and min(inside) < 0 and first > 0:
            first -= 1
            inside = [depth + _depth(self.tokens[first]) for depth in (0, *inside)]
        depth = inside[-1] if inside else 0
        while depth > 0 and last < len(self.tokens):
            depth += _depth(self.tokens[last])
            last += 1
        final, _, text = self.tokens[last - 1]
        return Place(self.tokens[first][0], final + len(text))

    def body_of(self, offset: int) -> Place:
        """The body that the tag around an offset opens."""
        return next(tag.body for tag in self._tags if tag.place.start <= offset < tag.place.end)

    def else_of(self, offset: int) -> Place:
        """The body of the `{% else %}` that belongs to the statement whose first tag is around an offset."""
        first = next(tag.chain for tag in self._tags if tag.place.start <= offset < tag.place.end)
        return next(tag.body for tag in self._tags if tag.chain == first and tag.keyword == "else")

    @functools.cached_property
    def _by_kind(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for node in walk(self.tree):
            found.setdefault(type(node).__name__, []).append(node)
        for nodes_of_kind in found.values():
            nodes_of_kind.sort(key=lambda node: node.lineno or 0)
        return found

    @functools.cached_property
    def _token_ends(self) -> dict[int, int]:
        ends: dict[int, int] = {}
        opened: int | None = None
        for offset, kind, value in self.tokens:
            ends[offset] = offset + len(value)
            if opened is not None and kind == "name":
                ends[opened] = offset + len(value)
            if kind != "whitespace" and not (value == "not" and opened is not None):
                opened = offset if value in _CONTINUED_BY_A_NAME else None
        return ends

    @functools.cached_property
    def _tags(self) -> tuple[Tag, ...]:
        return tags(self.tokens, frozenset(node.lineno - 1 for node in self.find("AssignBlock")))


def _name_of(node: Any) -> Any:
    """The variable, attribute or key that a node asks for by name."""
    asked = {nodes.Name: "name", nodes.Getattr: "attr", nodes.Getitem: "arg"}[type(node)]
    found = getattr(node, asked)
    return getattr(found, "value", None) if isinstance(found, nodes.Expr) else found


def _depth(token: tuple[int, str, str]) -> int:
    """1 for a bracket that opens, -1 for one that closes."""
    return (token[2] in _OPENING) - (token[2] in _CLOSING)


def asks_for(node: nodes.Node | None, keys: frozenset[str]) -> bool:
    """Whether an expression asks for an attribute or an item with one of these names."""
    return node is not None and any(_key(part) in keys for part in walk(node))


def _key(node: nodes.Node) -> object:
    if isinstance(node, nodes.Getattr):
        return node.attr
    return getattr(node.arg, "value", None) if isinstance(node, nodes.Getitem) else None


def walk(node: nodes.Node) -> Iterator[nodes.Node]:
    """A node and everything below it, however deep that is."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(current.iter_child_nodes())
