"""A compilation whose predicates can be made to come out otherwise.

Every predicate (see `predicates`) is wrapped in a filter that notes how it came out and, where a run says so, hands on the
other outcome. Code that waits for a word, a date or a length runs then, without anybody knowing what it waits for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from jinja2 import Template as JinjaTemplate
from jinja2 import nodes
from jinja2.runtime import Context
from jinja2.utils import pass_context

from tpllint.analysis.environment import ChatEnvironment
from tpllint.analysis.limits import OutOfMemory
from tpllint.analysis.renders import MAX_OUTPUT_CHARACTERS, OutputLimit
from tpllint.analysis.vetting.predicates import is_asked_anywhere

Outcome = tuple[int, bool]
"""A predicate, by number, and how it came out."""
ASK, SEARCH = "ask (tpllint)", "search (tpllint)"
"""Names of filters that no template can write."""
_BRANCHES = (nodes.If, nodes.CondExpr, nodes.For)


class Run(NamedTuple):
    """What one run did: what it wrote, the type of what it raised, and the outcomes that came about by themselves, in order."""

    written: str
    raised: str | None
    asked: Mapping[Outcome, None]

    @property
    def whole(self) -> bool:
        """Whether it came to its end."""
        return self.raised is None


class AskingEnvironment(ChatEnvironment):
    """The environment of this compilation: what the wrapped code reports to.

    It folds no constants: that would change the syntax tree, which others read as well.
    """

    def __init__(self) -> None:
        super().__init__()
        self.optimized = False
        self.filters[ASK], self.filters[SEARCH] = self._filters()
        self.forced: Mapping[int, bool] = {}
        self.asked: dict[Outcome, None] = {}
        self.keyed: set[int] = set()
        self.searched: set[int] = set()

    def _filters(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        @pass_context
        def ask(_: Context, value: Any, number: int) -> Any:
            """A predicate: its value or, where it is forced and differs, the other outcome."""
            outcome = bool(value)
            self.asked[(number, outcome)] = None
            forced = self.forced.get(number, outcome)
            return value if forced is outcome else forced

        @pass_context
        def search(_: Context, value: Any, number: int) -> Any:
            """What a predicate looks into with `in`: in a message or a part it looks for keys."""
            (self.keyed if isinstance(value, dict) else self.searched).add(number)
            return value

        return ask, search


class Forcing:
    """A template's compilation that can be forced. `predicates` are the expressions, in the order of their numbers."""

    def __init__(self, tree: nodes.Template) -> None:
        """Compile a tree, which is the same afterwards. Raises whatever Jinja or Python raise."""
        self._environment = AskingEnvironment()
        wrapping = _Wrapping()
        with wrapping.around(tree):
            code = self._environment.compile(tree)
        self.predicates = tuple(wrapping.predicates)
        self._compiled = JinjaTemplate.from_code(self._environment, code, self._environment.make_globals(None))

    def looks_for_keys(self, number: int) -> bool:
        """Whether a predicate has looked with `in` into nothing but the keys of messages and parts."""
        return self.has_looked_for_keys(number) and number not in self._environment.searched

    def has_looked_for_keys(self, number: int) -> bool:
        """Whether it has ever done so."""
        return number in self._environment.keyed

    def run(self, context: Mapping[str, Any], forced: Mapping[int, bool]) -> Run:
        """Render with these variables while predicates come out as they are forced to. Raises only what a limit raises."""
        environment = self._environment
        environment.forced, environment.asked = forced, {}
        written: list[str] = []
        environment.generation.begin(written)
        raised = None
        try:
            self._write(context, written)
        except MemoryError as error:
            raise OutOfMemory from error
        except Exception as error:  # what a template refuses, or fails at, ends there; what it wrote before is looked at
            raised = type(error).__name__
        finally:
            environment.generation.written = None
        return Run("".join(written), raised, environment.asked)

    def _write(self, context: Mapping[str, Any], written: list[str]) -> None:
        size = 0
        for piece in self._compiled.root_render_func(self._compiled.new_context(dict(context))):
            written.append(piece)
            size += len(piece)
            if size > MAX_OUTPUT_CHARACTERS:
                raise OutputLimit


class _Wrapping:
    """Wraps the predicates of a syntax tree in place, and takes the wraps off again."""

    def __init__(self) -> None:
        self.predicates: list[nodes.Expr] = []
        self._undo: list[Callable[[], None]] = []

    @contextlib.contextmanager
    def around(self, tree: nodes.Template) -> Iterator[None]:
        """While the block runs, every predicate of the tree is wrapped."""
        try:
            self._wrap_all(tree)
            yield
        finally:
            while self._undo:
                self._undo.pop()()

    def _wrap_all(self, tree: nodes.Template) -> None:
        waiting: list[nodes.Node] = [tree]
        while waiting:
            node = waiting.pop()
            if isinstance(node, _BRANCHES) and node.test is not None:
                self._set(node, "test", self._leaves(node.test))
            for name in node.fields:
                value = getattr(node, name)
                if isinstance(value, nodes.Node):
                    waiting.append(value)
                    if is_asked_anywhere(value):
                        self._set(node, name, self._asked(value))
                elif isinstance(value, list):
                    waiting.extend(item for item in value if isinstance(item, nodes.Node))
                    if any(isinstance(item, nodes.Node) and is_asked_anywhere(item) for item in value):
                        self._set(node, name, [self._asked(item) if is_asked_anywhere(item) else item for item in value])

    def _leaves(self, test: Any) -> Any:
        """A condition in which what `and`, `or` and `not` join is wrapped, as far as it is no predicate wherever it stands."""
        if isinstance(test, nodes.And | nodes.Or):
            self._set(test, "left", self._leaves(test.left))
            self._set(test, "right", self._leaves(test.right))
        elif isinstance(test, nodes.Not):
            self._set(test, "node", self._leaves(test.node))
        elif not is_asked_anywhere(test):
            return self._asked(test)
        return test

    def _asked(self, node: Any) -> nodes.Expr:
        number = len(self.predicates)
        self.predicates.append(node)
        if isinstance(node, nodes.Compare) and node.ops[0].op in ("in", "notin"):
            self._set(node.ops[0], "expr", _filtered(node.ops[0].expr, SEARCH, number))
        return _filtered(node, ASK, number)

    def _set(self, node: nodes.Node, name: str, value: Any) -> None:
        before = getattr(node, name)
        if before is not value:
            self._undo.append(lambda: setattr(node, name, before))
            setattr(node, name, value)


def _filtered(node: nodes.Expr, name: str, number: int) -> nodes.Expr:
    return nodes.Filter(node, name, [nodes.Const(number)], [], None, None)
