"""Reads one model's files: the templates in each place, the special tokens, and a fact for all that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from tpllint.job import Fact
from tpllint.sources.files import (
    ADAPTER,
    CONFIG,
    JSON_FILES,
    LEGACY_TEMPLATE,
    MAX_TEMPLATE_BYTES,
    MODEL_CONFIG,
    PROCESSOR,
    TEMPLATE,
    TEMPLATE_FOLDER,
    TOKENS_MAP,
    ModelFile,
    ModelFiles,
)
from tpllint.storage.misplaced import MAX_FILES, misplaced
from tpllint.storage.reading import DEFAULT, Stored, Unreadable, embedded, json_of, kind_of, text_of
from tpllint.storage.repeats import Repetitions, repeated_keys, repeated_names
from tpllint.storage.template_names import unsafe_names
from tpllint.storage.views import TOKENIZER, Places, View, processor_view, tokenizer_view
from tpllint.tokens import SpecialTokens, misdeclared, special_tokens

MAX_TEMPLATES = 100
SHADOWS_ROOT = "file"
"""transformers' tokenizer keeps the file of this name in additional_chat_templates under the key of chat_template.jinja."""

TEKKEN = "tekken.json"
"""The vocabulary of a tokenizer of mistral-common, which knows chats without a template."""

PROCESSOR_FILES = frozenset(("preprocessor_config.json", "video_preprocessor_config.json"))
PROCESSOR_KEYS = frozenset(("vision_config", "audio_config", "speech_config"))
"""Keys of config.json that only a model with a processor has."""


