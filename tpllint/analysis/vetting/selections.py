"""Words that are looked up, cut or repeated by a value: no condition stands in front of them that could be forced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import nodes

from tpllint.analysis.folding import NOT_CONSTANT, Folding
from tpllint.analysis.syntax import walk
from tpllint.analysis.vetting.dependence import CONTENT, COUNT, DATE, LENGTH, NAME, NONE, POSITION, RANDOM, Sources
from tpllint.analysis.vetting.phrases import TOGETHER, runs
from tpllint.analysis.vetting.predicates import is_asked_anywhere
from tpllint.span import Place

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

PICKING = frozenset((CONTENT, LENGTH, COUNT, POSITION, DATE, RANDOM, NAME))
"""What may not pick words."""


class Selection(NamedTuple):
    """An expression that picks or repeats written words by a value that no template should look at."""

    place: Place
    sources: Sources
    words: str


def selections(template: Template) -> Iterator[Selection]:
    """Constant texts that are looked up, cut or repeated by what a message says, a length, a count or the date.

    What is picked by a predicate is left out: that can be forced, and then it is known what comes of it.
    """
    syntax, dependence, folding = template.syntax, template.dependence, template.folding
    if syntax is None or dependence is None or folding is None:
        return
    for node in syntax.find("Getitem", "Mul", "Call", "Filter"):
        for written, picked in _ways(node):
            sources = NONE if _is_asked(picked) else dependence.of(picked) & PICKING
            words = _sentence(folding, written) if sources else ""
            if words:
                yield Selection(syntax.expression(node), sources, words)


def _ways(node: nodes.Getitem | nodes.Mul | nodes.Call | nodes.Filter) -> Iterator[tuple[nodes.Node, nodes.Node]]:
    """What may be written, and what it is picked or repeated by."""
    if isinstance(node, nodes.Getitem):
        yield node.node, node.arg
    elif isinstance(node, nodes.Call):
        if isinstance(node.node, nodes.Getattr) and node.node.attr == "get" and node.args:
            yield node.node.node, node.args[0]
    elif isinstance(node, nodes.Filter):
        if node.name == "random" and node.node is not None:
            yield node.node, node
    else:
        yield node.left, node.right
        yield node.right, node.left


def _is_asked(node: nodes.Node) -> bool:
    return any(map(is_asked_anywhere, walk(node)))


def _sentence(folding: Folding, node: nodes.Node) -> str:
    """The longest run of at least a few words in a constant value, or in a constant part of one; empty where there is none."""
    value = folding.value(node)
    if value is not NOT_CONSTANT:
        return max(map(_longest, _texts(value)), key=len, default="")
    parts = (pair.value for pair in node.items) if isinstance(node, nodes.Dict) else getattr(node, "items", ())
    return max((_sentence(folding, part) for part in parts), key=len, default="")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _longest(text: str) -> str:
    run = max(runs(text), key=lambda run: len(run.words), default=None)
    return text[run.start : run.end] if run and len(run.words) >= TOGETHER else ""
