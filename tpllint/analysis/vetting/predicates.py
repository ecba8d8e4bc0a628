"""The predicates of a template: whatever in its code comes out true or false, and what that depends on.

A comparison, a test and a question such as `startswith` are predicates wherever they stand, also as an index or a factor; any
other value is one where a branch is taken by it. Whether something is there, of a type, or empty is a question of *shape*.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from jinja2 import nodes

from tpllint.analysis.syntax import Syntax
from tpllint.analysis.vetting.dependence import CONTENT, CONVERSATION, COUNT, ENGINE, POSITION, ROLE, Dependence, Sources
from tpllint.markers import BARE_MARKER

ASKING = frozenset(("startswith", "endswith", "isupper", "islower", "isdigit", "isalpha", "isalnum", "istitle", "isnumeric"))
"""Methods of text whose answer is yes or no."""
ABOUT_ROLES = frozenset((ROLE, COUNT, POSITION, CONVERSATION))
"""What it depends on who speaks, how often and where."""
SHAPES = frozenset(
    (
        *("defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "boolean", "integer"),
        *("float", "callable", "true", "false"),
    )
)
"""Tests of what a value is, not of what it says."""
_WORKING = (nodes.Filter, nodes.Call, nodes.BinExpr, nodes.Getattr, nodes.Getitem)
EMPTY = (None, "", 0)
ROLES = frozenset(
    (
        *("system", "user", "assistant", "tool", "developer", "function", "ipython", "model", "bot", "human", "gpt", "ai"),
        *("chatbot", "tool_response", "tool_call", "tool_result", "observation", "documents", "document", "context"),
    )
)
"""Roles that clients send or formats know."""
COMMAND = re.compile(r"\A(?:[/@#\[<{|_]\S*|\S*[>|_:\\]\S*)\Z")
"""A word in the form of a switch, a control token or a name of a program's: no person writes it by chance."""
BRACKETED = re.compile(r"\[[^\[\]\n]{1,60}\]|<[^<>\n]{1,60}>")
"""A marker of several words."""


class Predicate(NamedTuple):
    """Something that comes out true or false: what it depends on, and the texts that it compares with.

    `shape` tells that it asks whether something is there, of a type or empty.
    """

    sources: Sources
    words: tuple[str, ...]
    shape: bool

    @property
    def asks_for_a_usual_role(self) -> bool:
        """Whether it does no more than to tell the roles of a chat apart."""
        return self.sources <= ABOUT_ROLES and bool(self.words) and ROLES.issuperset(self.words)

    @property
    def is_a_command(self) -> bool:
        """Whether what it looks for in a text is no natural language, such as `/no_think` or `</think>`."""
        return bool(self.words) and all(map(is_command, self.words))


def is_command(word: str) -> bool:
    """Whether a text is a switch or a control token."""
    return any(form.search(word.strip()) for form in (COMMAND, BARE_MARKER, BRACKETED))


def predicate_of(node: nodes.Node, syntax: Syntax, dependence: Dependence) -> Predicate:
    """What there is to know of a predicate."""
    probes = _engine_probe(node, syntax) or _asks_nothing(node)
    sources = frozenset({ENGINE}) if probes else dependence.of(node)
    words = tuple(literal for literal in literals(node) if isinstance(literal, str) and literal)
    shape = not probes and _asks_for_shape(node)
    return Predicate(sources, words, shape)


def speaks(node: nodes.Node, syntax: Syntax, dependence: Dependence) -> bool:
    """Whether the body that a predicate guards writes what a message says."""
    branches = (branch for branch in syntax.find("If") if branch.test is node or node in branch.test.find_all(type(node)))
    outputs = (output for branch in branches for part in branch.body for output in _outputs(part))
    return any(CONTENT in dependence.of(output) for output in outputs)


def _outputs(node: nodes.Node) -> Iterator[nodes.Output]:
    if isinstance(node, nodes.Output):
        yield node
    yield from node.find_all(nodes.Output)


