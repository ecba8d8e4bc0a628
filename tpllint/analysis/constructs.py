"""The constructs of a template that some engine or some version of transformers cannot take, each with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import nodes

from tpllint.portability import ENGINES, Requirement, covering, number
from tpllint.portability.table import EFFECTS, INSTEAD, Limit, limits
from tpllint.span import Place

if TYPE_CHECKING:
    from tpllint.analysis.syntax import Syntax
    from tpllint.analysis.template import Template

Found = Iterator[tuple[str, nodes.Node]]
JSON_ARGUMENTS = ("ensure_ascii", "indent", "separators", "sort_keys")
ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\(?P<letter>[ux])")
DEPTH = 6
"""Of the parts of a version that are compared."""
METHOD = re.compile(r"\.(\w+)\(\)")
LENGTH = ("length", "count")
LOOP = ("cycle", "changed", "depth")
NULLABLE = ("tools", "documents", "arguments", "tool_calls")
"""What callers pass as none where there is nothing to pass."""
STRIPPING = ("strip", "lstrip", "rstrip")


class Use(NamedTuple):
    """A construct, by its name in the table, and where it first stands."""

    construct: str
    place: Place

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The engines that cannot take it."""
        return limits()[self.construct]

    @property
    def method(self) -> str | None:
        """The method of Python that is called, such as "split"."""
        called = METHOD.fullmatch(self.construct)
        return called[1] if called else None


class Obstacle(NamedTuple):
    """What stands between a template and an engine, all of it with the same effect and gone in the same version.

    `required` tells whether the user has named versions of the engine that cannot take it.
    """

    limit: Limit
    uses: tuple[Use, ...]
    required: bool

    @property
    def engine(self) -> str:
        """The engine's versions that are meant, as in `minijinja` or `minijinja<2.8.0`."""
        return self.limit.engine + (f"<{self.limit.before}" if self.limit.before else "")

    @property
    def instead(self) -> str:
        """What to write instead of the first construct for which there is a word."""
        return next((INSTEAD[use.construct] for use in self.uses if use.construct in INSTEAD), "")


def uses(template: Template) -> tuple[Use, ...]:
    """The constructs of a template that are in the table, each once, in the order of the source."""
    if template.syntax is None:
        return ()
    first: dict[str, Place] = {}
    for name, place in _all(template, template.syntax):
        if name in limits() and (name not in first or place.start < first[name].start):
            first[name] = place
    return tuple(Use(name, place) for name, place in sorted(first.items(), key=lambda item: item[1].start))


def obstacles(found: Sequence[Use], requirements: Sequence[Requirement] = ()) -> Iterator[Obstacle]:
    """What keeps a template from engines: for each, first what no known version takes, then what old ones do not."""
    groups: dict[Limit, list[Use]] = {}
    for use in found:
        for limit in use.limits:
            groups.setdefault(limit, []).append(use)
    for engine in ENGINES:
        every = sorted((limit for limit in groups if limit.engine == engine), key=_order)
        for limit in every:
            required = covering(requirements, engine, limit.since, limit.before)
            yield Obstacle(limit, tuple(groups[limit]), required)


def _order(limit: Limit) -> tuple[int, tuple[int, ...], int]:
    """Without a cure first, then the newest cure, then the worst effect."""
    before = number(limit.before) if limit.before else ()
    return (1 if before else 0, tuple(-part for part in (*before, *[0] * DEPTH)[:DEPTH]), EFFECTS.index(limit.effect))


def _all(template: Template, syntax: Syntax) -> Iterator[tuple[str, Place]]:
    for finder in (_statements, _operators, _values, _filters, _tests, _calls, _lengths, none_guards):
        for name, node in finder(syntax):
            yield name, syntax.place(node)
    for name, node in _functions(template):
        yield name, syntax.place(node)
    yield from _written(syntax)
    if template.carriage_returns:
        end = max(template.text.find("\n"), 0)
        yield "carriage returns", Place(end, end + 1)


