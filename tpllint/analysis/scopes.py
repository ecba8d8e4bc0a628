"""Where the value of a name comes from: Jinja's scopes, walked in the order in which a template runs.

Which names belong to a scope, and what they hold when it is entered, is Jinja's own bookkeeping (`jinja2.idtracking`);
what a read can see is followed from there through assignments and branches. A loop's body, a macro, a call block
(`{% generation %}` is one), a `with`, a filter block and a set block are scopes: what is set inside is gone at their end, in a
loop at the end of each round. `if` is none. A macro runs later than it is written: it can see whatever its surroundings are
ever set to.
"""

from __future__ import annotations

import enum
import functools
from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from jinja2 import nodes
from jinja2.idtracking import VAR_LOAD_ALIAS, VAR_LOAD_RESOLVE, Symbols

OF_A_FUNCTION = ("caller", "varargs", "kwargs")
"""Names that Jinja gives every macro and call block that reads them."""


@dataclass(frozen=True, eq=False)
class Scope:
    """A stretch of the template at whose end the names set in it are gone.

    `kind` is "template", "loop", "macro", "call", "generation", "with", "filter", "set" or "block".
    """

    kind: str
    node: nodes.Node
    parent: Scope | None = None

    def enclosing(self) -> Iterator[Scope]:
        """The scopes around this one, from the inside out."""
        outer = self.parent
        while outer is not None:
            yield outer
            outer = outer.parent


@dataclass(frozen=True, eq=False)
class Binding:
    """Something that gives a name a value.

    `kind` is "set", "set block", "macro", "loop variable", "parameter", "with", "import" or "built in" (`loop`, `caller`, ...).
    `value` is the expression of a `set` of one name.
    """

    name: str
    kind: str
    node: nodes.Node
    scope: Scope
    value: nodes.Node | None = None


class Elsewhere(enum.Enum):
    """Where a value can come from if not from the template."""

    CALLER = "caller"
    NOWHERE = "nowhere"


Origin = Binding | Elsewhere


@dataclass(frozen=True, eq=False)
class Read:
    """A name whose value is asked for. `bindings` are those that can have given it its value there.

    `from_caller` tells whether the caller's value can be what is read, which is so as well where a global of the environment
    is. With neither the name is undefined there. `inside` is the way from the statement down to the name.
    """

    name: str
    node: nodes.Name | nodes.NSRef
    scope: Scope
    bindings: frozenset[Binding]
    from_caller: bool
    inside: tuple[nodes.Node, ...]

    @property
    def is_test(self) -> bool:
        """Whether the value only decides something, so that its absence has been thought of."""
        return any(_decides(outer, inner) for outer, inner in pairwise((*self.inside, self.node)))


@dataclass(frozen=True)
class Names:
    """Every read and every binding of a template, in source order."""

    reads: tuple[Read, ...]
    bindings: tuple[Binding, ...]

    def reads_of(self, name: str) -> tuple[Read, ...]:
        """The reads of one name."""
        return self._reads_by_name.get(name, ())

    def bindings_of(self, name: str) -> tuple[Binding, ...]:
        """What sets one name, anywhere."""
        return self._bindings_by_name.get(name, ())

    @functools.cached_property
    def unread(self) -> tuple[Binding, ...]:
        """Bindings of a name that nothing reads in their scope; a value that is only replaced does not count."""
        seen = {(binding.name, binding.scope) for read in self.reads for binding in read.bindings}
        return tuple(binding for binding in self.bindings if (binding.name, binding.scope) not in seen)

    @functools.cached_property
    def lost(self) -> Mapping[Binding, Read]:
        """What is set in a scope that nothing in it reads, and the read of the name to which the value does not get."""
        kept = ((binding, self._missed_by(binding)) for binding in self.unread if binding.kind in ("set", "set block"))
        return {binding: read for binding, read in kept if read is not None}

    def _missed_by(self, binding: Binding) -> Read | None:
        around = tuple(binding.scope.enclosing())
        if not around:
            return None
        outermost = (binding.scope, *around)[-2]
        reads = self.reads_of(binding.name)
        first = bisect(reads, outermost.node.lineno, key=lambda read: read.node.lineno)
        return next((read for read in reads[first:] if _would_see(read, binding, frozenset(around))), None)

    @functools.cached_property
    def _reads_by_name(self) -> Mapping[str, tuple[Read, ...]]:
        found = defaultdict(list)
        for read in self.reads:
            found[read.name].append(read)
        return {name: tuple(reads) for name, reads in found.items()}

    @functools.cached_property
    def _bindings_by_name(self) -> Mapping[str, tuple[Binding, ...]]:
        found = defaultdict(list)
        for binding in self.bindings:
            found[binding.name].append(binding)
        return {name: tuple(bindings) for name, bindings in found.items()}


