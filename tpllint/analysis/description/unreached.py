"""The code that no canonical conversation reaches, and the conditions that guard it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from jinja2 import nodes

from tpllint.span import Place, position_at

if TYPE_CHECKING:
    from tpllint.analysis.instrument import Body
    from tpllint.analysis.syntax import Syntax
    from tpllint.analysis.tracing import Covered


def coverage_as_json(syntax: Syntax, bodies: Sequence[Covered]) -> dict[str, Any]:
    """The source, how many of its bodies are reached, and every body that is not and stands in none that is not."""
    return {
        "source": syntax.text,
        "bodies": len(bodies),
        "reached": sum(body.reached for body in bodies),
        "unreached": [_as_json(syntax, body) for body in _outermost(bodies)],
    }


def _outermost(bodies: Iterable[Covered]) -> Iterator[Body]:
    end = 0
    missed = (found.body for found in bodies if not found.reached)
    for body in sorted(missed, key=lambda body: (body.place.start, -body.place.end)):
        if body.place.end > end or body.place.start >= end:
            end = max(end, body.place.end)
            yield body


def _as_json(syntax: Syntax, body: Body) -> dict[str, Any]:
    start, end = position_at(syntax.text, body.place.start), position_at(syntax.text, body.place.end)
    guards = [body.guard] if body.guard else list(_refused(syntax, body)) if body.kind == "else" else []
    return {
        "start": body.place.start,
        "end": body.place.end,
        "line": start.line,
        "column": start.column,
        "end_line": end.line,
        "end_column": end.column,
        "kind": body.kind,
        "conditions": [syntax.text[guard.start : guard.end] for guard in guards],
        "needs": _needs(body) if guards or body.kind != "else" else "no items",
        "names": list(dict.fromkeys(name for guard in guards for name in _names(syntax, guard))),
        "literals": list(dict.fromkeys(literal for guard in guards for literal in _literals(syntax, guard))),
    }


def _needs(body: Body) -> str:
    """What has to happen to the conditions for the body to run."""
    if body.kind == "for":
        return "items"
    if body.kind in ("macro", "call"):
        return "a call"
    if body.kind == "else" or (body.guard is not None and body.place.start > body.guard.end and body.kind.startswith("...")):
        return "false"
    return "true"


def _refused(syntax: Syntax, body: Body) -> Iterator[Place]:
    """The conditions that all have to fail for this `else` to run."""
    owners = [node for node in syntax.find("If") if any(_inside(statement, body.place) for statement in node.else_)]
    for owner in owners[-1:]:
        for test in (owner.test, *(branch.test for branch in owner.elif_)):
            yield syntax.expression(test)


def _inside(statement: nodes.Node, place: Place) -> bool:
    return statement.lineno is not None and place.start <= statement.lineno - 1 <= place.end


def _names(syntax: Syntax, guard: Place) -> Iterator[str]:
    """The variables that a condition reads, with their attributes: `message.role`."""
    inner: set[int] = set()
    for node in _within(syntax, guard, "Getattr", "Getitem", "Name"):
        path = _path(node)
        if path is not None:
            inner |= {id(below) for below in node.find_all((nodes.Getattr, nodes.Getitem, nodes.Name))}
    for node in _within(syntax, guard, "Getattr", "Getitem", "Name"):
        path = _path(node)
        if path is not None and id(node) not in inner:
            yield path


def _path(node: Any) -> str | None:
    if isinstance(node, nodes.Name):
        return node.name
    owner = _path(node.node) if isinstance(node, nodes.Getattr | nodes.Getitem) else None
    if owner is None:
        return None
    if isinstance(node, nodes.Getattr):
        return f"{owner}.{node.attr}"
    return f"{owner}[{node.arg.value!r}]" if isinstance(node.arg, nodes.Const) else None


def _literals(syntax: Syntax, guard: Place) -> Iterator[str]:
    keys = {id(node.arg) for node in _within(syntax, guard, "Getitem")}
    for node in _within(syntax, guard, "Const"):
        if id(node) not in keys and isinstance(node.value, str | int | float | bool):
            yield json.dumps(node.value, ensure_ascii=False)


def _within(syntax: Syntax, place: Place, *kinds: str) -> Iterator[Any]:
    return (node for node in syntax.find(*kinds) if node.lineno and place.start <= node.lineno - 1 < place.end)
