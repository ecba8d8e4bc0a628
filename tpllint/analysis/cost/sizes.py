"""How large constant values would get, without making them: `7**(7**9)` is bounded, never computed.

A number is what arithmetic on constants comes to; a length is that of a text or list, at least. What is not constant is unknown
and counts as one where it is multiplied: `[0] * n * 9000000000` is long for any `n` that a template means.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import nodes

ENDLESS = math.inf
LARGEST = 1e15
"""Numbers beyond it are all alike: endless."""
MAX_DEPTH = 15
"""An expression that nests deeper is not looked into."""
TEXTS_OF_A_MESSAGE = frozenset(("content", "text", "reasoning_content", "thinking"))
SAME_LENGTH = frozenset(("list", "reverse", "sort", "string", "upper", "lower", "safe", "e", "escape", "trim"))
"""Filters whose result is about as long as what they are given."""
LONGEST_KNOWN_TEXT = 10_000
PRINTF_WIDTH = re.compile(r"%(?:%|(?:\(\w*\))?[-#0 +]*(\*|\d{0,20})(?:\.(\*|\d{0,20}))?)")
DIGITS = re.compile(r"\d{1,20}")
FORMAT_WIDTH = re.compile(r"\{[^{}:]*:([^{}]*)(\{)?")


class Sizes:
    """Numbers, texts and lengths of a template's expressions, as far as they are constant.

    Settings are taken in the order of the source: `learn` each one when it is come to.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, float] = {}
        self._lengths: dict[str, float] = {}
        self._texts: dict[str, str] = {}
        self.contents: set[str] = set()
        """Names that hold the text of a message."""

    def learn(self, target: nodes.Node, value: nodes.Node) -> None:
        """Take note of `{% set target = value %}`."""
        if isinstance(target, nodes.Name | nodes.NSRef):
            self._learn(_named(target), value)
        if isinstance(value, nodes.Call) and getattr(value.node, "name", None) == "namespace":
            for keyword in value.kwargs:
                self._learn(f".{keyword.key}", keyword.value)

    def _learn(self, name: str, value: nodes.Node) -> None:
        for known, found in ((self._numbers, self.number), (self._lengths, self.length), (self._texts, self.text)):
            _note(known, name, found(value))
        self.contents.discard(name)
        if self.is_content(value):
            self.contents.add(name)

    def number(self, node: Any, depth: int = 0) -> float | None:
        """The number that an expression comes to: exact where it is small, endless where it is large; None: not constant."""
        if isinstance(node, nodes.Const):
            return _saturated(node.value)
        if isinstance(node, nodes.Name):
            return self._numbers.get(node.name)
        if depth > MAX_DEPTH:
            return None
        if isinstance(node, nodes.Neg | nodes.Pos):
            value = self.number(node.node, depth + 1)
            return -value if value is not None and isinstance(node, nodes.Neg) else value
        if type(node) in ARITHMETIC:
            left, right = self.number(node.left, depth + 1), self.number(node.right, depth + 1)
            if left is None or right is None:
                return _of_one(node, left if right is None else right)
            return _computed(ARITHMETIC[type(node)], left, right)
        return None

    def length(self, node: Any, depth: int = 0) -> float | None:
        """At least how long a text or a list is; None where it may be neither."""
        if isinstance(node, nodes.Const):
            return len(node.value) if isinstance(node.value, str) else None
        if isinstance(node, nodes.List | nodes.Tuple):
            return len(node.items)
        if isinstance(node, nodes.Name | nodes.NSRef | nodes.Getattr) and self._lengths.get(_named(node)) is not None:
            return self._lengths[_named(node)]
        if field(node) in TEXTS_OF_A_MESSAGE:
            return 1
        return None if depth > MAX_DEPTH else self._composed(node, depth + 1)

    def _composed(self, node: Any, depth: int) -> float | None:
        if isinstance(node, nodes.Concat):
            return sum(self.length(part, depth) or 0 for part in node.nodes)
        if isinstance(node, nodes.Filter) and node.name in SAME_LENGTH:
            return self.length(node.node, depth)
        if isinstance(node, nodes.Add | nodes.Mul):
            left, right = self.length(node.left, depth), self.length(node.right, depth)
            if isinstance(node, nodes.Add):
                return None if left is None and right is None else (left or 0) + (right or 0)
            whole, other = (right, node.left) if left is None else (left, node.right)
            return None if whole is None else whole * max(self.number(other, depth) or 1, 0)
        return None

    def text(self, node: Any) -> str | None:
        """A constant text of ordinary length."""
        if isinstance(node, nodes.Name):
            return self._texts.get(node.name)
        if isinstance(node, nodes.Const) and isinstance(node.value, str):
            return node.value
        if isinstance(node, nodes.Mul):
            sides = (getattr(side, "value", None) for side in (node.left, node.right))
            part = next((side for side in sides if isinstance(side, str)), "")
            length = self.length(node) or 0
            return part * round(length / len(part)) if part and length <= LONGEST_KNOWN_TEXT else None
        return None

    def turns(self, iterable: Any) -> float | None:
        """How often a loop over this runs, where it is a constant number."""
        while isinstance(iterable, nodes.Filter) and iterable.name in SAME_LENGTH:
            iterable = iterable.node
        if isinstance(iterable, nodes.Call) and getattr(iterable.node, "name", None) == "range":
            bounds = [bound for bound in map(self.number, iterable.args[:3]) if bound is not None]
            return _steps(*bounds) if bounds and len(bounds) == len(iterable.args) else None
        return None if self.is_content(iterable) else self.length(iterable)

    def is_content(self, node: Any) -> bool:
        """Whether an expression is the text of a message, or as many numbers as it has characters."""
        for _ in range(MAX_DEPTH):
            if isinstance(node, nodes.Filter | nodes.Getitem) and not isinstance(getattr(node, "arg", None), nodes.Const):
                node = node.node
            elif isinstance(node, nodes.Call) and getattr(node.node, "name", None) == "range" and node.args:
                node = node.args[-1]
            elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
                node = node.node.node
            else:
                break
        if isinstance(node, nodes.Name):
            return node.name in self.contents
        return field(node) in TEXTS_OF_A_MESSAGE

    def printf_width(self, pattern: str, arguments: list[Any]) -> float:
        """The widest field of a `%` pattern with these arguments."""
        found = [width for match in PRINTF_WIDTH.finditer(pattern) for width in match.groups() if width]
        return self._widest(found, "*" in found, arguments)

    def format_width(self, pattern: str, arguments: list[Any]) -> float:
        """The widest field of a `str.format` pattern with these arguments."""
        found = list(FORMAT_WIDTH.finditer(pattern))
        digits = [each for match in found for each in DIGITS.findall(match[1])]
        return self._widest(digits, any(match[2] for match in found), arguments)

    def _widest(self, digits: list[str], by_argument: bool, arguments: list[Any]) -> float:
        widths = [float(each) for each in digits if each.isdigit()]
        passed = [self.number(argument) or 0 for argument in arguments] if by_argument else []
        return max([*widths, *passed], default=0)