def _would_see(read: Read, binding: Binding, around: frozenset[Scope]) -> bool:
    """Whether a read would see what is set in an inner scope if that scope did not end.

    `around` are the scopes around the binding's. The read gets its value from there, and comes later: in the source, or in
    the next round of a loop that gives the name no value of its own.
    """
    if any(other.scope not in around for other in read.bindings) or _assigns(read.inside, binding.name):
        return False
    if read.node.lineno > binding.node.lineno:
        return not read.bindings or any(other.node.lineno < binding.node.lineno for other in read.bindings)
    setters = {other.scope for other in read.bindings}
    rounds = _loops_within(binding.scope, setters)
    return any(scope in rounds for scope in (read.scope, *read.scope.enclosing()))


def _loops_within(scope: Scope, outer: set[Scope]) -> set[Scope]:
    """The loops around and including a scope, up to the first of the scopes `outer`."""
    loops = set()
    for each in (scope, *scope.enclosing()):
        if each in outer:
            break
        if each.kind == "loop":
            loops.add(each)
    return loops


def _assigns(inside: tuple[nodes.Node, ...], name: str) -> bool:
    """Whether the statement around a read sets the same name."""
    target = inside[0].target if inside and isinstance(inside[0], nodes.Assign) else None
    return isinstance(target, nodes.Name) and target.name == name


def names_of(tree: nodes.Template) -> Names:
    """The reads and bindings of a template."""
    walk = _Walk()
    walk.template(tree)
    return Names(
        tuple(sorted(walk.reads, key=lambda read: read.node.lineno)),
        tuple(sorted(walk.bindings, key=lambda binding: binding.node.lineno)),
    )


class _Frame:
    """A scope while it is walked: what its names can hold at this point, and ever."""

    def __init__(self, scope: Scope, parent: _Frame | None, *, later: bool = False) -> None:
        self.scope = scope
        self.symbols: Symbols = Symbols(parent.symbols if parent else None)
        self.now: dict[str, frozenset[Origin]] = {}
        self.ever: dict[str, set[Origin]] = defaultdict(set)
        self._replaced: dict[str, frozenset[Origin]] = {}
        self._parent = parent
        self._later = later

    def enter(self) -> None:
        """Give the names of the scope what they hold when it begins."""
        for name, reference in self.symbols.refs.items():
            if name not in self.now:
                self._put(name, self._before(name, self.symbols.loads[reference][0]))

    def _before(self, name: str, load: str) -> frozenset[Origin]:
        if load == VAR_LOAD_RESOLVE:
            return frozenset({Elsewhere.CALLER})
        if load == VAR_LOAD_ALIAS and self._parent:
            return self._parent.values(name, later=self._later)
        return frozenset({Elsewhere.NOWHERE})

    def bind(self, binding: Binding) -> None:
        self._put(binding.name, frozenset({binding}))

    def _put(self, name: str, values: frozenset[Origin]) -> None:
        if name in self.now:
            self._replaced.setdefault(name, self.now[name])
        self.now[name] = values
        self.ever[name] |= values

    def branch(self, ways: Iterable[Callable[[], None]]) -> None:
        """Go each of these ways from here; behind them a name can hold what it holds at the end of any."""
        outer, ends, before = self._replaced, [], dict[str, frozenset[Origin]]()
        for way in ways:
            self._replaced = {}
            way()
            ends.append({name: self.now[name] for name in self._replaced})
            before.update(self._replaced)
            self.now.update(self._replaced)
        self._replaced = outer
        for name, values in before.items():
            self._put(name, frozenset[Origin]().union(*(end.get(name, values) for end in ends)))

    def values(self, name: str, *, later: bool = False) -> frozenset[Origin]:
        """What a name can hold here, or, for code that runs later, whatever it can ever hold."""
        if name in self.symbols.refs:
            return frozenset(self.ever[name]) if later else self.now[name]
        if self._parent is None:
            return frozenset({Elsewhere.CALLER})
        return self._parent.values(name, later=later or self._later)


