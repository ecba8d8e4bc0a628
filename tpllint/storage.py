"""Where a model's chat templates and special tokens live, and which template wins.

The tokenizer's view of transformers 5.23 (`tokenization_utils_base.py`): any `.jinja` file replaces the templates of
tokenizer_config.json wholesale; `additional_chat_templates/default.jinja` overrides the root file; the legacy
chat_template.json and processor_config.json count only where the tokenizer has nothing.
"""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from tpllint.job import Fact, Variant, Vocabulary
from tpllint.sources.files import (
    ADDED_TOKENS,
    CONFIG,
    GENERATION,
    LEGACY_TEMPLATE,
    MAX_TEMPLATE_BYTES,
    MODEL_CONFIG,
    PROCESSOR,
    TEMPLATE,
    TEMPLATE_FOLDER,
    TOKENIZER,
    TOKENS_MAP,
    ModelFile,
    ModelFiles,
)
from tpllint.span import NEWLINE, Position, Span, json_string_at, offset_at, offset_in_json_string, position_at
from tpllint.tokenizer_head import Head, read_head
from tpllint.tokens import SpecialTokens, misdeclared, special_tokens
from tpllint.vocabulary import Files, vocabulary

DEFAULT = "default"
MAX_TEMPLATES = 100


@dataclass(frozen=True)
class Stored:
    """One template and where it stands: in a file of its own, or in a string of a JSON file (`keys` lead to it)."""

    name: str
    source: str
    file: ModelFile
    keys: tuple[str | int, ...] = ()

    def span_in_file(self, start: Position, end: Position) -> Span:
        """Where a span of the template stands in the file that the user has open."""
        if not self.keys:
            return Span(start, end)
        text, quote = self._literal
        begin, stop = (offset_in_json_string(text, quote, offset_at(self.source, at)) for at in (start, end))
        return Span(position_at(text, begin), position_at(text, stop))

    @functools.cached_property
    def _literal(self) -> tuple[str, int]:
        """The file's text, and where the string that holds the template begins in it."""
        text = self.file.data.decode("utf-8")
        return text, json_string_at(text, self.keys) or 0


@dataclass(frozen=True)
class Resolved:
    """What a model's files amount to. `files` are those that a finding can point into."""

    templates: tuple[Stored, ...]
    tokens: SpecialTokens
    facts: tuple[Fact, ...]
    files: tuple[ModelFile, ...] = ()
    vocabulary: Vocabulary = field(default_factory=Vocabulary)


class Unreadable(Exception):
    """A file's content is not what it must be; the message is a clause about the file, `at` its line and column."""

    def __init__(self, detail: str, at: tuple[int, int] | None = None) -> None:
        super().__init__(detail)
        self.at = at


def resolve(model: ModelFiles) -> Resolved:
    """The templates and tokens of a model, and the facts about its files that rules speak of."""
    reader = _Reader(model)
    templates = reader.focused() if model.focus else reader.winners()
    tokens = reader.tokens()
    facts = [Fact("unread", file.shown, file.reason) for file in model.unread]
    facts += reader.facts
    if model.focus:
        named = {file.shown for name, file in model.files.items() if name in model.focus}
        named |= {file.shown for file in model.unread if file.name in model.focus}
        facts = [fact for fact in facts if fact.file in named]
    elif not templates and not facts:
        facts.append(Fact("missing", None, "no chat template"))
    pointed_into = tuple(_pointed_into(model, templates, facts))
    return Resolved(templates, tokens, tuple(facts), pointed_into, vocabulary_of(model, tokens))


def _pointed_into(model: ModelFiles, templates: Iterable[Stored], facts: Iterable[Fact]) -> Iterator[ModelFile]:
    told = {stored.file.shown for stored in templates} | {fact.file for fact in facts}
    return (file for file in model.files.values() if file.shown in told)


def vocabulary_of(model: ModelFiles, tokens: SpecialTokens) -> Vocabulary:
    """What the files around a template tell of the model's tokens. One that cannot be read tells nothing."""

    def told(name: str) -> dict[str, Any] | None:
        try:
            return json_of(model.files[name]) if name in model.files else None
        except Unreadable:
            return None

    files = Files(
        tokenizer_config=told(CONFIG),
        special_tokens_map=told(TOKENS_MAP),
        added_tokens=told(ADDED_TOKENS),
        generation_config=told(GENERATION),
        config=told(MODEL_CONFIG),
        head=_head(model),
        unread=tokenizer_is_unread(model),
    )
    return vocabulary(files, tokens.values if tokens.known else {})


def tokenizer_is_unread(model: ModelFiles) -> bool:
    """Whether a model on the Hub may have a tokenizer.json that was not asked for yet."""
    asked = TOKENIZER in model.files or any(file.name == TOKENIZER for file in model.unread)
    return model.commit is not None and not asked and (not model.listing or TOKENIZER in model.listing)


def _head(model: ModelFiles) -> Head | None:
    if model.head is None and TOKENIZER in model.files:
        return read_head(io.BytesIO(model.files[TOKENIZER].data))
    return model.head


def variants(resolved: Resolved) -> tuple[Variant, ...]:
    """The templates as a job carries them."""
    return tuple(Variant(stored.name, stored.source) for stored in resolved.templates)


