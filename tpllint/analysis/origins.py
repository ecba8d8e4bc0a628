"""Which expressions hold words of the conversation: followed through names, loops, namespaces and macros, in no order.

It may say yes where no path of the program leads there, and never follows what is only asked of a message: its length, its role
compared with something, whether it is there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from jinja2 import nodes

from tpllint.analysis.folding import askers_of
from tpllint.analysis.syntax import Syntax, walk

MESSAGES = "messages"
COUNTING = frozenset(("length", "count"))
_ANSWERS = (nodes.Compare, nodes.Test, nodes.Not)
"""What they are made of only decides them."""


class Origins:
    """The names of one template that can hold words of its messages."""

    def __init__(self, syntax: Syntax | None) -> None:
        asked = {} if syntax is None else _asked_by_each_name(syntax)
        self._held = askers_of(asked, [MESSAGES])

    def holds_words(self, node: nodes.Node | None) -> bool:
        """Whether what messages say can be in the value of an expression."""
        return node is not None and any(name in self._held for name in _names(node))

    @staticmethod
    def asks_for(node: nodes.Node | None, keys: frozenset[str]) -> bool:
        """Whether an expression asks for an attribute or an item with one of these names."""
        return node is not None and any(_key(part) in keys for part in walk(node))


def _key(node: nodes.Node | None) -> object:
    if isinstance(node, nodes.Getattr):
        return node.attr
    return getattr(node.arg, "value", None) if isinstance(node, nodes.Getitem) else None


def _asked_by_each_name(syntax: Syntax) -> dict[str, set[str]]:
    """For each name, and each attribute of a namespace, the names in what it is ever set to."""
    found: dict[str, set[str]] = defaultdict(set)
    for target, value in _settings(syntax):
        names = set(_names(value))
        for name in _targets(target):
            found[name] |= names
    for node in syntax.find("AssignBlock"):
        for name in _targets(node.target):
            found[name] |= _written(node.body)
    for node in syntax.find("Macro"):
        found[node.name] |= _written(node.body)
    return found


def _settings(syntax: Syntax) -> Iterator[tuple[nodes.Node, nodes.Node]]:
    yield from ((node.target, node.node) for node in syntax.find("Assign"))
    yield from ((node.target, node.iter) for node in syntax.find("For"))
    for node in syntax.find("With"):
        yield from zip(node.targets, node.values, strict=False)
    macros = {node.name: node for node in syntax.find("Macro")}
    for call in syntax.find("Call"):
        macro = macros.get(call.node.name) if isinstance(call.node, nodes.Name) else None
        if macro is not None:
            yield from zip(macro.args, call.args, strict=False)
            by_name = {argument.name: argument for argument in macro.args}
            yield from ((by_name[pair.key], pair.value) for pair in call.kwargs if pair.key in by_name)


def _targets(node: nodes.Node) -> Iterator[str]:
    if isinstance(node, nodes.NSRef):
        yield f"{node.name}.{node.attr}"
    elif isinstance(node, nodes.Name):
        yield node.name
    else:
        for item in node.iter_child_nodes():
            yield from _targets(item)


def _written(body: Iterable[nodes.Node]) -> set[str]:
    outputs = (node for part in body for node in walk(part) if isinstance(node, nodes.Output))
    return {name for output in outputs for name in _names(output)}


def _names(node: nodes.Node) -> Iterator[str]:
    """The names whose values are in an expression's own; the attribute of a name counts as one, beside the name itself."""
    waiting: list[Any] = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, _ANSWERS) or (isinstance(part, nodes.Filter) and part.name in COUNTING):
            continue
        if isinstance(part, nodes.Name):
            yield part.name
        elif isinstance(part, nodes.CondExpr):
            waiting += filter(None, (part.expr1, part.expr2))
        elif isinstance(part, nodes.Getitem):
            waiting.append(part.node)  # what is picked counts, not what it is picked by
        else:
            if isinstance(part, nodes.Getattr) and isinstance(part.node, nodes.Name):
                yield f"{part.node.name}.{part.attr}"
            waiting.extend(part.iter_child_nodes())
