"""What a template asks for beside who says what, as far as its source tells: for making conversations that it treats apart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from jinja2 import nodes

from tpllint.analysis.limits import LimitReached
from tpllint.analysis.syntax import Syntax
from tpllint.analysis.variables import compared_with
from tpllint.analysis.vetting.dependence import CONTENT, ROLE, Dependence
from tpllint.analysis.vetting.predicates import literals
from tpllint.conversations import canonical
from tpllint.conversations.variations import Probes

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

LOOKING = frozenset(
    ("startswith", "endswith", "split", "rsplit", "partition", "find", "rfind", "index", "rindex", "count", "replace")
)
"""Methods of text that look for what they are given."""
MOST_TEXTS = 200
LONGEST_WORD = 200
ROLE_NAME = re.compile(r"[\w-]{1,40}")


def probes_of(template: Template) -> Probes:
    """The variables that a template reads and the words that it looks for in messages; nothing where it has no syntax."""
    syntax, dependence = template.syntax, template.dependence
    if syntax is None or dependence is None:
        return Probes()
    try:
        with template.running():
            variables = {one.name: tuple(_values(syntax, one.name)) for one in template.free_variables}
            words = dict.fromkeys(_words(syntax, dependence))
            roles = dict.fromkeys(_roles(syntax, dependence))
            documents = any(name.name == "documents" for name in syntax.find("Name"))
    except (LimitReached, MemoryError, RecursionError):
        return Probes()
    return Probes(variables, tuple(words)[:MOST_TEXTS], tuple(roles)[:MOST_TEXTS], documents)


def _values(syntax: Syntax, name: str) -> Iterator[Any]:
    """The values that a variable is compared with."""
    return (json.loads(word) for word in compared_with(syntax, name) if word != "none" and len(word) <= LONGEST_WORD)


def _roles(syntax: Syntax, dependence: Dependence) -> Iterator[str]:
    """The roles that are compared with that of a message and that no canonical conversation has."""
    known = {message.get("role") for conversation in canonical().values() for message in conversation.messages}
    for node in syntax.find("Compare"):
        if ROLE in dependence.of(node):
            yield from (
                word for word in literals(node) if isinstance(word, str) and ROLE_NAME.fullmatch(word) and word not in known
            )


def _words(syntax: Syntax, dependence: Dependence) -> Iterator[tuple[str, ...]]:
    """The words that one condition compares with what messages say, or looks for in it; then each that is looked for at all."""
    conditions = (branch.test for branch in (*syntax.find("If"), *syntax.find("CondExpr")))
    for node in (*conditions, *syntax.find("Compare"), *_calls(syntax)):
        if CONTENT in dependence.of(node):
            words = (word for word in literals(node) if isinstance(word, str) and 0 < len(word) <= LONGEST_WORD)
            if found := tuple(dict.fromkeys(words)):
                yield found


def _calls(syntax: Syntax) -> Iterator[nodes.Call]:
    return (call for call in syntax.find("Call") if isinstance(call.node, nodes.Getattr) and call.node.attr in LOOKING)
