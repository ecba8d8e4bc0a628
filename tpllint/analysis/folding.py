"""Constant folding: what the expressions of a template are worth where no input decides it, found without running any of it.

What a template writes need not stand in its source: `'ht' ~ 'tps'`, `'%c' | format(65)` and `names[::-1]` are texts too.
Jinja would fold some of that itself while it compiles, which is execution without bounds. Here every step is counted, and
what is too long, too deep or anything but plain data is not constant. Nothing is ever called but methods of plain data.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from jinja2 import nodes

from tpllint.analysis.scopes import Names, Read
from tpllint.analysis.syntax import Syntax, walk
from tpllint.span import Place

MAX_LENGTH = 20_000
"""Of a text or a list that an operation makes."""
MAX_STEPS = 50_000
"""Of one template: expressions that are looked at."""
MAX_MADE = 1_000_000
"""Of one template: characters and items that operations make."""
MAX_DEPTH = 60
MAX_ROUNDS = 2_000
"""Of a loop that is followed."""
MAX_BITS = 64
MANY = 8
"""Pieces of a character or two make a disguise."""
SHORT = 2
"""A loop builds a text where each round adds no more characters than these."""

PRINTF = re.compile(r"%(?:\((?P<key>\w+)\))?(?P<width>[-+ #0]{0,4}\d{0,2}(?:\.\d{0,2})?)(?P<kind>[csrdioxXeEfFgG%])|%")
_RESTYLING = frozenset(("replace", "upper", "lower", "title", "capitalize", "trim", "strip", "string"))
"""What leaves a disguise a disguise."""
_PASSED = re.compile(r"tool|function|document|schema|citation", re.IGNORECASE)
FIELD = re.compile(r"\{\{|\}\}|\{(?P<name>\w*)\}|[{}]")
ASKING = frozenset(
    [
        "split",
        "rsplit",
        "startswith",
        "endswith",
        "find",
        "rfind",
        "index",
        "rindex",
        "count",
        "partition",
        "rpartition",
        "strip",
        "lstrip",
        "rstrip",
        "removeprefix",
        "removesuffix",
        "get",
    ]
)
"""Methods whose texts are looked for and never written."""
NAMING = frozenset(
    [
        "attr",
        "map",
        "select",
        "reject",
        "selectattr",
        "rejectattr",
        "groupby",
        "sort",
        "sum",
        "min",
        "max",
        "unique",
        "trim",
        "items",
    ]
)
"""Filters whose texts are names, or are taken away."""


class _NotConstant:
    """The type of NOT_CONSTANT."""

    def __repr__(self) -> str:
        return "NOT_CONSTANT"


NOT_CONSTANT: Final = _NotConstant()
"""The value of an expression that inputs decide, or that is too much to find out."""


class Text(NamedTuple):
    """A constant text as long as it gets: neighbours that are written one after the other are one text.

    `pieces` are the expressions that make it, in their order. `then` is the expression whose value follows directly, if that is
    not constant. `use` is "written" for what can reach a prompt, "asked" for what is only looked for, compared or a name, and
    "raised" for what goes to whoever called the template.
    """

    text: str
    pieces: tuple[nodes.Node, ...]
    then: nodes.Node | None = None
    use: str = "written"


class Assembly(NamedTuple):
    """A text that a loop over constants puts together a character or two at a time, and the expression that adds them."""

    text: str
    node: nodes.Node


class Folding:
    """The constants of one template, each found when first asked for."""

    def __init__(self, syntax: Syntax, names: Callable[[], Names]) -> None:
        self._syntax = syntax
        self._names = names
        self._known: dict[int, Any] = {}
        self._bound: Mapping[str, Any] = {}
        self._steps = 0
        self._made = 0
        self._depth = 0

    @property
    def is_spent(self) -> bool:
        """Whether there were more constants than are folded: the rest of them is not known."""
        return self._steps >= MAX_STEPS or self._made > MAX_MADE

    def value(self, node: nodes.Node | None) -> Any:
        """The text, number, list or dict that an expression always is; else NOT_CONSTANT."""
        if isinstance(node, nodes.Const):
            return NOT_CONSTANT if isinstance(node.value, int) and node.value.bit_length() > MAX_BITS else node.value
        if isinstance(node, nodes.TemplateData):
            return node.data
        fold = _FOLDS.get(type(node))
        if fold is None or node is None:
            return NOT_CONSTANT
        if id(node) in self._known:
            return self._known[id(node)]
        return self._fold(fold, node)

    def _fold(self, fold: Callable[[Folding, Any], Any], node: nodes.Node) -> Any:
        if self._depth >= MAX_DEPTH or self.is_spent:
            return NOT_CONSTANT
        self._known[id(node)] = NOT_CONSTANT  # for a name that is set to itself
        self._steps += 1
        self._depth += 1
        try:
            found = fold(self, node)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError, RecursionError):
            found = NOT_CONSTANT
        finally:
            self._depth -= 1
        self._known[id(node)] = found if self._is_small(found) else NOT_CONSTANT
        return self._known[id(node)]

    def _is_small(self, found: Any) -> bool:
        """Whether a value is one to go on with; what operations make is counted."""
        if isinstance(found, int):
            return found.bit_length() <= MAX_BITS
        size = len(found) if isinstance(found, str | list | tuple | dict) else 0
        self._made += size
        return size <= MAX_LENGTH and self._made <= MAX_MADE

    def only_setting(self, name: str) -> nodes.Node | None:
        """The expression that a name is set to, where there is one such place in the template and nothing else sets it."""
        settings = self._settings.get(name, ())
        return settings[0] if len(settings) == 1 else None

    def place(self, text: Text) -> Place:
        """Where a text stands, from its first piece to its last."""
        first, last = self._syntax.expression(text.pieces[0]), self._syntax.expression(text.pieces[-1])
        return Place(min(first.start, last.start), max(first.end, last.end))

    def is_about_tools(self, text: Text) -> bool:
        """Whether a text is written only where there are tools or documents, which a caller passes and knows of."""
        return id(text.pieces[0]) in self._about_tools

    @functools.cached_property
    def _about_tools(self) -> frozenset[int]:
        bodies: list[nodes.Node] = []
        for node in self._syntax.find("If"):
            asked = (getattr(part, "name", None) or getattr(part, "attr", None) for part in walk(node.test))
            if any(isinstance(name, str) and _PASSED.search(name) for name in asked):
                bodies += node.else_ if isinstance(node.test, nodes.Not) else node.body
        return frozenset(_below(bodies) | {id(part) for part in bodies})

    def pieces(self, node: nodes.Node) -> list[nodes.Node]:
        """What an output, a `~` or a `+` of texts puts side by side, in order."""
        flat, waiting = [], [node]
        while waiting:
            part = waiting.pop()
            if isinstance(part, nodes.Output | nodes.Concat):
                waiting.extend(reversed(part.nodes))
            elif isinstance(part, nodes.Add) and not self._is_arithmetic(part):
                waiting += (part.right, part.left)
            else:
                flat.append(part)
        return flat

    @functools.cached_property
    def texts(self) -> tuple[Text, ...]:
        """Every constant text of the template, as long as it gets."""
        found = [text for chain in self._chains() for text in self._runs(chain)]
        told = {id(piece) for text in found for piece in text.pieces}
        for node in self._every("Filter", "Call", "Mod", "Mul", "Getitem", "CondExpr"):
            if id(node) not in told and isinstance(value := self.value(node), str):
                found.append(self._text(value, node))
        within = _below(
            piece for text in found for piece in text.pieces if not isinstance(piece, nodes.Const | nodes.TemplateData)
        )
        told |= within
        literals = (node for node in self._syntax.find("Const") if isinstance(node.value, str) and id(node) not in told)
        longest = [text for text in found if not all(id(piece) in within for piece in text.pieces)]
        return (*longest, *(self._text(node.value, node) for node in literals))

    def _text(self, text: str, node: nodes.Node) -> Text:
        return Text(text, (node,), None, self._uses.get(id(node), "written"))

    def _chains(self) -> Iterator[nodes.Node]:
        """Outputs, and what is joined without being part of a longer chain."""
        joined, outputs = list(self._every("Add", "Concat")), list(self._syntax.find("Output"))
        inner = {id(part) for node in (*joined, *outputs) for part in _side_by_side(node)}
        yield from outputs
        yield from (node for node in joined if id(node) not in inner)

    def _every(self, *kinds: str) -> Iterator[Any]:
        """The nodes of these kinds, kind by kind, which is cheaper than in source order."""
        return (node for kind in kinds for node in self._syntax.find(kind))

    def _is_arithmetic(self, node: nodes.Add) -> bool:
        return _is_number(node.left) or _is_number(node.right)

    def _runs(self, chain: nodes.Node) -> Iterator[Text]:
        use = self._uses.get(id(chain), "written")
        words: list[str] = []
        made: list[nodes.Node] = []
        for piece in self.pieces(chain):
            value = self.value(piece)
            if isinstance(value, str | int | float):
                words.append(str(value))
                made.append(piece)
                continue
            if words:
                yield Text("".join(words), tuple(made), piece, use)
            words, made = [], []
        if words:
            yield Text("".join(words), tuple(made), None, use)

    @functools.cached_property
    def _uses(self) -> dict[int, str]:
        """By expression, "asked" or "raised" where it is no text for a prompt."""
        found: dict[int, str] = {}
        for node in self._every("Compare", "Test", "Getitem", "Filter", "Call"):
            found.update((id(part), "asked") for part in _asked(node))
            if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name == "raise_exception":
                found.update((id(part), "raised") for argument in node.args for part in walk(argument))
        return found

    @functools.cached_property
    def assemblies(self) -> tuple[Assembly, ...]:
        """The texts that loops over constants put together."""
        return tuple(found for loop in self._syntax.find("For") for found in self._followed(loop))

    @functools.cached_property
    def disguised(self) -> tuple[Assembly, ...]:
        """Texts that operators make of single characters, or of a text that does not read like them."""
        made = (node for node in self._every("Filter", "Call", "Mod", "Getitem") if self._disguises(node))
        built = [Assembly(text, node) for node in made if isinstance(text := self.value(node), str)]
        many = (text for text in self.texts if len(text.pieces) >= MANY)
        return (*built, *(found for text in many for found in self._spelt(text)))

    def _spelt(self, text: Text) -> Iterator[Assembly]:
        """Stretches of a text that are many pieces of a character or two."""
        parts = ((str(self.value(piece)), piece) for piece in text.pieces)
        for short, group in itertools.groupby(parts, key=lambda part: len(part[0]) <= SHORT):
            stretch = list(group)
            if short and len(stretch) >= MANY:
                yield Assembly("".join(letters for letters, _ in stretch), stretch[0][1])

    def _disguises(self, node: Any) -> bool:
        """Whether a text that this expression makes is written as something else."""
        for _ in range(MAX_DEPTH):
            if isinstance(node, nodes.Getitem):
                return isinstance(node.arg, nodes.Slice) and node.arg.step is not None
            if isinstance(node, nodes.Mod):
                return self._is_by_number(node.left)
            name, to = _operation(node)
            if self._takes_apart(name, to, node.args if name else ()):
                return True
            if name not in _RESTYLING:
                return False
            node = to
        return False

    def _takes_apart(self, name: str, to: Any, arguments: Sequence[Any]) -> bool:
        """Whether a filter or a method makes a text of what does not read like it."""
        if name == "join":
            items = next((value for part in (to, *arguments[:1]) if isinstance(value := self.value(part), list)), ())
            return len(items) >= MANY and all(len(str(item)) <= SHORT for item in items)
        if name == "replace" and arguments:
            whole, taken_out = self.value(to), self.value(arguments[0])
            return isinstance(whole, str) and isinstance(taken_out, str) and whole.count(taken_out) >= MANY / 2
        return name == "reverse" or (name == "format" and self._is_by_number(to))

    def _is_by_number(self, format: nodes.Node | None) -> bool:
        """Whether a format string writes characters that are given as numbers."""
        text = self.value(format)
        return isinstance(text, str) and text.count("%c") >= MANY / 2

    def _followed(self, loop: nodes.For) -> Iterator[Assembly]:
        rounds = self.value(loop.iter)
        if not isinstance(rounds, list | tuple | str) or not 1 < len(rounds) <= MAX_ROUNDS or loop.test is not None:
            return
        for node in _added(loop):
            parts = [self._in_round(loop.target, item, node) for item in rounds]
            texts = [str(part) for part in parts if isinstance(part, str | int)]
            if len(texts) == len(parts) and all(len(text) <= SHORT for text in texts):
                yield Assembly("".join(texts), node)

    def _in_round(self, target: nodes.Node, item: Any, node: nodes.Node) -> Any:
        """The value of an expression while a loop's variable holds this item."""
        if not isinstance(target, nodes.Name):
            return NOT_CONSTANT
        known, bound = self._known, self._bound
        self._known, self._bound = {}, {**bound, target.name: item}
        try:
            return self.value(node)
        finally:
            self._known, self._bound = known, bound

    def _name(self, node: nodes.Name) -> Any:
        if node.name in self._bound:
            return self._bound[node.name]
        settings = self._settings.get(node.name, ())
        if len(settings) == 1:
            return self.value(settings[0])
        if not settings or node.name not in self._closed:
            return NOT_CONSTANT
        read = self._reads.get(id(node))
        if read is None or read.from_caller or len(read.bindings) != 1:
            return NOT_CONSTANT
        return self.value(next(iter(read.bindings)).value)

    @functools.cached_property
    def _reads(self) -> Mapping[int, Read]:
        return {id(read.node): read for read in self._names().reads}

    @functools.cached_property
    def _settings(self) -> Mapping[str, list[nodes.Node]]:
        """What a name is set to, for the names that nothing but `set` gives a value."""
        found: dict[str, list[nodes.Node]] = defaultdict(list)
        stored: dict[str, int] = defaultdict(int)
        for node in self._syntax.find("Name"):
            stored[node.name] += node.ctx != "load"
        for node in self._syntax.find("Assign"):
            if isinstance(node.target, nodes.Name):
                found[node.target.name].append(node.node)
        for node in self._syntax.find("AssignBlock"):
            if isinstance(node.target, nodes.Name) and node.filter is None:
                found[node.target.name].append(node)
        functions = {node.name for node in self._syntax.find("Macro")}
        return {name: values for name, values in found.items() if stored[name] == len(values) and name not in functions}

    @functools.cached_property
    def _closed(self) -> frozenset[str]:
        """Names whose settings ask for nothing but each other: for any other it is idle to look which setting gets where."""
        asks = {
            name: {part.name for value in values for part in walk(value) if isinstance(part, nodes.Name)}
            for name, values in self._settings.items()
        }
        outside = {name for names in asks.values() for name in names} - asks.keys()
        return frozenset(asks.keys() - askers_of(asks, outside))

    @functools.cached_property
    def _fields(self) -> Mapping[tuple[str, str], list[nodes.Node]]:
        """What the attributes of a namespace are set to."""
        found: dict[tuple[str, str], list[nodes.Node]] = defaultdict(list)
        for node in self._syntax.find("Assign"):
            if isinstance(node.target, nodes.NSRef):
                found[node.target.name, node.target.attr].append(node.node)
            elif isinstance(node.target, nodes.Name) and _is_namespace(node.node):
                for pair in node.node.kwargs:
                    found[node.target.name, pair.key].append(pair.value)
        return found

    def _set_block(self, node: nodes.AssignBlock) -> Any:
        if not all(isinstance(part, nodes.Output) for part in node.body):
            return NOT_CONSTANT
        return self._joined([piece for part in node.body for piece in self.pieces(part)])

    def _joined(self, parts: Sequence[nodes.Node]) -> Any:
        values = [self.value(part) for part in parts]
        if not all(isinstance(value, str | int | float) for value in values):
            return NOT_CONSTANT
        return "".join(map(str, values))

    def _list(self, node: nodes.List | nodes.Tuple) -> Any:
        values = [self.value(item) for item in node.items]
        return NOT_CONSTANT if any(value is NOT_CONSTANT for value in values) else values

    def _dict(self, node: nodes.Dict) -> Any:
        pairs = [(self.value(pair.key), self.value(pair.value)) for pair in node.items]
        return NOT_CONSTANT if any(part is NOT_CONSTANT for pair in pairs for part in pair) else dict(pairs)

    def _concat(self, node: nodes.Concat) -> Any:
        return self._joined(self.pieces(node))

    def _add(self, node: nodes.Add) -> Any:
        if not self._is_arithmetic(node):
            values = [self.value(piece) for piece in self.pieces(node)]
        else:
            values = [self.value(node.left), self.value(node.right)]
        if all(isinstance(value, str) for value in values):
            return "".join(values)
        kind = list if isinstance(values[0], list) else int
        if not all(isinstance(value, kind) for value in values):
            return NOT_CONSTANT
        return functools.reduce(lambda left, right: left + right, values)

    def _sub(self, node: nodes.Sub) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        return left - right if isinstance(left, int) and isinstance(right, int) else NOT_CONSTANT

    def _mul(self, node: nodes.Mul) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(left, int):
            left, right = right, left
        if not isinstance(right, int) or not isinstance(left, int | str | list):
            return NOT_CONSTANT
        size = 1 if isinstance(left, int) else len(left)
        return left * right if isinstance(left, int) or size * right <= MAX_LENGTH else NOT_CONSTANT

    def _mod(self, node: nodes.Mod) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(left, int) and isinstance(right, int):
            return left % right
        if not isinstance(left, str) or right is NOT_CONSTANT:
            return NOT_CONSTANT
        return _printf(left, tuple(right) if isinstance(node.right, nodes.Tuple) else right)

    def _neg(self, node: nodes.Neg) -> Any:
        value = self.value(node.node)
        return -value if isinstance(value, int | float) else NOT_CONSTANT

    def _choice(self, node: nodes.CondExpr) -> Any:
        test = self.value(node.test)
        if test is NOT_CONSTANT:
            return NOT_CONSTANT
        return self.value(node.expr1 if test else node.expr2)

    def _item(self, node: nodes.Getitem) -> Any:
        held = self.value(node.node)
        if not isinstance(held, str | list | dict):
            return NOT_CONSTANT
        if isinstance(node.arg, nodes.Slice):
            bounds = [None if part is None else self.value(part) for part in (node.arg.start, node.arg.stop, node.arg.step)]
            return held[slice(*bounds)] if not isinstance(held, dict) else NOT_CONSTANT  # NOT_CONSTANT in it: a TypeError
        key = self.value(node.arg)
        return NOT_CONSTANT if key is NOT_CONSTANT else held[key]

    def _attribute(self, node: nodes.Getattr) -> Any:
        settings = self._fields.get((node.node.name, node.attr), []) if isinstance(node.node, nodes.Name) else []
        if len(settings) == 1:
            return self.value(settings[0])
        held = self.value(node.node)
        return held[node.attr] if isinstance(held, dict) else NOT_CONSTANT

    def _filter(self, node: nodes.Filter) -> Any:
        apply = _FILTERS.get(node.name)
        if apply is None or node.dyn_args or node.dyn_kwargs or (node.kwargs and node.name != "format"):
            return NOT_CONSTANT
        return self._applied(apply, node.node, node.args, node.kwargs)

    def _call(self, node: nodes.Call) -> Any:
        if node.dyn_args or node.dyn_kwargs:
            return NOT_CONSTANT
        if isinstance(node.node, nodes.Name) and node.node.name == "range" and node.args:
            return _numbers([self.value(argument) for argument in node.args])
        if not isinstance(node.node, nodes.Getattr) or (node.kwargs and node.node.attr != "format"):
            return NOT_CONSTANT
        apply = _METHODS.get(node.node.attr)
        return NOT_CONSTANT if apply is None else self._applied(apply, node.node.node, node.args, node.kwargs)

    def _applied(
        self,
        apply: Callable[..., Any],
        to: nodes.Node | None,
        arguments: Sequence[nodes.Node],
        named: Sequence[Any],
    ) -> Any:
        value = self.value(to)
        if value is NOT_CONSTANT:
            return NOT_CONSTANT
        values = [self.value(argument) for argument in arguments]
        by_name = {pair.key: self.value(pair.value) for pair in named}
        if any(argument is NOT_CONSTANT for argument in (*values, *by_name.values())):
            return NOT_CONSTANT
        return apply(value, *values, **by_name)


