"""Reads the files that hold chat templates: text and JSON, as transformers reads them."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tpllint.quoting import quoted
from tpllint.sources.files import LEGACY_TEMPLATE, PROCESSOR, ModelFile
from tpllint.span import NEWLINE, Position, Span, json_string_at, json_value_at, offset_at, offset_in_json_string

DEFAULT = "default"
BYTE_ORDER_MARK = "\ufeff"
MAX_LABEL = 255
FOR_PROCESSORS = (LEGACY_TEMPLATE, PROCESSOR)


@dataclass(frozen=True)
class Stored:
    """One template and where it stands: in a file of its own, or in a string of a JSON file (`keys` lead to it).

    `name` is the one that transformers knows it by. `label` tells it from the other templates of its model: the name for what
    the tokenizer loads, else with the file in front of it.
    """

    name: str
    source: str
    file: ModelFile
    keys: tuple[str | int, ...] = ()
    label: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", self.label or self.name)

    @property
    def place(self) -> tuple[str, tuple[str | int, ...]]:
        """What no other template of the model shares: the file and the keys that lead to it in the file."""
        return self.file.name, self.keys

    @property
    def has_carriage_returns(self) -> bool:
        """Whether lines end with a carriage return: transformers drops it from a file of the template's own, others do not."""
        return "\r\n" in self.source or (self.file.name.endswith(".jinja") and b"\r\n" in self.file.data)

    @property
    def lone_carriage_return(self) -> int | None:
        """The offset of the first carriage return that no line feed follows, lines as the template's readers see them."""
        own_file = self.file.name.endswith(".jinja")
        if b"\r" not in self.file.data if own_file else "\r" not in self.source:
            return None
        text = self.file.data.decode("utf-8", "replace") if own_file else self.source
        found = LONE_CARRIAGE_RETURN.search(text)
        return None if found is None else found.start() - text.count("\r\n", 0, found.start())

    def span_in_file(self, start: Position, end: Position) -> Span:
        """Where a span of the template stands in the file that the user has open."""
        if not self.keys:
            return Span(start, end)
        lined, quote = self.file.lined, self._quote
        begin, stop = (offset_in_json_string(lined.text, quote, offset_at(self.source, at)) for at in (start, end))
        return Span(lined.position(begin), lined.position(stop))

    @functools.cached_property
    def _quote(self) -> int:
        """Where the string that holds the template begins in the file's text."""
        return json_string_at(self.file.lined.text, self.keys) or 0


class Unreadable(Exception):
    """A file's content is not what it must be; the message is a clause about the file, `at` its line and column."""

    def __init__(self, detail: str, at: tuple[int, int] | None = None) -> None:
        super().__init__(detail)
        self.at = at


LONE_CARRIAGE_RETURN = re.compile(r"\r(?![\r\n]|\Z)")
POINTER = b"version https://git-lfs.github.com/spec/"
"""The beginning of what a clone without Git LFS has instead of a file."""


def text_of(file: ModelFile) -> str:
    """A template file's text as Python's text mode reads it: UTF-8, line ends as line feeds, a byte order mark kept."""
    _require_content(file)
    try:
        return NEWLINE.sub("\n", file.data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Unreadable(f"is not UTF-8: byte {error.start} cannot be decoded") from error


def json_of(file: ModelFile, made: Callable[[list[tuple[str, Any]]], dict[str, Any]] = dict) -> dict[str, Any]:
    """A JSON file's object; `made` makes each object of its keys and values. Raises Unreadable."""
    _require_content(file)
    try:
        text = file.data.decode("utf-8")
        if text.startswith(BYTE_ORDER_MARK):
            raise Unreadable("begins with a byte order mark, which is not valid JSON", (1, 1))
        loaded = json.loads(text, object_pairs_hook=made)
    except UnicodeDecodeError as error:
        raise Unreadable(f"is not UTF-8: byte {error.start} cannot be decoded") from error
    except json.JSONDecodeError as error:
        said = error.msg.removesuffix(" at")
        raise Unreadable(f"is not valid JSON: {said}", (error.lineno, error.colno)) from error
    except RecursionError as error:
        raise Unreadable("is not usable JSON: it nests too deeply") from error
    except ValueError as error:
        raise Unreadable("is not usable JSON: it holds a number of too many digits") from error
    if not isinstance(loaded, dict):
        raise Unreadable("is not a JSON object")
    return loaded


def _require_content(file: ModelFile) -> None:
    if file.data.startswith(POINTER):
        raise Unreadable("is a pointer of Git LFS and not the file itself, which `git lfs pull` brings")


def embedded(file: ModelFile, held: Any) -> Iterator[Stored]:
    """The templates under "chat_template": text, a list of named templates, or an object of them. Raises Unreadable."""
    if isinstance(held, str):
        yield Stored(DEFAULT, held, file, ("chat_template",))
    elif isinstance(held, dict):
        for number, (name, source) in enumerate(held.items()):
            if not isinstance(source, str):
                raise _unfit(file, (name,), f"holds a chat template {quoted(name)} that is {kind_of(source)}; expected text")
            yield Stored(name, source, file, ("chat_template", name), _label(name, number))
    elif isinstance(held, list) and file.name in FOR_PROCESSORS:
        raise _unfit(file, (), 'holds a "chat_template" that is a list; expected text, which is all that a processor takes')
    elif isinstance(held, list):
        for index, entry in enumerate(held):
            name, source = _named(file, index, entry)
            yield Stored(name, source, file, ("chat_template", index, "template"), _label(name, index))
    else:
        expected = "expected text or a list of named templates"
        raise _unfit(file, (), f'holds a "chat_template" that is {kind_of(held)}; {expected}')


def _label(name: str, number: int) -> str:
    """The name, or the beginning of one so long that no report could repeat it with every finding."""
    return name if len(name) <= MAX_LABEL else f"{name[: MAX_LABEL // 2]}... (entry {number})"


def _named(file: ModelFile, index: int, entry: Any) -> tuple[str, str]:
    if not isinstance(entry, dict):
        raise _unfit(file, (index,), f'has {kind_of(entry)} as entry {index} of "chat_template"; expected an object')
    for key in ("name", "template"):
        if not isinstance(entry.get(key), str):
            raise _unfit(file, (index,), f'has no text under "{key}" in entry {index} of "chat_template"')
    return entry["name"], entry["template"]


def _unfit(file: ModelFile, keys: tuple[str | int, ...], detail: str) -> Unreadable:
    """What stands under "chat_template" and these keys is not what it must be."""
    at = json_value_at(file.lined.text, ("chat_template", *keys))
    position = None if at is None else file.lined.position(at)
    return Unreadable(detail, None if position is None else (position.line, position.column))


def kind_of(value: Any) -> str:
    """A JSON value's type in words."""
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), "null")
