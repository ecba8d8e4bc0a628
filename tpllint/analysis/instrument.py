"""The second compilation: the same template, whose code reports what it does.

Every output, literal and condition of the syntax tree is wrapped in a call that reports and hands its value on. The text comes
out as `TracedText`, so that each piece of a prompt tells which code wrote it, through macros, set blocks, namespaces and
filters. A trace whose text is not the one of the plain compilation is thrown away by whoever asked for it.

Where only the bodies that run are asked for, only these report, and the texts are ordinary ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jinja2 import Template as JinjaTemplate
from jinja2 import nodes

from tpllint.analysis.compile import copied
from tpllint.analysis.environment import ChatEnvironment
from tpllint.analysis.reporter import CountingEnvironment, Site, Trace, TracingEnvironment
from tpllint.analysis.syntax import Syntax
from tpllint.analysis.traced import Piece, TracedText, joined, pieces_of
from tpllint.span import Place


class Body(NamedTuple):
    """Code that runs only under a condition: the branch of an if, the body of a loop or a macro.

    `guard` is the place of the condition, None where there is none of its own (`else`, a macro). `kind` is the word that opens
    the body: if, elif, else, for, macro, call or `... if ... else ...` for the two sides of a conditional expression.
    """

    kind: str
    place: Place
    guard: Place | None = None


class Instrumenter:
    """Rewrites a copy of a syntax tree. Only the calls named in `reports` are put in."""

    reports = frozenset(("wrote", "part", "literal", "put_together", "tested", "turn", "leave"))

    def __init__(self, syntax: Syntax, sites: list[Site]) -> None:
        self._syntax = syntax
        self._sites = sites
        self.bodies: dict[int, Body] = {}
        self.guards: dict[int, int] = {}

    def rewrite(self) -> nodes.Template:
        """The tree, every statement of it wrapped."""
        tree = copied(self._syntax.tree)
        tree.body = self._statements(tree.body)
        return tree

    def _statements(self, body: list[nodes.Node]) -> list[nodes.Node]:
        return [made for node in body for made in self._statement(node)]

    def _statement(self, node: nodes.Node) -> list[nodes.Node]:
        rewrite = self._STATEMENTS.get(type(node))
        return [node] if rewrite is None else rewrite(self, node)

    def _output(self, node: nodes.Output) -> list[nodes.Node]:
        node.nodes = [self._written(child) for child in node.nodes]
        return [node]

    def _written(self, node: nodes.Expr) -> nodes.Expr:
        if isinstance(node, nodes.TemplateData):
            start = node.lineno - 1
            site = self._site(Place(start, start + len(node.data)), exact=True)
            return self._call("wrote", node, site, self._call("literal", node, site, nodes.Const(node.data)))
        return self._call("wrote", node, self._site(self._syntax.expression(node)), self._value(node))

    def _assign(self, node: nodes.Assign) -> list[nodes.Node]:
        node.node = self._value(node.node)
        return [node]

    def _block(self, node: nodes.AssignBlock | nodes.FilterBlock | nodes.Block) -> list[nodes.Node]:
        node.body = self._statements(node.body)
        return [node]

    def _with(self, node: nodes.With) -> list[nodes.Node]:
        node.values = [self._value(value) for value in node.values]
        node.body = self._statements(node.body)
        return [node]

    def _if(self, node: nodes.If) -> list[nodes.Node]:
        for branch in (node, *node.elif_):
            place = self._syntax.expression(branch.test)
            kind = "if" if branch is node else "elif"
            body = self._body(kind, self._syntax.body_of(place.start), place)
            branch.body = [self._reach(body, node), *self._statements(branch.body)]
            branch.test = self._tested(branch.test, place, body)
        if node.else_:
            node.else_ = self._otherwise(node, node.else_)
        return [node]

    def _for(self, node: nodes.For) -> list[nodes.Node]:
        guard = self._syntax.expression(node.iter)
        body = self._body("for", self._syntax.body_of(node.lineno - 1), guard)
        target = node.target if isinstance(node.target, nodes.Name) else next(node.target.find_all(nodes.Name))
        turn = self._call("turn", node, body, nodes.Name(target.name, "load"))
        node.body = [self._reach(body, node), nodes.ExprStmt(turn), *self._statements(node.body)]
        if node.else_:
            node.else_ = self._otherwise(node, node.else_)
        return [node, nodes.ExprStmt(self._call("leave", node, body))]

    def _otherwise(self, node: nodes.Node, body: list[nodes.Node]) -> list[nodes.Node]:
        return [self._reach(self._body("else", self._syntax.else_of(node.lineno - 1)), node), *self._statements(body)]

    def _macro(self, node: nodes.Macro) -> list[nodes.Node]:
        body = self._body("macro", self._syntax.body_of(node.lineno - 1))
        node.defaults = [self._value(value) for value in node.defaults]
        node.body = [self._reach(body, node), *self._statements(node.body)]
        return [node]

    def _callblock(self, node: nodes.CallBlock) -> list[nodes.Node]:
        body = self._body("call", self._syntax.body_of(node.lineno - 1))
        node.body = [self._reach(body, node), *self._statements(node.body)]
        return [node]

    _STATEMENTS: dict[type[Any], Callable[[Any, Any], list[nodes.Node]]] = {  # noqa: RUF012 - a table that nobody changes
        nodes.Output: _output,
        nodes.Assign: _assign,
        nodes.AssignBlock: _block,
        nodes.FilterBlock: _block,
        nodes.Block: _block,
        nodes.With: _with,
        nodes.If: _if,
        nodes.For: _for,
        nodes.Macro: _macro,
        nodes.CallBlock: _callblock,
    }

    def _value(self, node: Any) -> Any:
        """An expression whose literals say where they stand, as far as they can reach the prompt."""
        rewrite = self._EXPRESSIONS.get(type(node))
        return node if rewrite is None else rewrite(self, node)

    def _const(self, node: nodes.Const) -> nodes.Expr:
        if not isinstance(node.value, str):
            return node
        place = self._syntax.expression(node)
        inside = Place(place.start + 1, place.end - 1)
        exact = self._syntax.text[inside.start : inside.end] == node.value
        return self._call("literal", node, self._site(inside if exact else place, exact=exact), node)

    def _both_sides(self, node: nodes.BinExpr) -> nodes.Expr:
        node.left, node.right = self._operand(node.left), self._operand(node.right)
        return node

    def _operand(self, node: Any) -> Any:
        """A part of a text that is put together: it answers for itself."""
        made = self._value(node)
        own = type(node) in (nodes.Const, nodes.Add, nodes.Concat, nodes.CondExpr)
        return made if own else self._call("part", node, self._site(self._syntax.expression(node)), made)

    def _concat(self, node: nodes.Concat) -> nodes.Expr:
        parts = [self._written(part) for part in node.nodes]
        return self._call("put_together", node, nodes.List(parts))

    def _condexpr(self, node: nodes.CondExpr) -> nodes.Expr:
        guard = self._syntax.expression(node.test)
        for side in ("expr1", "expr2"):
            value = getattr(node, side)
            if value is not None:
                body = self._body("... if ... else ...", self._syntax.expression(value), guard)
                setattr(node, side, self._call("reach", value, body, self._value(value)))
        node.test = self._tested(node.test, guard)
        return node

    def _call_or_filter(self, node: nodes.Call | nodes.Filter) -> nodes.Expr:
        if node.node is not None:
            node.node = self._value(node.node)
        node.args = [self._value(arg) for arg in node.args]
        for keyword in node.kwargs:
            keyword.value = self._value(keyword.value)
        return node

    def _owner(self, node: nodes.Getattr | nodes.Getitem) -> nodes.Expr:
        node.node = self._value(node.node)
        return node

    def _items(self, node: nodes.List | nodes.Tuple | nodes.Dict) -> nodes.Expr:
        node.items = [self._value(item) for item in node.items]
        return node

    def _pair(self, node: nodes.Pair) -> nodes.Pair:
        node.value = self._value(node.value)
        return node

    _EXPRESSIONS: dict[type[Any], Callable[[Any, Any], Any]] = {  # noqa: RUF012 - a table that nobody changes
        nodes.Const: _const,
        nodes.Add: _both_sides,
        nodes.And: _both_sides,
        nodes.Or: _both_sides,
        nodes.Concat: _concat,
        nodes.CondExpr: _condexpr,
        nodes.Call: _call_or_filter,
        nodes.Filter: _call_or_filter,
        nodes.Getattr: _owner,
        nodes.Getitem: _owner,
        nodes.List: _items,
        nodes.Tuple: _items,
        nodes.Dict: _items,
        nodes.Pair: _pair,
    }

    def _site(self, place: Place, *, exact: bool = False) -> int:
        self._sites.append(Site(place, exact))
        return len(self._sites) - 1

    def _body(self, kind: str, place: Place, guard: Place | None = None) -> int:
        site = self._site(place)
        self.bodies[site] = Body(kind, place, guard)
        return site

    def _tested(self, test: Any, place: Place, body: int | None = None) -> nodes.Expr:
        """A condition; `body` is what it guards."""
        site = self._site(place)
        if body is not None:
            self.guards[site] = body
        return self._call("tested", test, site, test)

    def _reach(self, body: int, near: nodes.Node) -> nodes.Node:
        return nodes.ExprStmt(self._call("reach", near, body))

    def _call(self, name: str, near: nodes.Node, *values: int | nodes.Expr) -> nodes.Expr:
        """A call of one of the environment's reporters, at the place of a node that was written; else what it would hand on."""
        arguments = [nodes.Const(value) if isinstance(value, int) else value for value in values]
        if name not in self.reports:
            return arguments[-1]
        made = nodes.Call(nodes.EnvironmentAttribute(name), arguments, [], None, None)
        made.set_lineno(near.lineno)
        return made