_STATEMENTS: dict[str, Callable[[Any], str | None]] = {
    "Break": lambda node: "{% break %}",
    "Continue": lambda node: "{% continue %}",
    "With": lambda node: "{% with %}",
    "Block": lambda node: "{% block %}",
    "FilterBlock": lambda node: "{% filter %}",
    "CallBlock": lambda node: "{% generation %}" if isinstance(node.call.node, nodes.ExtensionAttribute) else "{% call %}",
    "AssignBlock": lambda node: "a {% set %} block" + (" with a filter" if node.filter else ""),
    "Assign": lambda node: "{% set %} of several names" if isinstance(node.target, nodes.Tuple) else None,
    "For": lambda node: "a recursive loop" if node.recursive else None,
}


def _statements(syntax: Syntax) -> Found:
    for node in syntax.find(*_STATEMENTS):
        if (name := _STATEMENTS[type(node).__name__](node)) is not None:
            yield name, node


def _operators(syntax: Syntax) -> Found:
    for kind, name in (("Concat", "the operator ~"), ("Pow", "the operator **"), ("FloorDiv", "the operator //")):
        yield from ((name, node) for node in syntax.find(kind))
    yield from (("the operator % on text", node) for node in syntax.find("Mod") if is_text(node.left))
    yield from (("a comparison in a row", node.expr) for node in syntax.find("Compare") if len(node.ops) > 1)
    for node in syntax.find("Mul"):
        for side in (node.left, node.right):
            if isinstance(side, nodes.List):
                yield "a list times a number", node
            elif is_text(side):
                yield "text times a number", node
    for node in syntax.find("Neg"):
        if isinstance(node.node, nodes.Getitem | nodes.Getattr | nodes.Call):
            yield "a minus before a subscript", node
        elif isinstance(node.node, nodes.Name):
            yield "a minus before a name", node
    for node in syntax.find("CondExpr"):
        if node.expr2 is None:
            yield "if without else in an expression", node
        elif isinstance(node.expr2, nodes.CondExpr):
            yield "if after else in an expression", node


def is_text(node: nodes.Node) -> bool:
    """Whether an expression is evidently text."""
    if isinstance(node, nodes.Const):
        return isinstance(node.value, str)
    return isinstance(node, nodes.TemplateData | nodes.Concat) or (
        isinstance(node, nodes.Filter) and node.name in ("string", "trim", "upper", "lower", "title", "join", "tojson")
    )


def _values(syntax: Syntax) -> Found:
    yield from (("a number as a key", pair.key) for pair in syntax.find("Pair") if _is_number(pair.key))
    yield from (("a number with a point", node) for node in syntax.find("Const") if isinstance(node.value, float))
    for node in syntax.find("Getitem"):
        if isinstance(node.node, nodes.Call):
            yield "a subscript of a call", node
        if isinstance(node.arg, nodes.Slice) and (node.arg.start, node.arg.stop, node.arg.step) == (None, None, None):
            yield "a slice without bounds", node
        if isinstance(node.arg, nodes.Slice) and node.arg.step is not None:
            backwards = isinstance(node.arg.step, nodes.Neg)
            yield "a slice with a negative step" if backwards else "a slice with a step", node
    for node in syntax.find("Getattr"):
        if isinstance(node.node, nodes.Call):
            named = isinstance(node.node.node, nodes.Name)
            yield "an attribute of a call" if named else "a call of a call's attribute", node


def _is_number(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Const) and isinstance(node.value, int) and not isinstance(node.value, bool)


def _filters(syntax: Syntax) -> Found:
    for node in syntax.find("Filter"):
        given = {pair.key for pair in node.kwargs}
        yield f"the filter {node.name}", node
        if node.name == "tojson":
            yield from ((f"tojson({key}=...)", node) for key in JSON_ARGUMENTS if key in given)
        for name, key in (("join", "attribute"), ("default", "boolean"), ("indent", "width")):
            if node.name == name and key in given:
                yield f"{name}({key}=...)", node
        if node.args:
            named = {"tojson": "tojson by position", "trim": "trim() of characters"}.get(node.name)
            named = "map() with a filter" if node.name == "map" else named
            named = "default() of what is false" if node.name in ("default", "d") and len(node.args) > 1 else named
            if named is not None:
                yield named, node