class _Walk:
    """One pass over a template. What runs later than it is written is walked when everything else has been."""

    def __init__(self) -> None:
        self.reads: list[Read] = []
        self.bindings: list[Binding] = []
        self._later: list[tuple[_Frame, list[nodes.Node]]] = []
        self._inside: tuple[nodes.Node, ...] = ()

    def template(self, tree: nodes.Template) -> None:
        frame = _Frame(Scope("template", tree), None)
        self._built_in(frame, "self")
        frame.symbols.analyze_node(tree)
        frame.enter()
        self._all(tree.body, frame)
        while self._later:
            later, body = self._later.pop(0)
            self._run(later, body)

    def _run(self, frame: _Frame, body: Iterable[nodes.Node]) -> None:
        frame.enter()
        self._all(body, frame)

    def _all(self, children: Iterable[nodes.Node], frame: _Frame) -> None:
        for child in children:
            self._visit(child, frame)

    def _visit(self, node: nodes.Node, frame: _Frame) -> None:
        special = _SPECIAL.get(type(node))
        if special is not None:
            special(self, node, frame)
            return
        outside = self._inside
        self._inside = () if isinstance(node, nodes.Stmt) else outside
        self._inside += (node,)
        self._all(node.iter_child_nodes(), frame)
        self._inside = outside

    def _read(self, node: nodes.Name | nodes.NSRef, frame: _Frame) -> None:
        values = frame.values(node.name)
        bindings = frozenset(value for value in values if isinstance(value, Binding))
        self.reads.append(Read(node.name, node, frame.scope, bindings, Elsewhere.CALLER in values, self._inside))

    def _bind(self, target: nodes.Node, kind: str, frame: _Frame, value: nodes.Node | None = None) -> None:
        """Give a name, or each name of a tuple, its value."""
        if isinstance(target, nodes.Name):
            self._binding(Binding(target.name, kind, target, frame.scope, value), frame)
        elif isinstance(target, nodes.NSRef):
            self._read(target, frame)
        else:
            for item in target.iter_child_nodes():
                self._bind(item, kind, frame)

    def _binding(self, binding: Binding, frame: _Frame) -> None:
        self.bindings.append(binding)
        frame.bind(binding)

    def _built_in(self, frame: _Frame, *names: str) -> None:
        for name in names:
            frame.symbols.declare_parameter(name)
            frame.bind(Binding(name, "built in", frame.scope.node, frame.scope))

    def _assign(self, node: nodes.Assign, frame: _Frame) -> None:
        outside, self._inside = self._inside, (node,)
        self._visit(node.node, frame)
        self._bind(node.target, "set", frame, node.node)
        self._inside = outside

    def _assignblock(self, node: nodes.AssignBlock, frame: _Frame) -> None:
        inner = _Frame(Scope("set", node, frame.scope), frame)
        inner.symbols.analyze_node(node)
        self._run(inner, [*node.body, *([node.filter] if node.filter else [])])
        self._bind(node.target, "set block", frame)

    def _if(self, node: nodes.If, frame: _Frame) -> None:
        outside, self._inside = self._inside, (node,)
        self._all((node.test, *(other.test for other in node.elif_)), frame)
        self._inside = outside
        frame.branch(
            [partial(self._all, body, frame) for body in (node.body, *(other.body for other in node.elif_), node.else_)]
        )

    def _for(self, node: nodes.For, frame: _Frame) -> None:
        outside, self._inside = self._inside, (node,)
        self._visit(node.iter, frame)
        self._inside = outside
        for branch, body in (("test", [node.test] if node.test else []), ("body", node.body), ("else", node.else_)):
            if body:
                self._branch(node, branch, body, frame)

    def _branch(self, node: nodes.For, branch: str, body: list[nodes.Node], frame: _Frame) -> None:
        inner = _Frame(Scope("loop", node, frame.scope), frame)
        if branch == "body":
            self._built_in(inner, "loop")
        inner.symbols.analyze_node(node, for_branch=branch)
        inner.enter()
        if branch != "else":
            self._bind(node.target, "loop variable", inner)
        outside, self._inside = self._inside, (node,) if branch == "test" else ()
        self._all(body, inner)
        self._inside = outside

    def _macro(self, node: nodes.Macro, frame: _Frame) -> None:
        self._binding(Binding(node.name, "macro", node, frame.scope), frame)
        self._function("macro", node, frame, later=True)

    def _callblock(self, node: nodes.CallBlock, frame: _Frame) -> None:
        outside, self._inside = self._inside, (node,)
        self._visit(node.call, frame)
        self._inside = outside
        generation = isinstance(node.call.node, nodes.ExtensionAttribute)
        self._function("generation" if generation else "call", node, frame, later=not generation)

    def _function(self, kind: str, node: nodes.Macro | nodes.CallBlock, frame: _Frame, *, later: bool) -> None:
        inner = _Frame(Scope(kind, node, frame.scope), frame, later=later)
        self._built_in(inner, *OF_A_FUNCTION)
        inner.symbols.analyze_node(node)
        for argument in node.args:
            self._bind(argument, "parameter", inner)
        body = [*node.defaults, *node.body]
        if later:
            self._later.append((inner, body))
        else:
            self._run(inner, body)

    def _filterblock(self, node: nodes.FilterBlock, frame: _Frame) -> None:
        inner = _Frame(Scope("filter", node, frame.scope), frame)
        inner.symbols.analyze_node(node)
        self._run(inner, [*node.body, node.filter])

    def _with(self, node: nodes.With, frame: _Frame) -> None:
        self._all(node.values, frame)
        inner = _Frame(Scope("with", node, frame.scope), frame)
        inner.symbols.analyze_node(node)
        inner.enter()
        for target in node.targets:
            self._bind(target, "with", inner)
        self._all(node.body, inner)

    def _block(self, node: nodes.Block, frame: _Frame) -> None:
        """Jinja runs a block in a context of its own, which knows what the template has set so far."""
        inner = _Frame(Scope("block", node, frame.scope), frame, later=True)
        self._built_in(inner, "self", "super")
        inner.symbols.analyze_node(node)
        self._later.append((inner, node.body))

    def _import(self, node: nodes.Import, frame: _Frame) -> None:
        self._visit(node.template, frame)
        self._binding(Binding(node.target, "import", node, frame.scope), frame)

    def _fromimport(self, node: nodes.FromImport, frame: _Frame) -> None:
        self._visit(node.template, frame)
        for name in node.names:
            own = name if isinstance(name, str) else name[1]
            self._binding(Binding(own, "import", node, frame.scope), frame)