_FOLDS: Mapping[type[nodes.Node] | type[None], Callable[[Folding, Any], Any]] = {
    nodes.Name: Folding._name,
    nodes.List: Folding._list,
    nodes.Tuple: Folding._list,
    nodes.Dict: Folding._dict,
    nodes.Concat: Folding._concat,
    nodes.Add: Folding._add,
    nodes.Sub: Folding._sub,
    nodes.Mul: Folding._mul,
    nodes.Mod: Folding._mod,
    nodes.Neg: Folding._neg,
    nodes.CondExpr: Folding._choice,
    nodes.Getitem: Folding._item,
    nodes.Getattr: Folding._attribute,
    nodes.Filter: Folding._filter,
    nodes.Call: Folding._call,
    nodes.AssignBlock: Folding._set_block,
}


def _operation(node: Any) -> tuple[str, Any]:
    """The filter or the method that an expression applies, and to what."""
    if isinstance(node, nodes.Filter):
        return node.name, node.node
    method = node.node if isinstance(node, nodes.Call) else None
    return (method.attr, method.node) if isinstance(method, nodes.Getattr) else ("", None)


def _asked(node: nodes.Node) -> Iterator[nodes.Node | None]:
    """The texts that a node only looks for, compares with or takes as a name."""
    if isinstance(node, nodes.Compare):
        yield from (node.expr, *(operand.expr for operand in node.ops))
    elif isinstance(node, nodes.Test):
        yield from node.args or ()
    elif isinstance(node, nodes.Getitem):
        yield node.arg
    elif isinstance(node, nodes.Filter):
        yield from node.args[:1] if node.name == "replace" else node.args if node.name in NAMING else ()
    elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
        name = node.node.attr
        yield from node.args[:1] if name == "replace" else node.args if name in ASKING else ()


