"""What the value of an expression depends on: the words of a message, its length or role, the date, the number of messages.

Values are followed by the names they are given, through assignments, loops, macros, blocks and namespaces, in no order: what a
name can ever hold counts at each of its reads. That says too much rather than too little.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from jinja2 import nodes

from tpllint.analysis.syntax import Syntax

CONVERSATION, CONTENT, LENGTH, ROLE, KIND, NAME = "conversation", "content", "length", "role", "kind", "name"
COUNT, POSITION, TOOLS, DATE, RANDOM, ENGINE, VARIABLE = "count", "position", "tools", "date", "random", "engine", "variable"

Sources = frozenset[str]
NONE: Sources = frozenset()
WORDS = frozenset((CONVERSATION, CONTENT))
"""Where words of messages are."""
_GIVEN = {
    "messages": frozenset({CONVERSATION}),
    "tools": frozenset({TOOLS}),
    "documents": frozenset({TOOLS}),
    "loop": frozenset({POSITION}),
    "add_generation_prompt": NONE,
}
"""What names hold from the start."""
_KEYS = {"role": ROLE, "from": ROLE, "type": KIND, "name": NAME}
_STRUCTURE = frozenset(("tool_calls", "function", "function_call", "functions", "tools", "previtem", "nextitem"))
_TEXTS = frozenset(("content", "text", "value", "reasoning_content", "reasoning", "thinking", "refusal"))
"""Keys under which messages and their parts say something; any other is the client's own, and structure."""
_DATA = frozenset(("arguments", "parameters", "properties", "id", "tool_call_id", "documents"))
"""Keys under which a message holds messages, or what a program wrote."""
_COUNTING = ("length", "count")
_SPELLING = ("string", "tojson", "pprint", "urlencode", "join")
"""Filters that make a text of whatever they are given."""
_ROUNDS = 5
"""How often values are handed on from name to name."""


class _Flow(NamedTuple):
    """A name, or a field of a namespace, and an expression whose value it can hold."""

    name: str
    value: nodes.Node