_SPECIAL: Mapping[type[nodes.Node], Callable[[_Walk, Any, _Frame], None]] = {
    nodes.Name: _Walk._read,
    nodes.NSRef: _Walk._read,
    nodes.Assign: _Walk._assign,
    nodes.AssignBlock: _Walk._assignblock,
    nodes.If: _Walk._if,
    nodes.For: _Walk._for,
    nodes.Macro: _Walk._macro,
    nodes.CallBlock: _Walk._callblock,
    nodes.FilterBlock: _Walk._filterblock,
    nodes.With: _Walk._with,
    nodes.Block: _Walk._block,
    nodes.Import: _Walk._import,
    nodes.FromImport: _Walk._fromimport,
}
"""The nodes that read, set or begin a scope; any other only hands on to its children."""


def _decides(outer: nodes.Node, inner: nodes.Node) -> bool:
    """Whether `inner`, a child of `outer`, is what a decision is made by."""
    if isinstance(outer, nodes.If | nodes.CondExpr | nodes.For):
        return inner is outer.test or (isinstance(outer, nodes.If) and any(inner is other.test for other in outer.elif_))
    if isinstance(outer, nodes.Filter):
        return outer.name in ("default", "d") and inner is outer.node
    return isinstance(outer, nodes.Test | nodes.And | nodes.Or | nodes.Not)