def _tests(syntax: Syntax) -> Found:
    for node in syntax.find("Test"):
        yield f"the test {node.name}", node
        if node.args:
            behind = syntax.text[syntax.place(node).end :].lstrip()
            yield ("a test with an argument" if behind.startswith("(") else "a test with a bare argument"), node


def _calls(syntax: Syntax) -> Found:
    for node in syntax.find("Call"):
        if node.dyn_args is not None:
            yield "*arguments", node
        if any(isinstance(pair.value, nodes.CondExpr) for pair in node.kwargs):
            yield "if in a named argument", node
        if isinstance(node.node, nodes.Getattr):
            yield from ((name, node.node) for name in _method(node.node.attr, node.args))
        elif isinstance(node.node, nodes.Name):
            if node.node.name == "namespace" and node.args:
                yield "namespace() of a dict", node.node
            if node.node.name == "range" and len(node.args) > 2 and isinstance(node.args[2], nodes.Neg):
                yield "range() with a negative step", node.node
            yield from _underscored((pair.key, pair) for pair in node.kwargs if node.node.name == "namespace")
    yield from _underscored((node.attr, node) for node in syntax.find("NSRef"))
    for node in syntax.find("Getattr"):
        if isinstance(node.node, nodes.Name) and node.node.name == "loop" and node.attr in LOOP:
            yield f"loop.{node.attr}" + ("" if node.attr == "depth" else "()"), node


def _underscored(named: Iterable[tuple[str, nodes.Node]]) -> Found:
    yield from (("a namespace attribute with a leading underscore", node) for name, node in named if name.startswith("_"))


def _method(name: str, args: Sequence[nodes.Node]) -> Iterator[str]:
    yield f".{name}()"
    if name in STRIPPING and args:
        yield f".{name}() of given characters"
    elif name in ("startswith", "endswith") and args and isinstance(args[0], nodes.Tuple):
        yield ".startswith() of a tuple"
    elif name == "split" and len(args) != 1:
        yield ".split() with a limit" if args else ".split() without a separator"
    elif name == "replace" and len(args) > 2:
        yield ".replace() with a count"


def _functions(template: Template) -> Found:
    """Names that the environment provides; one that the template asks for first is not needed."""
    asked = {read.name for read in template.names.reads if read.is_test and _is_definedness(read.inside)}
    for read in template.names.reads:
        if read.from_caller and not read.bindings and read.name not in asked:
            yield f"the function {read.name}", read.node
        if not read.name.isascii():
            yield "a name with letters beyond ASCII", read.node
        if read.name in ("varargs", "kwargs") and any(binding.kind == "built in" for binding in read.bindings):
            yield f"{read.name} in a macro", read.node


def _is_definedness(inside: Sequence[nodes.Node]) -> bool:
    return bool(inside) and isinstance(inside[-1], nodes.Test) and inside[-1].name in ("defined", "undefined")


def _written(syntax: Syntax) -> Iterator[tuple[str, Place]]:
    """What only the tokens tell."""
    before: tuple[int, str, str] = (0, "", "")
    marks = False
    for token in syntax.tokens:
        at, kind, text = token
        if kind == "whitespace":
            continue
        place = Place(at, at + len(text))
        if before[1] == "block_begin":
            marks = text in ("generation", "endgeneration")
        if marks and (before[2].endswith("{%-") or (kind == "block_end" and text.startswith("-"))):
            yield "{% generation %} with a minus", place
        if kind == "raw_begin":
            yield "{% raw %}", place
        elif kind == "block_begin" and text.endswith("+"):
            yield "a tag that begins with {%+", place
        elif kind == "string":
            if before[1] == "string":
                yield "text literals side by side", place
            yield from ((f'"\\{escape["letter"]}" in a text literal', place) for escape in ESCAPE.finditer(text))
        elif kind == "float" and "e" in text.lower():
            yield "a number with an exponent", place
        elif kind in ("integer", "float") and before[2] == ".":
            yield "a number after a dot", place
        elif text in ("]", "}") and before[2] == "," and kind == "operator":
            yield "a comma before a closing bracket", place
        before = token


