"""Macros and loops that call themselves and get no nearer to an end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import nodes

from tpllint.analysis.cost.nesting import Loop, Nesting, calls, parts
from tpllint.analysis.syntax import Syntax

MAX_MACROS = 100
"""Of more macros the first ones are looked at."""


def endless_macros(syntax: Syntax, nesting: Nesting) -> Iterator[nodes.Call]:
    """Calls that lead back to where they stand without fail, or with the same arguments and nothing that changed."""
    macros = {macro.name: macro for macro in nesting.macros[:MAX_MACROS]}
    called = [call for call in syntax.find("Call") if _callee(call) in macros]
    callees = {name: {_callee(call) for call in nesting.inside(macro, called)} for name, macro in macros.items()}
    certain: dict[str, list[nodes.Call]] = {}
    for name, macro in macros.items():
        if name in _reached(callees, name):
            set_here = _names_set(syntax, nesting, macro)
            meant = callees[name] - set_here - {argument.name for argument in macro.args}
            own = ((call, maybe) for call, maybe in calls(macro.body) if _callee(call) in meant)
            certain[name] = [call for call, maybe in own if not maybe or _repeats(call, macro, set_here)]
    graph = {name: {_callee(call) for call in found} for name, found in certain.items()}
    for name, found in certain.items():
        yield from (call for call in found if name == _callee(call) or name in _reached(graph, _callee(call)))


def endless_loops(loops: list[Loop]) -> Iterator[nodes.Call]:
    """Calls of a recursive loop with what it is looping over, or with a new list of the same item."""
    for loop in loops:
        if loop.node.recursive:
            changes = any(isinstance(part, nodes.NSRef) for part in parts(loop.node))
            steered = sum(getattr(part, "name", None) == "loop" for part in parts(loop.node))
            own = [(call, maybe) for call, maybe in calls(loop.node.body) if _callee(call) == "loop" and call.args]
            settled = not changes and steered == len(own)
            yield from (call for call, maybe in own if (not maybe or settled) and _is_no_step(call.args[0], loop.node))


def _callee(call: Any) -> Any:
    """The name that a call calls."""
    return call.node.name if isinstance(call.node, nodes.Name) else None


def _reached(graph: Mapping[Any, set[Any]], start: Any) -> set[Any]:
    """What can be come to from a macro."""
    found: set[Any] = set()
    waiting = list(graph.get(start, ()))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(graph.get(name, ()))
    return found


def _names_set(syntax: Syntax, nesting: Nesting, macro: nodes.Macro) -> set[str]:
    """The names that mean something else inside a macro than outside, its parameters apart; a dot for values of namespaces."""
    parameters = {id(argument) for argument in macro.args}
    named = (name for name in syntax.find("Name") if name.ctx != "load" and id(name) not in parameters)
    kept = {"."} if nesting.inside(macro, list(syntax.find("NSRef"))) else set()
    return kept | {name.name for name in nesting.inside(macro, list(named))}


def _repeats(call: nodes.Call, macro: nodes.Macro, set_here: set[str]) -> bool:
    """Whether a macro calls itself with every argument as it got it, and changes nothing else."""
    parameters = [argument.name for argument in macro.args]
    if _callee(call) != macro.name or call.dyn_args or call.dyn_kwargs or {".", *parameters} & set_here:
        return False
    passed = [*zip(parameters, call.args, strict=False), *((keyword.key, keyword.value) for keyword in call.kwargs)]
    unchanged = {name for name, value in passed if isinstance(value, nodes.Name) and value.name == name}
    return unchanged == set(parameters) and len(call.args) + len(call.kwargs) == len(parameters)


def _is_no_step(passed: Any, loop: nodes.For) -> bool:
    """Whether what a loop is called with is no smaller than what it loops over."""
    if isinstance(passed, nodes.Name) and isinstance(loop.iter, nodes.Name):
        return passed.name == loop.iter.name
    targets = {part.name for part in parts(loop.target) if isinstance(part, nodes.Name)}
    return (
        isinstance(passed, nodes.List | nodes.Tuple)
        and bool(passed.items)
        and all(isinstance(item, nodes.Const) or getattr(item, "name", None) in targets for item in passed.items)
    )
