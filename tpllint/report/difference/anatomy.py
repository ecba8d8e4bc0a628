"""What differs between two descriptions, in words: one row for each fact, in the order of `describe`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tpllint.difference.anatomy import Change
from tpllint.report.description_words import (
    COLUMNS,
    UNDECIDED,
    Fact,
    of_engine,
    of_outcome,
    of_toggle,
    of_token,
    of_variable,
    quoted,
)
from tpllint.report.escape import escape, shortened

SECTIONS = ("treatment", "turns", "prompt", "tools", "reasoning", "template")
TURNS = {
    "opener": "turns open with",
    "closer": "turns close with",
    "last_opener": "turns open with, at the end",
    "last_closer": "turns close with, at the end",
    "whitespace": "texts' outer blanks",
    "text": "texts are written",
}
CONTENT = {"parts": "content in parts", "null": "content null", "missing": "content missing", "empty": "content empty"}
PROMPT = {
    "separator": "between turns",
    "generation_prompt": "generation prompt",
    "default_system": "default system text",
    "injected": "in every prompt",
}
TOOLS = {
    "definitions": "tool definitions",
    "where": "definitions stand",
    "definitions_as": "definitions are written as",
    "calls": "tool calls",
    "call": "a call",
    "calls_as": "calls are written as",
    "object_arguments": "arguments as an object",
    "string_arguments": "arguments as text",
    "text_beside_a_call": "text beside a call",
    "parallel_calls": "parallel calls",
    "results": "tool results",
    "parallel_results": "parallel results",
    "ids_in_calls": "ids in calls",
    "ids_in_results": "ids in results",
}
REASONING = {
    "fields": "read from the fields",
    "last": "in the last answer",
    "earlier": "in earlier answers",
    "in_tool_loop": "before a call",
    "opener": "opens with",
    "closer": "closes with",
    "tags_last": "<think> in the last answer's text",
    "tags_earlier": "<think> in earlier text",
}
REST = {
    "undecided": ("treatment", "a plain chat"),
    "beginning": ("prompt", "beginning"),
    "terminator": ("prompt", "end of an answer"),
    "stops_at_terminator": ("prompt", "the model stops at it"),
    "images": ("treatment", "images"),
    "image": ("treatment", "an image is written"),
    "continue_final_message": ("treatment", "continued answer"),
    "generation_markers": ("template", "generation markers"),
    "special_tokens": ("template", "tokens read by name"),
}
DEPTHS: Sequence[tuple[tuple[str, ...], int]] = (
    (("roles",), 3),
    (("reasoning", "toggles"), 3),
    *(((head,), 2) for head in ("reasoning", "tools", "orders", "variables", "engines")),
    ((), 1),
)
"""How long the path of a fact is, by how it begins; what it holds is told whole."""
TEXTS = frozenset((*PROMPT, "opener", "closer", "last_opener", "last_closer", "call", "image"))
"""What is text of a prompt, and shown in quotes."""
IN_HISTORY = ("last_opener", "last_closer")

SAID_BY: Mapping[tuple[str, ...], tuple[str, ...]] = {("tools", "results"): ("roles", "tool", "outcome")}
"""Facts that another one tells as well, and which."""
TREATMENTS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("system messages", ("roles", "system", "outcome")),
    ("developer messages", ("roles", "developer", "outcome")),
    ("tool definitions", ("tools", "definitions")),
    ("tool calls", ("tools", "calls")),
    ("parallel calls", ("tools", "parallel_calls")),
    ("arguments as text", ("tools", "string_arguments")),
    ("text beside a call", ("tools", "text_beside_a_call")),
    ("tool results", ("tools", "results")),
    ("reasoning in the last answer", ("reasoning", "last")),
    ("reasoning in earlier answers", ("reasoning", "earlier")),
    ("reasoning before a call", ("reasoning", "in_tool_loop")),
    ("content in parts", ("roles", "user", "parts")),
    ("images", ("images",)),
    ("continued answer", ("continue_final_message",)),
    ("generation prompt", ("generation_prompt",)),
    ("end of an answer", ("terminator",)),
    ("the model stops at it", ("stops_at_terminator",)),
    ("generation markers", ("generation_markers",)),
)
"""What is told of every two templates, whether it differs or not."""


class Row(NamedTuple):
    """A fact on both sides; `remark` puts into words what is easily overlooked. `role` is whose turns it is about, if any."""

    section: str
    label: str
    left: str
    right: str
    remark: str = ""
    role: str = ""

    @property
    def differs(self) -> bool:
        """Whether the two sides read differently."""
        return self.left != self.right


def rows(changes: Sequence[Change], left: Fact, right: Fact, columns: int = COLUMNS) -> list[Row]:
    """What differs, each fact once; of `left` and `right`, the descriptions, what a change is a part of is told whole.

    What one side leaves undecided is not told: nobody knows whether it differs.
    """
    found = dict.fromkeys(path for change in changes for path in _facts(change.path, left, right))
    facts = [path for path in found if SAID_BY.get(path) not in found]
    facts.sort(key=lambda path: (SECTIONS.index(_label(path)[0]), _order(path, left, right)))
    told = (_row(path, left, right, columns) for path in facts)
    return list(_merged((row for row in told if row.differs and UNDECIDED not in (row.left, row.right)), _known(left, right)))


def _known(left: Fact, right: Fact) -> dict[str, int]:
    """How many roles have each fact on both sides."""
    roles = [(left["roles"].get(role), right["roles"].get(role)) for role in left["roles"]]
    facts = {**TURNS, **CONTENT}
    return {words: sum(None not in (a and a[key], b and b[key]) for a, b in roles) for key, words in facts.items()}


def _merged(told: Iterable[Row], roles_of: Mapping[str, int]) -> Iterator[Row]:
    """The same, with roles that differ in the same way in one row; `{role}` stands for the name of each.

    `roles_of` tells how many roles can differ in a fact.
    """
    groups: dict[Row, list[Row]] = {}
    for row in told:
        groups.setdefault(_without_role(row), []).append(row)
    for alike, members in groups.items():
        if len(members) == 1:
            row = members[0]
            yield row._replace(label=f"{row.role} {row.label}") if row.role else row
        else:
            who = "all" if len(members) == roles_of.get(alike.label) else ", ".join(row.role for row in members)
            yield alike._replace(label=f"{who} {alike.label}")


def _without_role(row: Row) -> Row:
    if not row.role:
        return row
    return row._replace(left=row.left.replace(row.role, "{role}"), right=row.right.replace(row.role, "{role}"), role="")


def _order(path: tuple[str, ...], left: Fact, right: Fact) -> list[int]:
    """Where a fact stands in a description."""
    places: list[int] = []
    for depth, key in enumerate(path):
        around = (_at(path[:depth], side) for side in (left, right))
        keys = list(dict.fromkeys(key for side in around if isinstance(side, Mapping) for key in side))
        places.append(keys.index(key))
    return places


def treatments(left: Fact, right: Fact, columns: int = COLUMNS) -> list[Row]:
    """What both templates make of what callers do, and how their answers end."""
    told = [Row("treatment", label, *_pair(path, left, right, columns)) for label, path in TREATMENTS]
    names = dict.fromkeys((*_toggles(left), *_toggles(right)))
    return told + [
        Row("treatment", escape(name, 40), *_pair(("reasoning", "toggles", name), left, right, columns)) for name in names
    ]


def _toggles(description: Fact) -> Mapping[str, Any]:
    toggles: Mapping[str, Any] = (description.get("reasoning") or {}).get("toggles") or {}
    return toggles


def _facts(path: tuple[str, ...], left: Fact, right: Fact) -> Iterator[tuple[str, ...]]:
    """The paths of the facts that a change is part of, or that are part of it; none for what other rows tell."""
    if path[0] == "capabilities":
        return
    depth = next(depth for head, depth in DEPTHS if path[: len(head)] == head)
    if len(path) >= depth:
        yield path[:depth]
        return
    sides = (_at(path, side) for side in (left, right))
    for key in dict.fromkeys(key for side in sides if isinstance(side, Mapping) for key in side):
        yield from _facts((*path, key), left, right)


def _row(path: tuple[str, ...], left: Fact, right: Fact, columns: int) -> Row:
    section, label = _label(path)
    pair = _pair(path, left, right, columns)
    remark = _blanks(_at(path, left), _at(path, right)) if path[-1] in TEXTS else ""
    role = path[1] if path[0] == "roles" and path[-1] != "outcome" else ""
    return Row(section, label, *pair, remark, role)


def _label(path: tuple[str, ...]) -> tuple[str, str]:
    """The section of a fact, and what it is called."""
    head, name = path[0], path[-1]
    if head == "roles":
        return _label_of_role(path[1], name)
    if head in ("tools", "reasoning"):
        return head, (TOOLS if head == "tools" else REASONING).get(name) or escape(name, 40)
    if head in ("variables", "engines"):
        return "template", f"variable {escape(name, 40)}" if head == "variables" else name
    if head in PROMPT:
        return "prompt", PROMPT[head]
    return REST.get(head, ("treatment", name))


def _label_of_role(role: str, key: str) -> tuple[str, str]:
    if key == "outcome":
        return "treatment", "messages of any other role" if role == "other" else f"{role} messages"
    return ("turns", TURNS[key]) if key in TURNS else ("treatment", CONTENT.get(key, key))


def _pair(path: tuple[str, ...], left: Fact, right: Fact, columns: int) -> tuple[str, str]:
    first, second = (shortened(_told(path, _at(path, side)), columns) for side in (left, right))
    return first, second


def _at(path: tuple[str, ...], description: Fact) -> Any:
    value: Any = description
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _told(path: tuple[str, ...], value: Any) -> str:
    """A value in words."""
    key = path[-1]
    if path[:2] == ("reasoning", "toggles"):
        return of_toggle(value) if value else "not read"
    if path[0] == "variables":
        return of_variable(value) if value else "not read"
    if path[0] == "engines":
        return of_engine(value) if value else UNDECIDED
    if key in ("beginning", "terminator"):
        return of_token(value, "nothing" if key == "beginning" else "no marker")
    if key == "undecided":
        return "renders" if value is None else escape(str(value))
    return _text(key, value) if key in TEXTS else _plain(value)


def _text(key: str, value: Any) -> str:
    if value is None:
        return "as in the history" if key in IN_HISTORY else UNDECIDED
    return quoted(str(value), 1000) if value else "nothing"


def _plain(value: Any) -> str:
    if value is None:
        return UNDECIDED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return of_outcome(value)
    if isinstance(value, list):
        return ", ".join(escape(str(item)) for item in value) or "none"
    return escape(str(value))


def _blanks(left: Any, right: Any) -> str:
    """In words, the blanks that stand at an end of one text and not at the same end of the other."""
    if not (isinstance(left, str) and isinstance(right, str) and left.strip() and right.strip()):
        return ""
    return "; ".join(_each_end(left, right))


def _each_end(left: str, right: str) -> Iterator[str]:
    for where, ends in (
        ("before", tuple(text[: len(text) - len(text.lstrip())] for text in (left, right))),
        ("after", tuple(text[len(text.rstrip()) :] for text in (left, right))),
    ):
        if ends[0] != ends[1]:
            first, second = (quoted(end) if end else "nothing" for end in ends)
            yield f"blanks {where} the marker: {first} on the left, {second} on the right"