def literals(node: nodes.Node) -> Iterator[Any]:
    """The constants in an expression, apart from the keys and the names of tests by which it looks something up."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, nodes.Const):
            yield current.value
        else:
            waiting.extend(reversed(_with_values(current)))


def _with_values(node: nodes.Node) -> list[nodes.Node]:
    """The parts of an expression that can be values to compare with."""
    if isinstance(node, nodes.Getitem):
        return [node.node]
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and node.node.attr == "get":
        return [node.node]
    if isinstance(node, nodes.Filter) and node.name in CHOOSING:
        kept = [] if node.node is None else [node.node]
        return [*kept, *node.args[2:]]
    return list(node.iter_child_nodes())


def _engine_probe(node: nodes.Node, syntax: Syntax) -> bool:
    """Whether it asks if the environment offers a function: some engines do and others do not."""
    if not (isinstance(node, nodes.Test) and node.name in ("defined", "undefined", "callable")):
        return False
    return isinstance(node.node, nodes.Name) and node.node.name in syntax.globals


def _asks_nothing(node: nodes.Node) -> bool:
    """Whether it asks what becomes of constants: engines differ in how they write numbers, and in what they know."""
    if not isinstance(node, nodes.Compare | nodes.Test) or next(node.find_all((nodes.Name, nodes.NSRef)), None) is not None:
        return False
    return isinstance(node, nodes.Test) or next(node.find_all(_WORKING), None) is not None


def _asks_for_shape(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Test):
        return node.name in SHAPES and _is_plain(node.node)
    if isinstance(node, nodes.Compare):
        sides = (node.expr, *(operand.expr for operand in node.ops))
        return any(_is_empty(side) for side in sides) and all(_is_empty(side) or _is_plain(side) for side in sides)
    return _is_plain(node)


def _is_empty(node: nodes.Node) -> bool:
    if isinstance(node, nodes.List | nodes.Tuple | nodes.Dict):
        return not node.items
    return isinstance(node, nodes.Const) and (node.value is True or any(node.value == empty for empty in EMPTY))


CHOOSING = frozenset(("selectattr", "rejectattr"))
"""Filters whose first two arguments are a key and the name of a test."""
PLAIN_FILTERS = frozenset(("trim", "length", "count", "list", "default", "d", "first", "last", "string", "select"))
PLAIN_METHODS = frozenset(("strip", "lstrip", "rstrip", "get", "items", "keys", "values"))


def _is_plain(node: Any) -> bool:
    """Whether an expression hands on what it finds under names and keys: then only emptiness can be asked of it."""
    while True:
        if isinstance(node, nodes.Getattr) or _looks_up(node) or _hands_on(node):
            node = node.node
        elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and _is_plain_call(node):
            node = node.node.node
        else:
            return isinstance(node, nodes.Name | nodes.NSRef | nodes.Const)


def _is_plain_call(call: nodes.Call) -> bool:
    """Whether a method strips blanks or asks for a key that is written out."""
    attribute = getattr(call.node, "attr", "")
    return attribute in PLAIN_METHODS and (attribute != "get" or all(isinstance(key, nodes.Const) for key in call.args[:1]))


def _looks_up(node: Any) -> bool:
    """Whether a node takes an entry by a key, or the first or last by its number."""
    key = getattr(node, "arg", None)
    return isinstance(node, nodes.Getitem) and isinstance(key, nodes.Const) and (isinstance(key.value, str) or key.value == 0)


def _hands_on(node: Any) -> bool:
    """Whether a filter takes blanks, a length or a part, and picks by no test."""
    return isinstance(node, nodes.Filter) and node.name in PLAIN_FILTERS and not (node.name == "select" and node.args)


def is_asked_anywhere(node: nodes.Node) -> bool:
    """Whether an expression is a predicate wherever it stands."""
    if isinstance(node, nodes.Compare | nodes.Test):
        return True
    return isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and node.node.attr in ASKING