def _lengths(syntax: Syntax) -> Found:
    """`x is not none and x|length`: where x is missing it is not none, and has no length anywhere but in Python.

    Messages have content; whoever leaves it out has other trouble.
    """
    for chain in syntax.find("And"):
        operands = list(conjuncts(chain))
        for index, operand in enumerate(operands):
            asked = _not_none(operand)
            if (
                not isinstance(asked, nodes.Getattr | nodes.Getitem)
                or _name_of(asked) == "content"
                or any(_asserts(other, asked) for other in operands[:index])
            ):
                continue
            for later in operands[index + 1 :]:
                if _asserts(later, asked):
                    break
                yield from (("the length of what may be missing", found) for found in lengths_of(later, asked))


def conjuncts(node: nodes.Node) -> Iterator[nodes.Node]:
    """What has to hold for a condition to hold."""
    if isinstance(node, nodes.And):
        yield from conjuncts(node.left)
        yield from conjuncts(node.right)
    else:
        yield node


def lengths_of(node: nodes.Node, asked: nodes.Node) -> Iterator[nodes.Node]:
    """The places in an expression or a statement where the length of a value is taken."""
    every = [node, *node.find_all(nodes.Filter)] if isinstance(node, nodes.Filter) else node.find_all(nodes.Filter)
    yield from (found for found in every if found.name in LENGTH and found.node == asked)


def none_guards(syntax: Syntax) -> Found:
    """`x is iterable` where x can be none, nothing else there keeps none out, and x is counted or walked through behind it."""
    if not any(test.name == "iterable" for test in syntax.find("Test")):
        return
    around = _around(syntax)
    for node in syntax.find("If", "CondExpr"):
        operands = list(conjuncts(node.test))
        inside = node.body if isinstance(node, nodes.If) else [node.expr1]
        for index, operand in enumerate(operands):
            if not (isinstance(operand, nodes.Test) and operand.name == "iterable" and _may_be_none(operand.node)):
                continue
            others = [other for other in operands if other is not operand]
            if any(_keeps_none_out(other, operand.node) for other in (*others, *around.get(id(node), ()))):
                continue
            if any(_is_used(part, operand.node) for part in (*operands[index + 1 :], *inside)):
                yield "the test iterable on none", operand


def _may_be_none(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem) and _name_of(node) in NULLABLE


def _name_of(node: nodes.Node) -> object:
    """The variable, attribute or key that an expression asks for by name."""
    return getattr(node, "name", None) or getattr(node, "attr", None) or getattr(getattr(node, "arg", None), "value", None)


def _around(syntax: Syntax) -> dict[int, list[nodes.Node]]:
    """What holds where each condition stands, by the ifs around it."""
    holds: dict[int, list[nodes.Node]] = {}
    for outer in syntax.find("If"):
        asked = list(conjuncts(outer.test))
        for part in outer.body:
            for inner in (part, *part.find_all((nodes.If, nodes.CondExpr))):
                holds.setdefault(id(inner), []).extend(asked)
    return holds


def _keeps_none_out(node: nodes.Node, asked: nodes.Node) -> bool:
    if getattr(node, "name", None) in ("iterable", "defined"):
        return False
    return _asserts(node, asked) or _not_none(node) == asked


def _is_used(node: nodes.Node, asked: nodes.Node) -> bool:
    loops = [node, *node.find_all(nodes.For)] if isinstance(node, nodes.For) else node.find_all(nodes.For)
    return any(True for _ in lengths_of(node, asked)) or any(loop.iter == asked for loop in loops)


def _not_none(node: nodes.Node) -> nodes.Node | None:
    """The value of which a condition says that it is not none."""
    if isinstance(node, nodes.Not) and isinstance(node.node, nodes.Test) and node.node.name == "none":
        asked = node.node.node
    elif isinstance(node, nodes.Compare) and node.ops[0].op == "ne" and node.ops[0].expr == nodes.Const(None):
        asked = node.expr
    else:
        return None
    return asked


def _asserts(node: nodes.Node, asked: nodes.Node) -> bool:
    """Whether a condition holds for no missing value: the value's own truth, or a test of it."""
    return node == asked or (isinstance(node, nodes.Test) and node.node == asked and node.name not in ("none", "undefined"))
