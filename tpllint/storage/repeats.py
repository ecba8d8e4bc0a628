"""What a JSON file or a list of templates holds twice: readers disagree on which counts; transformers takes the last."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tpllint.job import Fact
from tpllint.quoting import listed, quoted
from tpllint.sources.files import ADDED_TOKENS, CONFIG, LEGACY_TEMPLATE, TOKENS_MAP, ModelFile
from tpllint.span import json_string_at
from tpllint.storage.reading import Stored

MAX_FACTS = 10
"""How many repetitions in one file are told."""
MAX_PLACED_BYTES = 2_000_000
"""Places are looked for in files up to this size."""
MAX_COMPARED = 100

ABOUT_CHATS = frozenset((CONFIG, LEGACY_TEMPLATE, TOKENS_MAP, ADDED_TOKENS))
"""Files of which every key matters; of the others, only those that name templates, tokens or the model of an adapter."""
NAMES_WHAT_MATTERS = re.compile(r"chat_template|\w+_tokens?(_ids?)?|base_model_name_or_path")

PIECE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


@dataclass
class Repetitions:
    """Gathers, as the hook of a JSON reader, the keys that an object holds twice with different values."""

    keys: list[str] = field(default_factory=list)

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """The object, of whose equal keys the last one counts."""
        made = dict(pairs)
        if len(made) < len(pairs):
            self.keys += dict.fromkeys(key for key, value in pairs if made[key] != value)
        return made


def repeated_keys(file: ModelFile, keys: Sequence[str]) -> Iterator[Fact]:
    """A fact for each key that matters, of those that were found to be repeated in a file."""
    wanted = {key for key in keys if file.name in ABOUT_CHATS or NAMES_WHAT_MATTERS.fullmatch(key)}
    if not wanted:
        return
    for repeat in _placed(file.lined.text, wanted):
        at, before = (None if offset is None else _line_and_column(file, offset) for offset in (repeat.last, repeat.first))
        yield Fact("duplicate-key", file.shown, f"repeats the key {quoted(repeat.key)} with another value", at, before)


def _placed(text: str, wanted: set[str]) -> list[_Repeat]:
    """Where these keys are repeated; without places where the text is too large or nests too deeply to look for them."""
    if len(text) <= MAX_PLACED_BYTES:
        with contextlib.suppress(RecursionError):
            return list(itertools.islice((repeat for repeat in _repeats(text) if repeat.key in wanted), MAX_FACTS))
    return [_Repeat(key) for key in sorted(wanted)[:MAX_FACTS]]


def repeated_names(file: ModelFile, entries: Sequence[Stored]) -> Iterator[Fact]:
    """A fact for each name that several entries of a list of templates have, where their texts differ."""
    by_name: dict[str, list[Stored]] = {}
    for stored in entries:
        by_name.setdefault(stored.name, []).append(stored)
    several = (found for found in by_name.values() if len({stored.source for stored in found}) > 1)
    for found in itertools.islice(several, MAX_FACTS):
        numbers = listed([str(stored.keys[1]) for stored in found])
        at, before = (_place_of_name(file, stored) for stored in (found[-1], found[0]))
        detail = f"gives the name {quoted(found[0].name)} to entries {numbers} of its list"
        yield Fact("duplicate-name", file.shown, detail, at, before)


def _place_of_name(file: ModelFile, stored: Stored) -> tuple[int, int] | None:
    at = json_string_at(file.lined.text, (*stored.keys[:2], "name"))
    return None if at is None else _line_and_column(file, at)


def _line_and_column(file: ModelFile, offset: int) -> tuple[int, int]:
    position = file.lined.position(offset)
    return position.line, position.column


class _Repeat(NamedTuple):
    """A key, and where it stands first and last in one object; None where nothing tells."""

    key: str
    first: int | None = None
    last: int | None = None


@dataclass
class _Object:
    """An object that is being read: of each key the offset and the text of its values; a list has no keys."""

    is_list: bool
    key: str | None = None
    value_at: int = 0
    values: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    key_at: int = 0

    def end_value(self, end: int) -> None:
        """The value of the current key ends here."""
        if self.key is not None:
            self.values.setdefault(self.key, []).append((self.key_at, self.value_at, end))
            self.key = None


def _repeats(text: str) -> Iterator[_Repeat]:
    """The keys of valid JSON that one object holds twice with different values."""
    open_objects: list[_Object] = []
    compared = itertools.count()
    for piece in PIECE.finditer(text):
        word, current = piece[0], open_objects[-1] if open_objects else None
        if word in ("{", "["):
            open_objects.append(_Object(word == "["))
        elif word in ("}", "]"):
            ended = open_objects.pop()
            ended.end_value(piece.start())
            yield from _repeats_in(text, ended, lambda: next(compared) < MAX_COMPARED)
        elif current is None or current.is_list:
            continue
        elif word == ",":
            current.end_value(piece.start())
        elif word == ":":
            current.value_at = piece.end()
        elif current.key is None:
            current.key, current.key_at = json.loads(word), piece.start()


def _repeats_in(text: str, ended: _Object, more: Callable[[], bool]) -> Iterator[_Repeat]:
    for key, values in ended.values.items():
        if len(values) > 1 and more():
            found = [json.loads(text[start:end]) for _, start, end in values]
            if any(value != found[-1] for value in found):
                yield _Repeat(key, values[0][0], values[-1][0])