def text_of(file: ModelFile) -> str:
    """A template file's text as Python's text mode reads it: UTF-8, line ends as line feeds, a byte order mark kept."""
    try:
        return NEWLINE.sub("\n", file.data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Unreadable(f"is not UTF-8: byte {error.start} cannot be decoded") from error


def json_of(file: ModelFile) -> dict[str, Any]:
    """A JSON file's object. Raises Unreadable."""
    try:
        loaded = json.loads(file.data.decode("utf-8"))
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


class _Reader:
    """Reads one model's files, and gathers a fact for each that cannot be used."""

    def __init__(self, model: ModelFiles) -> None:
        self._model = model
        self._objects: dict[str, dict[str, Any] | None] = {}
        self.facts: list[Fact] = []

    def winners(self) -> tuple[Stored, ...]:
        """What the tokenizer loads, else what the processor loads."""
        found = self._jinja_files()
        for name in (CONFIG, PROCESSOR, LEGACY_TEMPLATE):
            found = found or self._embedded(name)
        for name in (CONFIG, PROCESSOR, LEGACY_TEMPLATE, TOKENS_MAP):
            self._object(name)
        return tuple(found.values())

    def focused(self) -> tuple[Stored, ...]:
        """The templates in the files the user named; among several of them the same one wins as in a folder."""
        found: dict[str, Stored] = {}
        for name in sorted(self._model.focus):
            if name in self._model.files and not name.endswith(".json"):
                found.update(self._template_file(name, _template_name(name)))
        for name in (CONFIG, PROCESSOR, LEGACY_TEMPLATE):
            if name in self._model.focus:
                found = found or self._embedded(name)
                self._object(name)
        return tuple(found.values())

    def tokens(self) -> SpecialTokens:
        """The special tokens; a fact for each that has a wrong type."""
        for name in (CONFIG, TOKENS_MAP):
            for token in misdeclared(self._object(name) or {}):
                kind = _kind((self._object(name) or {})[token])
                self._fact(self._model.files[name], Unreadable(f'holds a "{token}" that is {kind}; expected text'))
        return special_tokens(self._object(CONFIG) or {}, self._object(TOKENS_MAP) or {})

    def _jinja_files(self) -> dict[str, Stored]:
        found = self._template_file(TEMPLATE, DEFAULT) if TEMPLATE in self._model.files else {}
        for name in sorted(self._model.files):
            path = PurePosixPath(name)
            if path.parent.name == TEMPLATE_FOLDER and path.suffix == ".jinja":
                found.update(self._template_file(name, path.stem))
        return found

    def _template_file(self, name: str, template: str) -> dict[str, Stored]:
        file = self._model.files[name]
        try:
            return {template: Stored(template, text_of(file), file)}
        except Unreadable as error:
            self._fact(file, error)
            return {}

    def _embedded(self, name: str) -> dict[str, Stored]:
        held = (self._object(name) or {}).get("chat_template")
        if held is None:
            return {}
        file = self._model.files[name]
        try:
            found = {stored.name: stored for stored in _stored_in(file, held)}
        except Unreadable as error:
            self._fact(file, error)
            return {}
        kept = {name: stored for name, stored in found.items() if len(stored.source) <= MAX_TEMPLATE_BYTES}
        if len(kept) < len(found):
            self.facts.append(Fact("unread", file.shown, f"holds a template larger than {MAX_TEMPLATE_BYTES // 1_000_000} MB"))
        if len(kept) > MAX_TEMPLATES:
            self.facts.append(Fact("unread", file.shown, f"holds more than {MAX_TEMPLATES} templates"))
        return dict(list(kept.items())[:MAX_TEMPLATES])

    def _object(self, name: str) -> dict[str, Any] | None:
        if name not in self._objects:
            self._objects[name] = self._load(name)
        return self._objects[name]

    def _load(self, name: str) -> dict[str, Any] | None:
        file = self._model.files.get(name)
        try:
            return None if file is None else json_of(file)
        except Unreadable as error:
            self._fact(self._model.files[name], error)
            return None

    def _fact(self, file: ModelFile, error: Unreadable) -> None:
        self.facts.append(Fact("unreadable", file.shown, str(error), error.at))


def _template_name(name: str) -> str:
    path = PurePosixPath(name)
    return path.stem if path.parent.name == TEMPLATE_FOLDER else DEFAULT


def _stored_in(file: ModelFile, held: Any) -> Iterator[Stored]:
    """The templates under "chat_template": text, a list of named templates, or an object of them."""
    if isinstance(held, str):
        yield Stored(DEFAULT, held, file, ("chat_template",))
    elif isinstance(held, dict):
        for name, source in held.items():
            if not isinstance(source, str):
                raise Unreadable(f"holds a chat template {name!r} that is {_kind(source)}; expected text")
            yield Stored(name, source, file, ("chat_template", name))
    elif isinstance(held, list):
        for index, entry in enumerate(held):
            name, source = _named(index, entry)
            yield Stored(name, source, file, ("chat_template", index, "template"))
    else:
        raise Unreadable(f'holds a "chat_template" that is {_kind(held)}; expected text or a list of named templates')


def _named(index: int, entry: Any) -> tuple[str, str]:
    if not isinstance(entry, dict):
        raise Unreadable(f'has {_kind(entry)} as entry {index} of "chat_template"; expected an object')
    for key in ("name", "template"):
        if not isinstance(entry.get(key), str):
            raise Unreadable(f'has no text under "{key}" in entry {index} of "chat_template"')
    return entry["name"], entry["template"]


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), "null")