class BodyCounter(Instrumenter):
    """Rewrites a tree so that it tells nothing but which bodies begin."""

    reports = frozenset(("reach",))

    def _concat(self, node: nodes.Concat) -> nodes.Expr:
        node.nodes = [self._value(part) for part in node.nodes]
        return node

    _EXPRESSIONS: dict[type[Any], Callable[[Any, Any], Any]] = {  # noqa: RUF012 - a table that nobody changes
        **Instrumenter._EXPRESSIONS,
        nodes.Concat: _concat,
    }


def _compiled(environment: ChatEnvironment, tree: nodes.Template) -> JinjaTemplate:
    tree.set_environment(environment)
    return JinjaTemplate.from_code(environment, environment.compile(tree), environment.make_globals(None))


class Counter:
    """A template's compilation that counts its bodies."""

    def __init__(self, syntax: Syntax) -> None:
        """Compile it. Raises whatever Jinja or Python raise, as the other second compilation does."""
        self._environment = CountingEnvironment()
        instrumenter = BodyCounter(syntax, [])
        self._compiled = _compiled(self._environment, instrumenter.rewrite())
        self.bodies = instrumenter.bodies

    @property
    def reached(self) -> set[int]:
        """The bodies that ran so far."""
        return self._environment.reached

    def run(self, context: Mapping[str, Any]) -> None:
        """Render with these variables. Raises whatever the template does."""
        tag = self._environment.generation
        written: list[str] = []
        tag.begin(written)
        try:
            written.extend(self._compiled.root_render_func(self._compiled.new_context(dict(context))))
        finally:
            tag.written = None


