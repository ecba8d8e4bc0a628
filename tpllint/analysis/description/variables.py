"""The variables that a caller can set: what a template reads and never gets from transformers by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from jinja2 import meta, nodes

from tpllint.analysis import compile as compilation
from tpllint.analysis.description.facts import Variable
from tpllint.analysis.environment import ChatEnvironment
from tpllint.analysis.limits import LimitReached
from tpllint.tokens import STANDARD

if TYPE_CHECKING:
    from tpllint.analysis.syntax import Syntax
    from tpllint.analysis.template import Template

GIVEN = frozenset(("messages", "tools", "documents", "add_generation_prompt"))


def read(template: Template) -> frozenset[str] | None:
    """The names that the source reads and that something outside it must define; None where nothing can be read."""
    if template.syntax is None or template.failure is not None:
        return None
    try:
        with template.running():
            tree = compilation.parse(ChatEnvironment(), template.source)  # a tree of its own: the search folds constants in it
            return frozenset(meta.find_undeclared_variables(tree)) if isinstance(tree, nodes.Template) else None
    except (Exception, LimitReached):  # the same code generator just compiled it; whatever it meets here decides nothing
        return None


def special_tokens(template: Template, names: frozenset[str] | None) -> tuple[str, ...] | None:
    """The special tokens that the source reads by name."""
    return None if names is None else tuple(sorted(name for name in names if _is_token(template, name)))


def variables(template: Template, names: frozenset[str] | None) -> tuple[Variable, ...] | None:
    """What is left for a caller to set."""
    syntax = template.syntax
    if names is None or syntax is None:
        return None
    free = sorted(name for name in names - GIVEN if not _is_token(template, name) and _read_before_set(syntax, name))
    return tuple(Variable(name, _default(syntax, name), tuple(dict.fromkeys(_values(syntax, name)))) for name in free)


def _read_before_set(syntax: Syntax, name: str) -> bool:
    """Whether a value from outside can arrive: nothing sets the name, or the source reads it before, or to set it, first."""
    mentions = [node for node in syntax.find("Name") if node.name == name]
    stored = [node.lineno for node in mentions if node.ctx != "load"]
    if not stored:
        return True
    in_macros = {id(node) for macro in syntax.find("Macro") for node in macro.find_all(nodes.Name)} - _asked_of(syntax)
    loads = [node.lineno for node in mentions if node.ctx == "load" and id(node) not in in_macros]
    own = [node for node in syntax.find("Assign") if node.target.lineno == min(stored)]
    reads_itself = any(found.name == name for node in own for found in _names(node.node))
    return reads_itself or (bool(loads) and min(loads) < min(stored))


def _asked_of(syntax: Syntax) -> set[int]:
    """The names of which the source asks whether they are set."""
    tests = (node.node for node in syntax.find("Test") if node.name in ("defined", "undefined"))
    filters = (node.node for node in syntax.find("Filter") if node.name in ("default", "d"))
    return {id(node) for node in (*tests, *filters)}


def _names(node: nodes.Node) -> Iterator[nodes.Name]:
    if isinstance(node, nodes.Name):
        yield node
    yield from node.find_all(nodes.Name)


def _is_token(template: Template, name: str) -> bool:
    return name in STANDARD or name in template.tokens or name.endswith("_token")


def _default(syntax: Syntax, name: str) -> str | None:
    """The literal that the source puts in place of a variable that is not set."""
    found: Any
    for found in syntax.find("Filter"):
        if found.name in ("default", "d") and _is_name(found.node, name) and found.args:
            return _literal(found.args[0])
    for found in syntax.find("CondExpr"):
        if _asks_whether_set(found.test, name) and _is_name(found.expr1, name) and found.expr2 is not None:
            return _literal(found.expr2)
        if _asks_whether_unset(found.test, name) and _is_name(found.expr2, name):
            return _literal(found.expr1)
    for found in syntax.find("If"):
        if _asks_whether_unset(found.test, name):
            for statement in found.body:
                if isinstance(statement, nodes.Assign) and _is_name(statement.target, name):
                    return _literal(statement.node)
    return None


def _is_name(node: Any, name: str) -> bool:
    return isinstance(node, nodes.Name) and node.name == name


def _asks_whether_set(test: Any, name: str) -> bool:
    return isinstance(test, nodes.Test) and test.name == "defined" and _is_name(test.node, name)


def _asks_whether_unset(test: Any, name: str) -> bool:
    if isinstance(test, nodes.Test) and test.name == "undefined":
        return _is_name(test.node, name)
    return isinstance(test, nodes.Not) and _asks_whether_set(test.node, name)


def _values(syntax: Syntax, name: str) -> Iterator[str]:
    """The literals that a variable is compared with."""
    for comparison in syntax.find("Compare"):
        sides = (comparison.expr, *(operand.expr for operand in comparison.ops))
        if any(_is_name(side, name) for side in sides):
            yield from _literals(sides)


def _literals(sides: tuple[Any, ...]) -> Iterator[str]:
    for side in sides:
        if isinstance(side, nodes.List | nodes.Tuple):
            yield from _literals(tuple(side.items))
        elif isinstance(side, nodes.Const) and (literal := _literal(side)) is not None:
            yield literal


def _literal(node: Any) -> str | None:
    """A constant as JSON; None for anything else."""
    if isinstance(node, nodes.Const):
        return json.dumps(node.value, ensure_ascii=False) if isinstance(node.value, str | bool | int | None) else None
    if isinstance(node, nodes.List | nodes.Dict) and not node.items:
        return "[]" if isinstance(node, nodes.List) else "{}"
    return None