class Reader:
    """Reads one model's files, and gathers a fact for each that cannot be used."""

    def __init__(self, model: ModelFiles) -> None:
        self._model = model
        self._held = {name: file for name, file in model.files.items() if not model.focus or name in model.focus}
        self._objects: dict[str, dict[str, Any] | None] = {}
        self.facts: list[Fact] = []

    def views(self) -> Iterator[View]:
        """What the tokenizer loads and, where the model has a processor, what that loads."""
        places = self._places()
        tokenizer = tokenizer_view(_as_the_tokenizer_names(places))
        yield tokenizer
        if self._has_processor() and not (self._tokenizer_only() and tokenizer.templates):
            processor = processor_view(places)._replace(certain=self._certainly_has_processor())
            self.facts += self._without_template(processor, tokenizer)
            yield processor

    def view_of(self, loader: str) -> View:
        """What this loader makes of the files, whether or not they tell that the model has it."""
        places = self._places()
        return tokenizer_view(_as_the_tokenizer_names(places)) if loader == TOKENIZER else processor_view(places)

    def _without_template(self, processor: View, tokenizer: View) -> Iterator[Fact]:
        """That transformers' own processor finds no template, although the tokenizer has one."""
        unusable = {fact.name for fact in self.facts} & {PROCESSOR, LEGACY_TEMPLATE}
        has_none = not (processor.templates or processor.error or unusable)
        settings = self._object(PROCESSOR) if PROCESSOR in self._held else None
        loaded = next((stored for stored in tokenizer.templates if stored.source.strip()), None)
        if has_none and settings is not None and "auto_map" not in settings and loaded is not None:
            yield Fact("no-processor-template", self._held[PROCESSOR].shown, loaded.file.name)

    def read_the_rest(self) -> None:
        """Gather the facts about the JSON files that nothing has asked for."""
        for name in JSON_FILES:
            self._object(name)

    def elsewhere(self, loaded: Sequence[Stored]) -> Iterator[Fact]:
        """A fact for each file that looks like a chat template and that no loader of this model reads."""
        if LEGACY_TEMPLATE in self._held and self._tokenizer_only() and not self._repeats_in_legacy(loaded):
            detail = "is read by processors only, and this model has none"
            yield Fact("misplaced", self._held[LEGACY_TEMPLATE].shown, detail)
        for name, why in islice(misplaced(self._model.listing, loads=bool(loaded)), MAX_FILES):
            yield Fact("misplaced", self._model.shown(name), why)

    def _repeats_in_legacy(self, loaded: Sequence[Stored]) -> bool:
        """Whether chat_template.json says no more than what is loaded: a copy that nobody reads does no harm."""
        held = (self._object(LEGACY_TEMPLATE) or {}).get("chat_template")
        others = (stored for stored in loaded if stored.name == DEFAULT and stored.file.name != LEGACY_TEMPLATE)
        texts = {stored.source.rstrip("\n") for stored in others}
        return isinstance(held, str) and held.rstrip("\n") in texts

    def absence(self) -> Iterator[Fact]:
        """That there is no template, and what tells why."""
        yield Fact("missing", None, "no chat template")
        if ADAPTER in self._model.files:
            base = (self._object(ADAPTER) or {}).get("base_model_name_or_path")
            yield Fact("adapter", self._model.files[ADAPTER].shown, base if isinstance(base, str) else "")
        if TEKKEN in self._model.listing:
            yield Fact("tekken", self._model.shown(TEKKEN), "is a vocabulary of mistral-common")

    def _places(self) -> Places:
        legacy = self._object(LEGACY_TEMPLATE) if LEGACY_TEMPLATE in self._held else None
        if legacy is not None and "chat_template" not in legacy:
            self._fact(self._held[LEGACY_TEMPLATE], Unreadable('has no "chat_template"'))
        return Places(
            config=self._embedded(CONFIG) or {},
            root=self._root(),
            additional=dict(self._additional()),
            legacy=None if legacy is None else self._embedded(LEGACY_TEMPLATE) or {},
            processor=self._embedded(PROCESSOR),
            legacy_has_key="chat_template" in (legacy or {}),
        )

    def _has_processor(self) -> bool:
        """Whether transformers would make a processor of these files, as far as they tell."""
        return LEGACY_TEMPLATE in self._held or self._certainly_has_processor() or self._may_have_processor()

    def _certainly_has_processor(self) -> bool:
        return PROCESSOR in self._held or bool(PROCESSOR_FILES & set(self._model.listing))

    def _may_have_processor(self) -> bool:
        model = self._object(MODEL_CONFIG) or {}
        return "processor_class" in (self._object(CONFIG) or {}) or bool(PROCESSOR_KEYS & model.keys())

    def _tokenizer_only(self) -> bool:
        """Whether this is certainly a model of text alone: it is listed, configured, and has nothing of a processor."""
        described = self._object(MODEL_CONFIG) is not None and TEKKEN not in self._model.listing
        return bool(self._model.listing) and described and not (self._certainly_has_processor() or self._may_have_processor())

    def _root(self) -> Stored | None:
        """chat_template.jinja, or a template file of any other name that the user pointed at."""
        for name in sorted(self._held):
            if name == TEMPLATE or (name.endswith(".jinja") and "/" not in name):
                return self._template_file(name, DEFAULT)
        return None

    def _additional(self) -> Iterator[tuple[str, Stored]]:
        for name in sorted(self._held):
            path = PurePosixPath(name)
            stored = self._template_file(name, path.stem) if path.parent.name == TEMPLATE_FOLDER else None
            if stored is not None and path.suffix == ".jinja":
                yield path.stem, stored

    def tokens(self) -> SpecialTokens:
        """The special tokens; a fact for each that has a wrong type."""
        for name in (CONFIG, TOKENS_MAP):
            for token in misdeclared(self._object(name) or {}):
                kind = kind_of((self._object(name) or {})[token])
                self._fact(self._model.files[name], Unreadable(f'holds a "{token}" that is {kind}; expected text'))
        return special_tokens(self._object(CONFIG) or {}, self._object(TOKENS_MAP) or {})

    def _template_file(self, name: str, template: str) -> Stored | None:
        file = self._model.files[name]
        try:
            return Stored(template, text_of(file), file)
        except Unreadable as error:
            self._fact(file, error)
            return None

    def _embedded(self, name: str) -> dict[str, Stored] | None:
        """What a configuration file says of templates, None where it says nothing."""
        held = (self._object(name) or {}).get("chat_template") if name in self._held else None
        if held is None:
            return None
        file = self._model.files[name]
        try:
            if isinstance(held, list) and name != CONFIG:
                raise Unreadable('holds a "chat_template" that is a list; a processor takes text or an object of templates')
            entries = tuple(embedded(file, held))
        except Unreadable as error:
            self._fact(file, error)
            return {}
        self.facts += [*repeated_names(file, entries), *unsafe_names(file, entries)]
        found = {stored.name: stored for stored in entries}
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
        file, repetitions = self._model.files.get(name), Repetitions()
        try:
            found = None if file is None else json_of(file, repetitions)
        except Unreadable as error:
            self._fact(self._model.files[name], error)
            return None
        if file is not None:
            self.facts += repeated_keys(file, repetitions.keys)
        return found

    def _fact(self, file: ModelFile, error: Unreadable) -> None:
        self.facts.append(Fact("unreadable", file.shown, str(error), error.at))


def _as_the_tokenizer_names(places: Places) -> Places:
    if SHADOWS_ROOT not in places.additional:
        return places
    additional = dict(places.additional)
    return places._replace(root=replace(additional.pop(SHADOWS_ROOT), name=DEFAULT), additional=additional)