class Tracer:
    """A template's second compilation."""

    def __init__(self, syntax: Syntax) -> None:
        """Compile it. Raises whatever Jinja or Python raise: the caller knows that the plain compilation succeeded."""
        self._environment = TracingEnvironment()
        instrumenter = Instrumenter(syntax, self._environment.sites)
        self._compiled = _compiled(self._environment, instrumenter.rewrite())
        self.bodies, self.guards = instrumenter.bodies, instrumenter.guards

    @property
    def sites(self) -> list[Site]:
        """The code that writes and decides, by number."""
        return self._environment.sites

    def run(self, context: Mapping[str, Any]) -> Trace:
        """Render with these variables; where the template raises, the trace up to there, without a text."""
        messages = [_traced(message, index) for index, message in enumerate(context["messages"])]
        trace = self._environment.begin(messages)
        tag = self._environment.generation
        written: list[str] = []
        tag.begin(written)
        try:
            for piece in self._compiled.root_render_func(self._compiled.new_context({**context, "messages": messages})):
                written.append(piece)
            whole = joined(written)
            trace.text, trace.pieces = str.__str__(whole), pieces_of(whole)
        except Exception as error:  # the plain render raises too, and tells it
            trace.text, trace.error = None, type(error).__name__
        finally:
            tag.written = None
        return trace


KINDS = frozenset(("role", "type"))
"""Keys of a message whose values name kinds and are nobody's words."""


def _traced(value: Any, message: int) -> Any:
    """A message whose texts know that they are its own."""
    if isinstance(value, str):
        return TracedText(value, (Piece(len(value), message=message),))
    if isinstance(value, dict):
        return {key: item if key in KINDS else _traced(item, message) for key, item in value.items()}
    if isinstance(value, list):
        return [_traced(item, message) for item in value]
    return value
