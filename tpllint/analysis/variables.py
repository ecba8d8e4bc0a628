"""The variables with which a caller steers a template, beside the conversation and the special tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from jinja2 import nodes

from tpllint.analysis.scopes import Names, Read
from tpllint.analysis.syntax import Syntax
from tpllint.span import Place

if TYPE_CHECKING:
    from tpllint.analysis.renders import Render
    from tpllint.analysis.template import Template

INPUTS = frozenset({"messages", "tools", "documents", "add_generation_prompt", "additional_special_tokens"})
"""What apply_chat_template passes by itself; beside it the special tokens, whose names end in `_token`."""
UNDEFINED = re.compile(r"'(.*)' is undefined")
ANY_TEXT = "text-onyx"
DEFINED = {"defined": True, "undefined": False}


class FreeVariable(NamedTuple):
    """A variable that the template takes from its caller.

    `place` is where it is first read. `guarded` tells whether the template asks anywhere whether it is there or true.
    `default` is what it counts as where it is left out, in Jinja's words, or None where that is not evident.
    """

    name: str
    place: Place
    guarded: bool
    default: str | None


def is_input(name: str, syntax: Syntax) -> bool:
    """Whether a template is given this name without its caller having to know it."""
    return name in INPUTS or name in syntax.globals or name.endswith("_token")


def free_variables(syntax: Syntax, names: Names) -> Iterator[FreeVariable]:
    """The variables that a template reads where only a caller can have set them, in the order in which they are first read."""
    found: dict[str, list[Read]] = {}
    for read in names.reads:
        if read.from_caller and not read.bindings and not is_input(read.name, syntax):
            found.setdefault(read.name, []).append(read)
    for name, reads in found.items():
        guarded = any(read.is_test for read in reads)
        yield FreeVariable(name, syntax.place(reads[0].node), guarded, _default(reads))


def required_variables(template: Template) -> tuple[str, ...]:
    """The variables without which a plain chat fails, and with any text for which it renders."""
    unguarded = {variable.name for variable in template.free_variables if not variable.guarded}
    passed: dict[str, str] = {}
    conversation = template.conversation("user")
    render = template.render_conversation(conversation, generation_prompt=True)
    while (name := _missing(render)) in unguarded and name not in passed:
        passed[name] = ANY_TEXT
        conversation = replace(conversation, variables={**conversation.variables, **passed})
        render = template.render_conversation(conversation, generation_prompt=True)
    return tuple(passed) if render.text is not None else ()


def _missing(render: Render) -> str:
    """The name that a render failed for want of; empty where that is not why."""
    found = UNDEFINED.fullmatch(render.error.message) if render.error else None
    return found[1] if found else ""


def compared_with(syntax: Syntax, name: str) -> Iterator[str]:
    """The literals that a variable is compared with, in whatever case, as a template writes them."""
    for comparison in syntax.find("Compare"):
        sides = (comparison.expr, *(operand.expr for operand in comparison.ops))
        if any(isinstance(bare := _without_filters(side), nodes.Name) and bare.name == name for side in sides):
            yield from _literals(sides)


def _without_filters(node: nodes.Node | None) -> nodes.Node | None:
    """What filters and methods such as `| lower` and `.strip()` are applied to."""
    while True:
        if isinstance(node, nodes.Filter):
            node = node.node
        elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
            node = node.node.node
        else:
            return node


def _literals(sides: Iterable[nodes.Node]) -> Iterator[str]:
    for side in sides:
        if isinstance(side, nodes.List | nodes.Tuple):
            yield from _literals(side.items)
        elif (words := _words(side)) is not None:
            yield words


def _default(reads: list[Read]) -> str | None:
    """What is written as the default; else what follows from the conditions; None where they disagree."""
    written = {value for read in reads if (value := _written(read)) is not None}
    if written:
        return written.pop() if len(written) == 1 else None
    implied = {_implied(read) for read in reads if read.is_test} - {None}
    if len(implied) != 1 or any(_tells_absence_apart(read) and _implied(read) is None for read in reads):
        return None
    return implied.pop()


def _tells_absence_apart(read: Read) -> bool:
    """Whether a read can tell a variable that is left out from one that is false."""
    return bool(read.inside) and isinstance(read.inside[-1], nodes.Test | nodes.Compare | nodes.Operand)


def _written(read: Read) -> str | None:
    """The default that the code around a read names."""
    for outer, inner in pairwise((*read.inside, read.node)):
        if isinstance(outer, nodes.Filter) and outer.name in ("default", "d") and inner is read.node:
            return _words(outer.args[0]) if outer.args else '""'
        if isinstance(outer, nodes.CondExpr) and inner is outer.test:
            return _other_choice(outer, read.name)
        if isinstance(outer, nodes.If) and inner is outer.test and _asks(outer.test, read.name) is False:
            return _set_to(outer.body, read.name)
    return None


def _other_choice(choice: nodes.CondExpr, name: str) -> str | None:
    asked = _asks(choice.test, name)
    if asked is None:
        return None
    kept, other = (choice.expr1, choice.expr2) if asked else (choice.expr2, choice.expr1)
    return _words(other) if isinstance(kept, nodes.Name) and kept.name == name else None


def _asks(test: nodes.Node, name: str) -> bool | None:
    """True where a test is `name is defined`, False where it is the opposite, None where it is anything else."""
    if isinstance(test, nodes.Not):
        asked = _asks(test.node, name)
        return None if asked is None else not asked
    if isinstance(test, nodes.Test) and isinstance(test.node, nodes.Name) and test.node.name == name:
        return DEFINED.get(test.name)
    return None


def _set_to(body: Iterable[nodes.Node], name: str) -> str | None:
    for node in body:
        if isinstance(node, nodes.Assign) and isinstance(node.target, nodes.Name) and node.target.name == name:
            return _words(node.node)
    return None


def _implied(read: Read) -> str | None:
    """What leaving the variable out amounts to, where its truth decides."""
    chain = (*read.inside, read.node)
    for outer, inner in pairwise(chain):
        if isinstance(outer, nodes.And | nodes.Or) and (told := _with_presence(outer, read.name)) is not None:
            return told
        if isinstance(outer, nodes.If | nodes.CondExpr) and inner is not outer.test:
            return None
    conditions = chain[:-1]
    logical = all(isinstance(node, nodes.If | nodes.CondExpr | nodes.Not | nodes.And | nodes.Or) for node in conditions)
    return "false" if conditions and logical and read.is_test else None


def _with_presence(node: nodes.And | nodes.Or, name: str) -> str | None:
    """`x is defined and x` is false without x; `x is defined and not x`, and `x is not defined or x`, are as if x were true."""
    asked = _asks(node.left, name)
    if asked is not isinstance(node, nodes.And):
        return None
    truth = _truth(node.right, name)
    if truth is None:
        return None
    return "false" if truth is asked else "true"


def _truth(test: nodes.Node, name: str) -> bool | None:
    """True where a test is that the variable is true, False where it is that it is not, None where it is anything else."""
    if isinstance(test, nodes.Not):
        told = _truth(test.node, name)
        return None if told is None else not told
    if isinstance(test, nodes.Test) and test.name in ("true", "false") and isinstance(test.node, nodes.Name):
        return test.name == "true" if test.node.name == name else None
    return True if isinstance(test, nodes.Name) and test.name == name else None


def _words(value: nodes.Node | None) -> str | None:
    """A constant as a template writes it."""
    if not isinstance(value, nodes.Const):
        return None
    return "none" if value.value is None else json.dumps(value.value, ensure_ascii=False)
