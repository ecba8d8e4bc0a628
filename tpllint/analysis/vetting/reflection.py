"""The places where a template asks for Python's own objects: attributes that lead out of the sandbox, however they are named.

In most cases nothing raises: what the sandbox hides is undefined, and `is defined` is false. So they are found in the syntax
tree, with names that are put together folded, and never by waiting for an error.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import nodes

from tpllint.analysis.folding import NOT_CONSTANT

if TYPE_CHECKING:
    from tpllint.analysis.folding import Folding
    from tpllint.analysis.syntax import Syntax
    from tpllint.analysis.template import Template
    from tpllint.analysis.vetting.dependence import Dependence

INTERNAL = frozenset(
    [
        "mro",
        "gi_frame",
        "gi_code",
        "gi_yieldfrom",
        "cr_frame",
        "cr_code",
        "cr_await",
        "cr_origin",
        "ag_frame",
        "ag_code",
        "ag_await",
        "tb_frame",
        "tb_next",
        "f_globals",
        "f_locals",
        "f_builtins",
        "f_code",
        "f_back",
        "func_globals",
        "func_code",
        "func_closure",
        "func_defaults",
        "im_func",
        "im_self",
        "im_class",
        "co_code",
        "co_consts",
        "co_names",
    ]
)
"""Attributes of types, frames, generators, coroutines, tracebacks and functions, of this Python and of older ones."""
MUTATING = frozenset(
    ["append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault", "sort", "update"]
)
ATTRIBUTE_AT = {
    "attr": 0,
    "selectattr": 0,
    "rejectattr": 0,
    "groupby": 0,
    "sum": 0,
    "sort": 2,
    "min": 1,
    "max": 1,
    "unique": 1,
    "join": 1,
}
"""Filters that take the name of an attribute, and which argument it is. `map` is one more."""
OF_JINJA = frozenset(("self", "super", "loop", "caller", "varargs", "kwargs"))
FIELD = re.compile(r"\{[^{}]*\}")
STEP = re.compile(r"[.\[]\s*([^.\[\]{}!:]+)")
DUNDER = re.compile(r"__\w+__")
"""What Python names its own attributes."""
FORMATTING = ("format", "format_map")


class Attempt(NamedTuple):
    """One place where a template asks for what the sandbox hides.

    `name` is the attribute; where it is not known before the template runs, None. Then `by` tells who decides it: "messages" or
    "anything". `kind` is "attribute", "field" for one in a format string, "format" where a message is the format string, and
    "change" for a method that changes data and is asked for in a way that hides it.
    """

    node: nodes.Node
    name: str | None
    kind: str = "attribute"
    by: str = ""


def attempts(template: Template) -> tuple[Attempt, ...]:
    """All of them, in source order; of a chain of attributes the first one."""
    if template.syntax is None or template.folding is None:
        return ()
    search = _Search(template)
    found = {id(attempt.node): attempt for attempt in search.all()}
    first = (attempt for attempt in found.values() if not any(id(base) in found for base in _bases(attempt.node)))
    return tuple(sorted(first, key=lambda attempt: attempt.node.lineno or 0))


def _bases(node: nodes.Node) -> Iterator[nodes.Node]:
    """What an attribute, an item, a call or a filter is of, step by step."""
    inner = getattr(node, "node", None)
    while isinstance(inner, nodes.Node):
        yield inner
        inner = getattr(inner, "node", None)


class _Search:
    def __init__(self, template: Template) -> None:
        assert template.syntax is not None
        assert template.folding is not None
        assert template.dependence is not None
        self._syntax: Syntax = template.syntax
        self._folding: Folding = template.folding
        self._dependence: Dependence = template.dependence

    def all(self) -> Iterator[Attempt]:
        yield from self._attributes()
        yield from self._items()
        for node in self._syntax.find("Filter"):
            yield from self._filter(node)
        yield from self._names()
        yield from self._rounds()

    def _attributes(self) -> Iterator[Attempt]:
        """By dot."""
        for node in self._syntax.find("Getattr"):
            name = _normal(node.attr)
            if name[0] == "_" or name in INTERNAL:
                if is_hidden(name) or self._is_helper(node.node):
                    yield Attempt(node, name)
            elif name in FORMATTING:
                yield from self._format(node, node.node)
        for node in self._syntax.find("NSRef"):
            if is_hidden(name := _normal(node.attr)):
                yield Attempt(node, name)

    def _items(self) -> Iterator[Attempt]:
        """By subscript, which Jinja takes for an attribute where there is no such key."""
        for node in self._syntax.find("Getitem"):
            name = self._folding.value(node.arg)
            if not isinstance(name, str):
                continue
            if is_hidden(name := _normal(name)):
                yield Attempt(node, name)
            elif name in FORMATTING:
                yield from self._format(node, node.node)
            elif name in MUTATING and id(node) in self._called:
                yield Attempt(node, name, "change")

    def _filter(self, node: nodes.Filter) -> Iterator[Attempt]:
        for argument in _attribute_arguments(node, self._folding):
            path = self._folding.value(argument)
            if isinstance(path, str):
                yield from self._path(node, path)
            elif path is NOT_CONSTANT and (node.name == "attr" or not isinstance(argument, nodes.Const)):
                by = "messages" if self._dependence.holds_words(argument) else "anything"
                if by == "messages" or node.name == "attr":
                    yield Attempt(node, None, by=by)

    def _path(self, node: nodes.Filter, path: str) -> Iterator[Attempt]:
        whole = node.name == "attr"
        for name in [path] if whole else re.split(r"[.,]", path):
            step = _normal(name.strip())
            if is_hidden(step) or (whole and step.startswith("_")):
                yield Attempt(node, step)
            elif whole and step in FORMATTING:
                yield from self._format(node, node.node)
            elif whole and step in MUTATING:
                yield Attempt(node, step, "change")

    def _format(self, node: nodes.Node, text: nodes.Node | None) -> Iterator[Attempt]:
        """The fields of a format string, which can ask for attributes of what is put in."""
        value = self._folding.value(text)
        if isinstance(value, str):
            steps = (_normal(step.strip(" '\"")) for field in FIELD.findall(value) for step in STEP.findall(field))
            yield from (Attempt(node, step, "field") for step in steps if step.startswith("_") or step in INTERNAL)
        elif value is NOT_CONSTANT and self._dependence.holds_words(text):
            yield Attempt(node, None, "format", by="messages")

    def _names(self) -> Iterator[Attempt]:
        """Variables such as `__builtins__` that the template does not set itself."""
        hidden = [node for node in self._syntax.find("Name") if DUNDER.fullmatch(node.name)]
        own = {node.name for node in hidden if node.ctx != "load"} | {macro.name for macro in self._syntax.find("Macro")}
        yield from (Attempt(node, node.name) for node in hidden if node.name not in own)

    def _rounds(self) -> Iterator[Attempt]:
        """Loops over names that nothing but an attribute has."""
        for loop in self._syntax.find("For"):
            if isinstance(loop.iter, nodes.List | nodes.Tuple):
                names = [self._folding.value(item) for item in loop.iter.items]
                yield from (Attempt(loop.iter, name) for name in names if isinstance(name, str) and DUNDER.fullmatch(name))

    def _is_helper(self, node: nodes.Node) -> bool:
        """Whether it is one of the objects that Jinja and transformers provide, a macro or a literal, and not data."""
        set_to = self._folding.only_setting(node.name) if isinstance(node, nodes.Name) else None
        return self._is_provided(node) or (set_to is not None and self._is_provided(set_to))

    def _is_provided(self, node: nodes.Node) -> bool:
        maker = node.node if isinstance(node, nodes.Call) else node
        if isinstance(maker, nodes.Name):
            holds_data = maker is not node and maker.name in ("namespace", "dict")
            return not holds_data and (maker.name in self._syntax.globals | OF_JINJA or maker.name in self._macros)
        return isinstance(node, nodes.Const | nodes.TemplateData)

    @functools.cached_property
    def _called(self) -> frozenset[int]:
        return frozenset(id(call.node) for call in self._syntax.find("Call"))

    @functools.cached_property
    def _macros(self) -> frozenset[str]:
        return frozenset(macro.name for macro in self._syntax.find("Macro"))


def is_hidden(name: str) -> bool:
    """Whether the name itself tells that it is Python's: `__class__`, `_Class__private`, `gi_frame`."""
    return name.startswith("__") or (name.startswith("_") and "__" in name) or name in INTERNAL


def _normal(name: str) -> str:
    """A name as Python's parser would read it: fullwidth and mathematical letters are plain ones."""
    return name if name.isascii() else unicodedata.normalize("NFKC", name)


def _attribute_arguments(node: nodes.Filter, folding: Folding) -> Iterator[Any]:
    """The arguments of a filter that name an attribute."""
    arguments = list(node.args)
    if isinstance(node.dyn_args, nodes.List | nodes.Tuple):
        arguments += node.dyn_args.items
    if node.name == "map":
        filtered = folding.value(arguments[0]) if arguments else None
        at = 1 if filtered == "attr" else None
    else:
        at = ATTRIBUTE_AT.get(node.name, len(arguments))
        if node.name not in ATTRIBUTE_AT:
            return
    if at is not None:
        yield from arguments[at : at + 1]
    named = [*node.kwargs, *(node.dyn_kwargs.items if isinstance(node.dyn_kwargs, nodes.Dict) else ())]
    for pair in named:
        key = pair.key if isinstance(pair.key, str) else folding.value(pair.key)
        if key == "attribute" or (key == "name" and node.name == "attr"):
            yield pair.value