def field(node: Any) -> str | None:
    """The attribute or key that an expression reads."""
    if isinstance(node, nodes.Getattr):
        return str(node.attr)
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return str(node.arg.value) if isinstance(node.arg.value, str) else None
    return None


def _note(known: dict[str, Any], name: str, found: Any) -> None:
    if found is None:
        known.pop(name, None)
    else:
        known[name] = found


def _named(node: Any) -> str:
    """A variable by its name, a value of a namespace by a dot and its name."""
    return str(node.name) if isinstance(node, nodes.Name) else f".{node.attr}"


def _saturated(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float):
        return None if math.isnan(value) else value
    return value if -LARGEST < value < LARGEST else math.copysign(ENDLESS, value > 0 or -1)


def _of_one(node: Any, known: float | None) -> float | None:
    """What arithmetic with an unknown number comes to where that is one."""
    if known is None or known <= 1:
        return None
    if isinstance(node, nodes.Pow):
        return None
    return known if isinstance(node, nodes.Mul) else None


def _computed(function: Callable[[float, float], float], left: float, right: float) -> float | None:
    try:
        return _saturated(function(left, right))
    except (ArithmeticError, ValueError, TypeError):
        return None


def _power(base: float, exponent: float) -> float:
    if exponent > 0 and abs(base) > 1 and exponent * math.log2(abs(base)) > math.log2(LARGEST):
        return ENDLESS
    result = base**exponent
    return result if isinstance(result, int | float) else math.nan


def _steps(first: float, stop: float | None = None, step: float = 1) -> float:
    start, stop = (0.0, first) if stop is None else (first, stop)
    return max((stop - start) / step, 0) if step else 0


ARITHMETIC: Mapping[type, Callable[[float, float], float]] = {
    nodes.Add: lambda left, right: left + right,
    nodes.Sub: lambda left, right: left - right,
    nodes.Mul: lambda left, right: left * right,
    nodes.Div: lambda left, right: left / right,
    nodes.FloorDiv: lambda left, right: left // right,
    nodes.Mod: lambda left, right: left % right,
    nodes.Pow: _power,
}
