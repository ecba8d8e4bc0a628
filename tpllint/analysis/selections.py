"""Words that are looked up, cut or repeated by a value: no condition stands in front of them that could be forced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from jinja2 import nodes

from tpllint.analysis.dependence import CONTENT, COUNT, DATE, LENGTH, NAME, NONE, POSITION, RANDOM, Sources
from tpllint.analysis.phrases import TOGETHER, runs
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
    """Constant texts that are looked up, cut or repeated by what a message says, a length, a count or the date."""
    syntax, dependence = template.syntax, template.dependence
    if syntax is None or dependence is None:
        return
    for node in syntax.find("Getitem", "Mul"):
        texts, by = (node.node, node.arg) if isinstance(node, nodes.Getitem) else (node.left, node.right)
        for written, picked in ((texts, by), *(((by, texts),) if isinstance(node, nodes.Mul) else ())):
            words = _sentence(written)
            sources = dependence.of(picked) & PICKING if words else NONE
            if sources:
                yield Selection(syntax.expression(node), sources, words)


def _sentence(node: nodes.Node) -> str:
    """The longest run of at least a few words in the values of a literal; empty where there is none."""
    if isinstance(node, nodes.Dict):
        return max((_sentence(pair.value) for pair in node.items), key=len, default="")
    if isinstance(node, nodes.List | nodes.Tuple):
        return max(map(_sentence, node.items), key=len, default="")
    if not (isinstance(node, nodes.Const) and isinstance(node.value, str)):
        return ""
    run = max(runs(node.value), key=lambda run: len(run.words), default=None)
    return node.value[run.start : run.end] if run and len(run.words) >= TOGETHER else ""
