"""Which loops stand inside which, and which code runs whenever what is around it does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from jinja2 import nodes

BODIES = ("body", "else_", "elif_")
LATER = (nodes.Macro, nodes.Block)
"""Their bodies run elsewhere, if at all."""


class Loop:
    """A loop, the loops around it in the same macro, nearest first, and what is in its own turn of it."""

    def __init__(self, node: nodes.For, outer: Loop | None, macro: nodes.Macro | None, *, conditional: bool) -> None:
        self.node = node
        self.outer = outer
        self.around: tuple[Loop, ...] = (outer, *outer.around) if outer else ()
        self.within: list[Loop] = []
        for each in self.around:
            each.within.append(self)
        self.macro = macro
        self.conditional = conditional
        self.settings: list[nodes.Assign] = []
        self.at_once: list[nodes.Output] = []
        self.ends_early = False
        self.turns: float | None = None
        self.over_content = False
        self.called = 1.0
        """How often loops with constant bounds call its macro."""

    @property
    def together(self) -> float:
        """How often it runs in all, as far as that is constant."""
        product = self.called
        for loop in (self, *self.around):
            product *= 1 if loop.turns is None else loop.turns
        return product

    def conditional_in(self, outer: Loop) -> bool:
        """Whether a condition stands between it and a loop around it."""
        chain = (self, *self.around)
        return any(loop.conditional for loop in chain[: chain.index(outer)])


class Nesting:
    """The loops and macros of a template, in the order of the source."""

    def __init__(self, tree: nodes.Template) -> None:
        self.loops: list[Loop] = []
        self.macros: list[nodes.Macro] = []
        self._ends: dict[int, int] = {}
        opened: list[nodes.Macro] = []
        waiting: list[tuple[Any, Loop | None, nodes.Macro | None, bool]] = [(tree, None, None, False)]
        while waiting:
            node, loop, macro, conditional = waiting.pop()
            while opened and opened[-1] is not macro:
                self._ends[id(opened.pop())] = node.lineno
            if isinstance(node, nodes.For):
                loop, conditional = Loop(node, loop, macro, conditional=conditional), False
                self.loops.append(loop)
            elif isinstance(node, nodes.Macro):
                loop, macro, conditional = None, node, False
                self.macros.append(node)
                opened.append(node)
            else:
                _note(node, loop, conditional)
            conditional = conditional or isinstance(node, nodes.If)
            for name in reversed(BODIES):
                waiting.extend((child, loop, macro, conditional) for child in reversed(getattr(node, name, None) or ()))

    def inside(self, macro: nodes.Macro, found: list[Any]) -> list[Any]:
        """Those of some nodes that stand in a macro, and perhaps one that stands right behind it."""
        end = self._ends.get(id(macro), sys.maxsize)
        return [node for node in found if macro.lineno <= node.lineno <= end]


def _note(node: nodes.Node, loop: Loop | None, conditional: bool) -> None:
    if loop is None:
        return
    if isinstance(node, nodes.Assign):
        loop.settings.append(node)
    elif isinstance(node, nodes.Output) and not conditional:
        loop.at_once.append(node)
    elif isinstance(node, nodes.Break):
        for each in (loop, *loop.around):
            each.ends_early = True


def parts(node: nodes.Node) -> Iterator[nodes.Node]:
    """A node and all that is in it; Jinja's own search is recursive, and what is written in a template may be deep."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(current.iter_child_nodes())


def calls(body: list[nodes.Node]) -> Iterator[tuple[nodes.Call, bool]]:
    """Every call in a body, and whether it runs only under a condition."""
    waiting: list[tuple[Any, bool]] = [(node, False) for node in body]
    while waiting:
        node, conditional = waiting.pop()
        if isinstance(node, nodes.Call):
            yield node, conditional
        sure = _surely_run(node)
        for child in node.iter_child_nodes():
            waiting.append((child, conditional or not (sure is None or any(child is one for one in sure))))


def _surely_run(node: Any) -> list[Any] | None:
    """The children that run whenever a node does; None: all."""
    if isinstance(node, nodes.If | nodes.CondExpr):
        return [node.test]
    if isinstance(node, nodes.And | nodes.Or):
        return [node.left]
    if isinstance(node, nodes.For):
        return [node.iter]
    if isinstance(node, nodes.CallBlock):
        return [node.call]
    return [] if isinstance(node, LATER) else None
