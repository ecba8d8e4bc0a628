"""What a template reads beside the conversation: the variables that a caller can set, and special tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from jinja2 import nodes

from tpllint.analysis.description.facts import Variable

if TYPE_CHECKING:
    from tpllint.analysis.syntax import Syntax
    from tpllint.analysis.template import Template


def special_tokens(template: Template) -> tuple[str, ...] | None:
    """The special tokens that the source reads by name."""
    if template.syntax is None:
        return None
    names = {read.name for read in template.names.reads if read.from_caller}
    return tuple(sorted(name for name in names if _is_token(template, name)))


def variables(template: Template) -> tuple[Variable, ...] | None:
    """What is left for a caller to set, with its default and the literals that it is compared with."""
    syntax = template.syntax
    if syntax is None:
        return None
    free = [variable for variable in template.free_variables if not _is_token(template, variable.name)]
    found = (Variable(one.name, one.default, tuple(dict.fromkeys(_values(syntax, one.name)))) for one in free)
    return tuple(sorted(found, key=lambda variable: variable.name))


def _is_token(template: Template, name: str) -> bool:
    return name.endswith("_token") or name in template.tokens


def _values(syntax: Syntax, name: str) -> Iterator[str]:
    """The literals that a variable is compared with."""
    for comparison in syntax.find("Compare"):
        sides = (comparison.expr, *(operand.expr for operand in comparison.ops))
        if any(isinstance(side, nodes.Name) and side.name == name for side in sides):
            yield from _literals(sides)


def _literals(sides: tuple[Any, ...]) -> Iterator[str]:
    for side in sides:
        if isinstance(side, nodes.List | nodes.Tuple):
            yield from _literals(tuple(side.items))
        elif isinstance(side, nodes.Const):
            yield "none" if side.value is None else json.dumps(side.value, ensure_ascii=False)
