"""What a template would cost, as its syntax tells before anything is executed: loops in loops, huge texts, endless recursion.

Only what no chat needs is told: each of these bounds is far above what a template can mean. What is not constant counts as one,
so that nothing is told of what depends on the conversation, except where the cost grows faster than any conversation does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from jinja2 import nodes

from tpllint.analysis.cost.nesting import Loop, Nesting, calls, parts
from tpllint.analysis.cost.recursion import endless_loops, endless_macros
from tpllint.analysis.cost.sizes import ENDLESS, LARGEST, SAME_LENGTH, Sizes, field
from tpllint.analysis.syntax import Syntax
from tpllint.quoting import quoted
from tpllint.span import Place

MAX_TURNS = 1_000_000
"""So many turns of nested loops no chat needs."""
MAX_LENGTH = 1_000_000
"""So many characters or items no expression needs."""
MAX_DIGITS = 4300
"""A number with more of them Python does not write."""
MAX_COPIES = 20
"""So often no prompt repeats a conversation."""
MAX_STEPS = 50
"""Of a longer chain of replacements the last ones are looked at."""
MAX_CALLS_DEEP = 4
"""So deep macros that call each other are followed."""
CUBIC = 3
"""So many loops over the characters of a message inside each other."""
LIPSUM_DEFAULTS = (5, True, 20, 100)
CHARACTERS_OF_A_WORD = 6
BY_WIDTH = {"center": 0, "indent": 0, "tojson": 0, "slice": 0, "ljust": 0, "rjust": 0, "zfill": 0, "expandtabs": 0}
"""Filters and methods whose result is as long as an argument says, and which one that is."""
WIDTH_NAMES = ("width", "indent", "slices", "tabsize")
TOO_LONG = "{{}} makes a text or list of {} characters or items"
INTERESTING = ("Assign", "For", "Pow", "Mul", "Mod", "Filter", "Call")


class Cost(NamedTuple):
    """Code that costs more than any chat needs, and a sentence that says so."""

    place: Place
    says: str


class Found(NamedTuple):
    """The node that costs so much; `says` has a gap for its code."""

    node: nodes.Node
    says: str


def costs(syntax: Syntax) -> Iterator[Cost]:
    """What costs more than any chat needs, in the order of the source; of one in another the outer one."""
    placed = [(syntax.expression(found.node), found.says) for found in _outermost(list(_found(syntax)))]
    for place, says in sorted(placed, key=lambda one: one[0].start):
        yield Cost(place, says.format(quoted(syntax.text[place.start : place.end])))


def _outermost(found: list[Found]) -> Iterator[Found]:
    """Each node once, and none that is part of another one."""
    inside: set[int] = set()
    waiting: list[nodes.Node] = [child for one in found for child in one.node.iter_child_nodes()]
    while waiting:
        node = waiting.pop()
        if id(node) not in inside:
            inside.add(id(node))
            waiting.extend(node.iter_child_nodes())
    yield from ({id(one.node): one for one in reversed(found) if id(one.node) not in inside}).values()


def _found(syntax: Syntax) -> Iterator[Found]:
    sizes = Sizes()
    nesting = Nesting(syntax.tree)
    by_node = {id(loop.node): loop for loop in nesting.loops}
    for node in syntax.find(*INTERESTING):
        if isinstance(node, nodes.Assign):
            sizes.learn(node.target, node.node)
        elif isinstance(node, nodes.For):
            loop = by_node[id(node)]
            loop.turns, loop.over_content = sizes.turns(node.iter), sizes.is_content(node.iter)
        else:
            yield from _of_expression(node, sizes)
    _count_calls(nesting)
    yield from _of_loops(nesting.loops)
    yield from _of_growing(nesting.loops, sizes)
    yield from (Found(node, "{} brings its macro back to itself without end") for node in endless_macros(syntax, nesting))
    yield from (Found(node, "{} begins the same loop again without end") for node in endless_loops(nesting.loops))


def _of_expression(node: Any, sizes: Sizes) -> Iterator[Found]:
    if isinstance(node, nodes.Pow):
        if _digits(node, sizes) > MAX_DIGITS:
            yield Found(node, f"{{}} computes a number of {_about(_digits(node, sizes))} digits")
        return
    if isinstance(node, nodes.Filter) and node.name == "replace":
        length = _after_replacing(node, sizes)
    else:
        length = _length(node, sizes)
    if length > MAX_LENGTH:
        yield Found(node, TOO_LONG.format(_about(length)))


def _digits(node: nodes.Pow, sizes: Sizes) -> float:
    base, exponent = sizes.number(node.left), sizes.number(node.right)
    base = 2 if base is None else abs(base)
    return exponent * math.log10(base) if exponent is not None and exponent > 0 and base > 1 else 0


def _length(node: Any, sizes: Sizes) -> float:
    if isinstance(node, nodes.Mul):
        return sizes.length(node) or 0
    if isinstance(node, nodes.Mod):
        pattern = sizes.text(node.left)
        passed = node.right.items if isinstance(node.right, nodes.Tuple) else [node.right]
        return sizes.printf_width(pattern, passed) if pattern else 0
    if isinstance(node, nodes.Filter):
        return _of_filter(node, sizes)
    return _of_call(node, sizes)


def _of_filter(node: nodes.Filter, sizes: Sizes) -> float:
    if node.name == "format":
        pattern = sizes.text(node.node)
        return sizes.printf_width(pattern, node.args) if pattern else 0
    if node.name == "batch" and len(node.args) > 1:
        return sizes.number(node.args[0]) or 0
    return _widest(node.name, node, sizes)


def _of_call(node: nodes.Call, sizes: Sizes) -> float:
    if isinstance(node.node, nodes.Name):
        return _of_lipsum(node, sizes) if node.node.name == "lipsum" else 0
    if not isinstance(node.node, nodes.Getattr):
        return 0
    if node.node.attr == "format":
        pattern = sizes.text(node.node.node)
        arguments = [*node.args, *(keyword.value for keyword in node.kwargs)]
        return sizes.format_width(pattern, arguments) if pattern else 0
    return _widest(node.node.attr, node, sizes)


def _widest(name: str, node: Any, sizes: Sizes) -> float:
    """How wide a filter or method makes its result, by the argument that says so."""
    if name not in BY_WIDTH:
        return 0
    named = [keyword.value for keyword in node.kwargs if keyword.key in WIDTH_NAMES]
    asked = [*node.args[BY_WIDTH[name] :][:1], *named]
    return max((sizes.number(each) or sizes.length(each) or 0 for each in asked), default=0)


def _of_lipsum(node: nodes.Call, sizes: Sizes) -> float:
    """The characters of `lipsum(n, html, min, max)`."""
    named = {keyword.key: keyword.value for keyword in node.kwargs}
    asked = {name: (*node.args[at : at + 1], named.get(name))[0] for at, name in ((0, "n"), (2, "min"), (3, "max"))}
    known = {name: sizes.number(node) if node is not None else None for name, node in asked.items()}
    paragraphs = known["n"] if known["n"] is not None else LIPSUM_DEFAULTS[0]
    words = max(known["min"] or LIPSUM_DEFAULTS[2], known["max"] or LIPSUM_DEFAULTS[3])
    return paragraphs * words * CHARACTERS_OF_A_WORD


def _after_replacing(node: nodes.Filter, sizes: Sizes) -> float:
    """How long one character gets in a chain of replacements, each of which finds what the one before it wrote."""
    steps: list[tuple[str, str]] = []
    current: Any = node
    while len(steps) < MAX_STEPS and isinstance(current, nodes.Filter) and current.name == "replace" and len(current.args) > 1:
        old, new = sizes.text(current.args[0]), sizes.text(current.args[1])
        if not old or new is None:
            break
        steps.append((old, new))
        current = current.node
    grown = 1.0
    for (_, written), (sought, _) in zip(reversed(steps), list(reversed(steps))[1:], strict=False):
        grown *= max(written.count(sought), 1)
    return grown * len(steps[0][1]) if len(steps) > 1 else 0


def _count_calls(nesting: Nesting) -> None:
    """Let the loops of each macro know how often other loops call it."""
    within = {loop.macro.name for loop in nesting.loops if loop.macro and (loop.turns or 0) > 1}
    for _ in range(MAX_CALLS_DEEP if within else 0):
        often: dict[str, float] = {}
        for loop in nesting.loops:
            for call, _conditional in calls(loop.node.body) if loop.together > 1 else ():
                if isinstance(call.node, nodes.Name) and call.node.name in within:
                    often[call.node.name] = max(often.get(call.node.name, 1), loop.together)
        for loop in nesting.loops:
            loop.called = often.get(loop.macro.name, 1) if loop.macro else 1


def _of_loops(every: Sequence[Loop]) -> Iterator[Found]:
    for loop in every:
        outer = loop.outer
        together, before = loop.together, outer.together if outer else 1
        if together > MAX_TURNS and not (outer and before > MAX_TURNS) and (outer or loop.called > 1):
            yield Found(loop.node.iter, f"a loop over {{}} runs {_about(together)} times in all, with the loops around it")
        over_content = [one for one in (loop, *loop.around) if one.over_content]
        if loop.over_content and len(over_content) == CUBIC:
            yield Found(loop.node.iter, f"a loop over the text {{}} stands in {CUBIC - 1} others over such texts")
        if loop.turns is not None and loop.turns >= MAX_COPIES and _repeats_messages(loop):
            yield Found(loop.node.iter, f"a loop over {{}} writes each message {_about(loop.turns)} times")


def _repeats_messages(loop: Loop) -> bool:
    """Whether each turn of a loop writes the text of a message, whatever the turn is."""
    within = [one.node for one in loop.within if not one.conditional_in(loop)]
    at_once = [*loop.at_once, *(statement for one in within for statement in one.body)]
    return not loop.ends_early and any(_writes_content(statement) for statement in at_once)


def _writes_content(statement: nodes.Node) -> bool:
    outputs = (part for part in parts(statement) if isinstance(part, nodes.Output))
    return any(field(part) == "content" for output in outputs for part in parts(output))


def _of_growing(every: Sequence[Loop], sizes: Sizes) -> Iterator[Found]:
    """Values that every turn of a loop doubles."""
    for loop in every:
        for assign in loop.settings:
            factor = _factor(assign, sizes)
            turns = loop.together if loop.turns is not None else ENDLESS
            if factor > 1 and turns * math.log10(factor) > math.log10(MAX_LENGTH):
                often = "at every turn of a loop" if turns == ENDLESS else f"in each of {_about(turns)} turns of a loop"
                yield Found(assign.node, f"{{}} makes a value {_about(factor)} times as long {often}")


def _factor(assign: nodes.Assign, sizes: Sizes) -> float:
    """How many times its own length a setting gives a value of a namespace."""
    target, value = assign.target, assign.node
    if not isinstance(target, nodes.NSRef):
        return 1  # any other name is a new one in every turn
    if isinstance(value, nodes.Filter) and value.name == "replace" and _is(value.node, target) and len(value.args) > 1:
        old, new = sizes.text(value.args[0]), sizes.text(value.args[1])
        return max(new.count(old), 1) if old and new else 1
    is_text = sizes.length(nodes.Getattr(nodes.Name(target.name, "load"), target.attr, "load")) is not None
    if isinstance(value, nodes.Concat):
        return max(sum(_is(part, target) for part in value.nodes), 1)
    if isinstance(value, nodes.Add) and is_text:
        return max(sum(_is(part, target) for part in _terms(value)), 1)
    if isinstance(value, nodes.Mul):
        both = _is(value.left, target) and _is(value.right, target)
        by = sizes.number(value.right if _is(value.left, target) else value.left)
        own = _is(value.left, target) or _is(value.right, target)
        return 2 if both else max(by or 1, 1) if own and is_text else 1
    return 1


def _terms(value: nodes.Expr) -> list[nodes.Expr]:
    found: list[nodes.Expr] = []
    while isinstance(value, nodes.Add):
        found.append(value.right)
        value = value.left
    return [*found, value]


def _is(read: Any, target: nodes.NSRef) -> bool:
    """Whether an expression reads what a setting sets."""
    while isinstance(read, nodes.Filter) and read.name in SAME_LENGTH:
        read = read.node
    return isinstance(read, nodes.Getattr) and getattr(read.node, "name", None) == target.name and read.attr == target.attr


def _about(number: float) -> str:
    """A count for a person: exact up to where it is only "more than"."""
    return f"{number:,.0f}" if number < LARGEST else "more than 10**15"