class Dependence:
    """The sources of every expression of a template."""

    def __init__(self, syntax: Syntax) -> None:
        self._globals = syntax.globals
        self._held: dict[str, Sources] = defaultdict(frozenset, _GIVEN)
        self._macros = {macro.name: macro for macro in syntax.find("Macro")}
        self._settle(tuple(self._flows(syntax)))

    def of(self, node: nodes.Node | None) -> Sources:
        """The sources of an expression's value."""
        if node is None:
            return NONE
        asked = self._OF.get(type(node))
        return self._all(node.iter_child_nodes()) if asked is None else asked(self, node)

    def holds_words(self, node: nodes.Node | None) -> bool:
        """Whether what messages say can be in an expression's value, and not just decide on it."""
        if node is None or isinstance(node, nodes.Compare | nodes.Test | nodes.Not):
            return False
        if isinstance(node, nodes.CondExpr):
            return self.holds_words(node.expr1) or self.holds_words(node.expr2)
        if isinstance(node, nodes.Getitem):
            return bool(self._entry_of(node) & WORDS)
        if isinstance(node, nodes.BinExpr | nodes.Concat | nodes.List | nodes.Tuple | nodes.Output):
            return any(map(self.holds_words, node.iter_child_nodes()))
        return bool(self.of(node) & WORDS)

    def _settle(self, flows: tuple[_Flow, ...]) -> None:
        for _ in range(_ROUNDS):
            changed = False
            for flow in flows:
                before = self._held.get(flow.name)
                after = (before or NONE) | self.of(flow.value)
                if after != before:
                    self._held[flow.name], changed = after, True
            if not changed:
                return

    def _flows(self, syntax: Syntax) -> Iterator[_Flow]:
        for node in syntax.find("Assign", "For", "With", "AssignBlock", "Call"):
            yield from self._FLOWS[type(node)](self, node)

    def _assigned(self, node: nodes.Assign) -> Iterator[_Flow]:
        yield from _into(node.target, node.node)
        if isinstance(node.node, nodes.Call) and isinstance(node.target, nodes.Name):
            for keyword in node.node.kwargs:
                yield _Flow(f"{node.target.name}.{keyword.key}", keyword.value)

    def _looped(self, node: nodes.For) -> Iterator[_Flow]:
        yield from _into(node.target, node.iter)

    def _with(self, node: nodes.With) -> Iterator[_Flow]:
        for target, value in zip(node.targets, node.values, strict=True):
            yield from _into(target, value)

    def _block(self, node: nodes.AssignBlock) -> Iterator[_Flow]:
        for output in node.find_all(nodes.Output):
            yield from _into(node.target, output)

    def _called(self, node: nodes.Call) -> Iterator[_Flow]:
        macro = self._macros.get(node.node.name) if isinstance(node.node, nodes.Name) else None
        if macro is None:
            return
        for parameter, value in zip(macro.args, node.args, strict=False):
            yield _Flow(parameter.name, value)
        for keyword in node.kwargs:
            yield _Flow(keyword.key, keyword.value)

    _FLOWS: Any = {  # noqa: RUF012 - a table that nobody changes
        nodes.Assign: _assigned,
        nodes.For: _looped,
        nodes.With: _with,
        nodes.AssignBlock: _block,
        nodes.Call: _called,
    }

    def _all(self, children: Iterable[nodes.Node]) -> Sources:
        return NONE.union(*map(self.of, children))

    def _name(self, node: nodes.Name) -> Sources:
        if node.name in self._held:
            return self._held[node.name]
        if node.name in self._globals or node.name in self._macros or node.name.endswith("_token"):
            return NONE
        return frozenset({VARIABLE})

    def _nothing(self, _: nodes.Node) -> Sources:
        return NONE

    def _attribute(self, node: nodes.Getattr) -> Sources:
        return self._entry(node.node, node.attr)

    def _item(self, node: nodes.Getitem) -> Sources:
        return self._entry_of(node) | self.of(node.arg)

    def _entry_of(self, node: nodes.Getitem) -> Sources:
        """What is picked, whatever it is picked by."""
        key = _text(node.arg)
        if key is not None:
            return self._entry(node.node, key)
        held = self.of(node.node)
        is_far = isinstance(node.arg, nodes.Const) and node.arg.value not in (0, -1) and CONVERSATION in held
        return held | {COUNT} if is_far else held  # whether there is one depends on how many there are

    def _entry(self, owner: nodes.Node, key: str) -> Sources:
        """What stands under a key of a message, a tool or a namespace."""
        if isinstance(owner, nodes.Name) and f"{owner.name}.{key}" in self._held:
            return self._held[f"{owner.name}.{key}"]
        held = self.of(owner)
        if not held & {CONVERSATION, TOOLS, CONTENT, POSITION}:
            return held
        if key in _KEYS:
            return frozenset({_KEYS[key]})
        if POSITION in held:
            return frozenset({CONVERSATION if key in _STRUCTURE else POSITION})
        if key in _TEXTS and held & {CONVERSATION, CONTENT}:
            return frozenset({CONTENT})
        if CONVERSATION in held:
            return frozenset({CONVERSATION if key in _STRUCTURE else TOOLS if key in _DATA else KIND})
        return held

    def _filtered(self, node: nodes.Filter) -> Sources:
        held = self.of(node.node)
        if node.name == "random":
            return frozenset({RANDOM})
        if node.name in _COUNTING:
            return _counted(held) | ({COUNT} if isinstance(node.node, nodes.Name) and node.node.name == "tools" else NONE)
        if node.name in _SPELLING and CONVERSATION in held:
            return held | {CONTENT}
        keys = [text for text in map(_text, (*node.args, *(keyword.value for keyword in node.kwargs))) if text in _KEYS]
        if node.name == "map" and keys:
            return frozenset(_KEYS[key] for key in keys)
        return held.union((_KEYS[key] for key in keys), *map(self.of, node.args))

    def _call(self, node: nodes.Call) -> Sources:
        arguments = self._all((*node.args, *(keyword.value for keyword in node.kwargs)))
        if isinstance(node.node, nodes.Name):
            made = {"strftime_now": frozenset({DATE}), "lipsum": frozenset({RANDOM}), "raise_exception": NONE}
            return made.get(node.node.name, self.of(node.node) | arguments)
        if not isinstance(node.node, nodes.Getattr):
            return self.of(node.node) | arguments
        key = _text(node.args[0]) if node.node.attr == "get" and node.args else None
        return self.of(node.node.node) | arguments if key is None else self._entry(node.node.node, key)

    _OF: Any = {  # noqa: RUF012 - a table that nobody changes
        nodes.Name: _name,
        nodes.Const: _nothing,
        nodes.TemplateData: _nothing,
        nodes.Getattr: _attribute,
        nodes.Getitem: _item,
        nodes.Filter: _filtered,
        nodes.Call: _call,
    }


def _counted(held: Sources) -> Sources:
    """The sources of a length, by what it is the length of."""
    counts = {CONTENT: LENGTH, CONVERSATION: COUNT, POSITION: COUNT}
    return frozenset(counts.get(source, source) for source in held)


def _into(target: nodes.Node, value: nodes.Node) -> Iterator[_Flow]:
    if isinstance(target, nodes.NSRef):
        yield _Flow(f"{target.name}.{target.attr}", value)
    elif isinstance(target, nodes.Name):
        yield _Flow(target.name, value)
    else:
        for name in target.find_all(nodes.Name):
            yield _Flow(name.name, value)


def _text(node: nodes.Node) -> str | None:
    return node.value if isinstance(node, nodes.Const) and isinstance(node.value, str) else None
