"""The form of what a worker answers. A template that has broken out of its sandbox writes answers, too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

Form: TypeAlias = Callable[[Any], bool]

MAX_NUMBER = 2**31
"""Of lines, columns and counts; no text that is read has more."""
LEVELS = ("error", "warning", "info")


def require_form(message: Mapping[str, Any], rules: Collection[str]) -> None:
    """Raise ValueError for a message that is not of the form of its kind, or names a rule that there is not."""
    kind = message.get("kind")
    form = FORMS.get(kind) if isinstance(kind, str) else None
    if form is None or not _has(form)(message):
        raise ValueError("a message of no known form")
    named = message.get("questions", {}) if kind == "done" else [message["rule"]] if "rule" in form else ()
    if not all(rule in rules or (kind == "crash" and not rule) for rule in named):
        raise ValueError("a message of an unknown rule")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_NUMBER


def _is_level(value: Any) -> bool:
    return value in LEVELS


def _is_place(value: Any) -> bool:
    """Line, column, end line and end column."""
    numbers = isinstance(value, list) and len(value) == 4 and all(_is_number(number) and number for number in value)
    return numbers and value[:2] <= value[2:]


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _maybe(form: Form) -> Form:
    return lambda value: value is None or form(value)


def _list_of(form: Form) -> Form:
    return lambda value: isinstance(value, list) and all(map(form, value))


def _map_of(form: Form) -> Form:
    return lambda value: isinstance(value, dict) and all(map(form, value.values()))


def _row(*forms: Form) -> Form:
    """A list with a value of each form."""
    return lambda value: (
        isinstance(value, list)
        and len(value) == len(forms)
        and all(form(item) for form, item in zip(forms, value, strict=True))
    )


def _has(fields: Mapping[str, Form]) -> Form:
    """An object with such values under these keys; a key that may hold None may also be left out."""
    return lambda value: isinstance(value, dict) and all(form(value.get(key)) for key, form in fields.items())


_WHERE: Mapping[str, Form] = {"template": _maybe(_is_text), "file": _maybe(_is_text), "place": _maybe(_is_place)}
_INPUTS: Mapping[str, Form] = {"messages": _list_of(_is_object)}
_REWRITE: Mapping[str, Form] = {"edits": _list_of(_row(_is_place, _is_text)), "loses": _is_text, "gains": _is_text}
_ROW_PROBLEM = _row(_is_text, _is_level, _is_text, _maybe(_is_number), _is_text)

FORMS: Mapping[str, Mapping[str, Form]] = {
    "serving": {},
    "problem": {
        "rule": _is_text,
        "message": _is_text,
        "help": _is_text,
        "severity": _maybe(_is_level),
        "engine": _maybe(_is_text),
        "conversation": _maybe(_is_text),
        "excerpt": _maybe(_is_text),
        "usual": _maybe(_is_text),
        "input": _maybe(_has(_INPUTS)),
        "related": _maybe(_list_of(_has({"message": _is_text, **_WHERE}))),
        "rewrite": _maybe(_has(_REWRITE)),
        "own_file": _maybe(_is_flag),
        **_WHERE,
    },
    "more": {"rule": _is_text, "template": _maybe(_is_text), "count": _is_number},
    "crash": {"rule": _is_text, "traceback": _is_text},
    "suppression": {
        "template": _is_text,
        "says": _is_text,
        "words": _maybe(_list_of(_is_text)),
        "whole": _is_flag,
        "place": _is_place,
        "holds": _is_place,
    },
    "render": {
        "template": _is_text,
        "conversation": _is_text,
        "add_generation_prompt": _is_flag,
        "clock": _is_text,
        "inputs": _has({**_INPUTS, "variables": _is_object}),
        "text": _maybe(_is_text),
        "error": _maybe(_is_text),
        "origins": _maybe(_list_of(_row(_is_number, _is_number, _maybe(_is_number), _maybe(_is_number), _maybe(_is_place)))),
    },
    "outcomes": {
        "template": _is_text,
        "outcomes": _list_of(_row(_is_text, _is_flag, _maybe(_is_text), _maybe(_is_text), _maybe(_is_text))),
    },
    "signatures": {
        "template": _is_text,
        "source": _is_text,
        "tokens": _is_text,
        "conversations": _list_of(_row(_is_text, _is_text, _maybe(_is_text))),
        "renders_none": _maybe(_is_text),
    },
    "probes": {
        "template": _is_text,
        "variables": _map_of(_is_list),
        "words": _list_of(_list_of(_is_text)),
        "roles": _list_of(_is_text),
        "documents": _is_flag,
    },
    "description": {"template": _is_text},
    "rows": {
        "rows": _is_number,
        "late": _is_number,
        "rest": lambda value: value is None or (_is_number(value) and value > 0),
        "told": _list_of(_row(_is_number, _list_of(_ROW_PROBLEM))),
    },
    "begun": {"index": _is_number},
    "unusable": {"message": _is_text},
    "done": {
        "exhausted": _map_of(_map_of(_is_text)),
        "undecided": _map_of(_is_text),
        "questions": _maybe(_map_of(_list_of(_row(_is_text, _is_text)))),
    },
}
"""The kinds of answers, and what each has under which key."""