def _added(loop: nodes.For) -> Iterator[nodes.Node]:
    """What each round writes, or puts behind what a namespace holds."""
    for part in loop.body:
        if isinstance(part, nodes.Output):
            yield from (piece for piece in part.nodes if not isinstance(piece, nodes.TemplateData))
        elif isinstance(part, nodes.Assign) and isinstance(part.target, nodes.NSRef):
            held = part.node
            if isinstance(held, nodes.Concat) and len(held.nodes) > 1:
                yield held.nodes[-1]
            elif isinstance(held, nodes.Add):
                yield held.right


def _side_by_side(node: nodes.Node) -> Sequence[nodes.Node]:
    """The operands of a `~` or a `+`, and what an output writes."""
    if isinstance(node, nodes.Add):
        return node.left, node.right
    return node.nodes if isinstance(node, nodes.Output | nodes.Concat) else ()


def _below(tops: Iterable[nodes.Node]) -> set[int]:
    """The identities of all nodes below these, each of which may be below another."""
    found: set[int] = set()
    waiting = [part for top in tops for part in top.iter_child_nodes()]
    while waiting:
        part = waiting.pop()
        if id(part) not in found:
            found.add(id(part))
            waiting.extend(part.iter_child_nodes())
    return found


def askers_of(asks: Mapping[str, Collection[str]], held: Iterable[str]) -> set[str]:
    """The names that ask for one of those that are held, or for one that does."""
    askers = defaultdict(list)
    for name, names in asks.items():
        for asked in names:
            askers[asked].append(name)
    reached, waiting = set(held), list(held)
    while waiting:
        for name in askers[waiting.pop()]:
            if name not in reached:
                reached.add(name)
                waiting.append(name)
    return reached


