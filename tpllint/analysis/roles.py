"""Which roles a template asks for, as far as its source tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from jinja2 import nodes

if TYPE_CHECKING:
    from tpllint.analysis.syntax import Syntax

SPEAKERS = frozenset(
    ("system", "developer", "user", "human", "assistant", "model", "bot", "gpt", "tool", "function", "ipython", "environment")
)
"""Roles of chats, by all names that are in use."""


def has_system_branch(syntax: Syntax) -> bool:
    """Whether some condition asks for the system role and then does something else than to refuse it."""
    branches = (node for node in syntax.find("If", "CondExpr") if "system" in set(_equals(node.test)))
    return any(not _refuses(node) for node in branches)


def foreign_roles(syntax: Syntax) -> tuple[str, ...]:
    """The roles that are asked for where none of a chat's is among them, as in templates that score documents."""
    asked = [word for node in syntax.find("Compare") if _is_role(node.expr) for word in _literals(o.expr for o in node.ops)]
    selected = [word for node in syntax.find("Filter") if _selects_by_role(node) for word in _literals(node.args[2:])]
    found = tuple(dict.fromkeys((*asked, *selected)))
    return () if SPEAKERS.intersection(found) else found


def _equals(test: nodes.Node) -> Iterator[str]:
    compared = [test] if isinstance(test, nodes.Compare) else []
    for node in (*compared, *test.find_all(nodes.Compare)):
        yield from _literals(operand.expr for operand in node.ops if operand.op == "eq")


def _refuses(branch: nodes.If | nodes.CondExpr) -> bool:
    calls = (call for part in getattr(branch, "body", ()) for call in part.find_all(nodes.Call))
    return any(getattr(call.node, "name", None) == "raise_exception" for call in calls)


def _is_role(node: nodes.Node) -> bool:
    read = getattr(node, "attr", None) or getattr(getattr(node, "arg", None), "value", None)
    return read == "role" or getattr(node, "name", None) == "role"


def _selects_by_role(node: nodes.Filter) -> bool:
    key = getattr(node.args[0], "value", None) if node.args else None
    return node.name in ("selectattr", "rejectattr") and key == "role"


def _literals(values: Iterable[nodes.Node]) -> Iterator[str]:
    for value in values:
        if isinstance(value, nodes.List | nodes.Tuple):
            yield from _literals(value.items)
        elif isinstance(value, nodes.Const) and isinstance(value.value, str):
            yield value.value