def _is_number(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Const) and not isinstance(node.value, str)


def _is_namespace(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name == "namespace"


def _numbers(bounds: Sequence[Any]) -> Any:
    """The global range."""
    every = range(*bounds)
    return list(every) if len(every) <= MAX_ROUNDS else NOT_CONSTANT


def _format(text: Any, *arguments: Any, **named: Any) -> Any:
    """The filter `format`."""
    return _printf(str(text), named or arguments) if isinstance(text, str) else NOT_CONSTANT


def _printf(text: str, values: Any) -> Any:
    """Formatting with %, where no width can make much of little."""
    fields = list(PRINTF.finditer(text))
    if not all(field["kind"] for field in fields):
        return NOT_CONSTANT
    given = values if isinstance(values, tuple) else values.values() if isinstance(values, dict) else (values,)
    size = sum(len(value) if isinstance(value, str) else 100 for value in given)
    plain = all(isinstance(value, str | int | float) for value in given)
    repeated = len(fields) if isinstance(values, dict) else 1
    if not plain or len(text) + size * repeated > MAX_LENGTH:
        return NOT_CONSTANT
    return text % values


def _braces(text: Any, *arguments: Any, **named: Any) -> Any:
    """The method `format`, for fields that only name a value."""
    count = iter(range(len(arguments)))

    def filled(field: re.Match[str]) -> str:
        name = field["name"]
        if name is None:
            return {"{{": "{", "}}": "}"}[field[0]]
        value = named[name] if name and not name.isdigit() else arguments[int(name) if name else next(count, len(arguments))]
        return _plain(value)

    sizes = sum(len(value) for value in (*arguments, *named.values()) if isinstance(value, str))
    if not isinstance(text, str) or len(text) + sizes * len(FIELD.findall(text)) > MAX_LENGTH:
        return NOT_CONSTANT
    return FIELD.sub(filled, text)


def _plain(value: Any) -> str:
    """A scalar as it is written; nothing else."""
    if not isinstance(value, str | int | float):
        raise TypeError
    return str(value)


def _replace(text: Any, old: Any, new: Any) -> Any:
    if not all(isinstance(part, str) for part in (text, old, new)):
        return NOT_CONSTANT
    grown = len(text) + (text.count(old) if old else len(text) + 1) * len(new)
    return text.replace(old, new) if grown <= MAX_LENGTH else NOT_CONSTANT


def _join(items: Any, between: Any = "") -> Any:
    if not isinstance(items, list | str) or not isinstance(between, str):
        return NOT_CONSTANT
    words = [_plain(item) for item in items]
    size = sum(map(len, words)) + len(between) * len(words)
    return between.join(words) if size <= MAX_LENGTH else NOT_CONSTANT


def _joined_by(between: Any, items: Any) -> Any:
    """The method `join`."""
    return _join(items, between)


def _on_text(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of text, refused on anything else."""
    return lambda text, *arguments: method(text, *arguments) if isinstance(text, str) else NOT_CONSTANT


def _map(items: Any, name: Any = "") -> Any:
    """The filter `map` of a filter without arguments."""
    return [_FILTERS[name](item) for item in items] if isinstance(items, list | str) else NOT_CONSTANT


def _json(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if _size(value) <= MAX_LENGTH else NOT_CONSTANT


def _size(value: Any) -> int:
    """How many texts and entries a value has, each as often as it would be written; no more than is worth counting."""
    waiting, size = [value], 0
    while waiting and size <= MAX_LENGTH:
        part = waiting.pop()
        if isinstance(part, dict | list | tuple):
            size += len(part)
            waiting.extend(part.values() if isinstance(part, dict) else part)
        else:
            size += len(part) if isinstance(part, str) else 1
    return size


_FILTERS: Mapping[str, Callable[..., Any]] = {
    **{name: _on_text(getattr(str, name)) for name in ("upper", "lower", "title", "capitalize")},
    "trim": _on_text(str.strip),
    "string": _plain,
    "safe": _plain,
    "list": list,
    "first": lambda items: items[0],
    "last": lambda items: items[-1],
    "length": len,
    "count": len,
    "int": int,
    "abs": abs,
    "reverse": lambda items: items[::-1],
    "format": _format,
    "replace": _replace,
    "join": _join,
    "map": _map,
    "tojson": _json,
    "default": lambda value, *_: value or NOT_CONSTANT,
    "d": lambda value, *_: value or NOT_CONSTANT,
}
_METHODS: Mapping[str, Callable[..., Any]] = {
    **{name: _on_text(getattr(str, name)) for name in ("upper", "lower", "title", "capitalize", "swapcase", "casefold")},
    **{name: _on_text(getattr(str, name)) for name in ("strip", "lstrip", "rstrip", "removeprefix", "removesuffix", "split")},
    "replace": _replace,
    "join": _joined_by,
    "format": _braces,
}
