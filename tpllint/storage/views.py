"""What each of transformers' loaders makes of a model's files: which templates it loads, and which it passes over.

Follows transformers 5.23: `tokenization_utils_base.py` (`_from_pretrained`) for the tokenizer, `processing_utils.py`
(`get_processor_dict`) for the processor. A test builds model folders and compares with what transformers loads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tpllint.storage.reading import DEFAULT, Stored

TOKENIZER = "tokenizer"
PROCESSOR = "processor"
BASE_MODEL = "base model"
"""No loader of the model: the templates of the one that a GGUF file was made from."""
WITH_TOOLS = "tool_use"
"""The name of the template that a tokenizer picks for a call with tools, where it has one."""

NO_TEMPLATE_IN_JSON = "chat_template.json holds no chat_template"
CONFLICT = "chat_template.json stands beside additional_chat_templates"


class Places(NamedTuple):
    """The templates in each place that a loader reads, by name; a place that holds none is empty.

    `root` is chat_template.jinja, `additional` the files of additional_chat_templates. `legacy` is None where there is no
    chat_template.json; `legacy_has_key` tells whether it says anything of a template, be it null. `processor` is None where
    processor_config.json says nothing, and empty where what it says is no template: then that is what the processor has.
    """

    config: Mapping[str, Stored]
    root: Stored | None
    additional: Mapping[str, Stored]
    legacy: Mapping[str, Stored] | None
    processor: Mapping[str, Stored] | None
    legacy_has_key: bool = True


class View(NamedTuple):
    """What one loader has after loading.

    `shadowed` are the templates that stand where this loader looks and that it does not load. `named` tells whether the
    templates have names that a caller can choose between. `error` is why it raises instead of loading, None where it loads.
    `certain` tells whether the files leave no doubt that the model has such a loader.
    """

    loader: str
    templates: tuple[Stored, ...] = ()
    shadowed: tuple[Stored, ...] = ()
    named: bool = False
    error: str | None = None
    certain: bool = True

    def chosen(self, *, tools: bool) -> Stored | None:
        """The template of a call that names none; None where that call raises."""
        by_name = {stored.name: stored for stored in self.templates}
        if tools and self.named and self.loader == TOKENIZER and WITH_TOOLS in by_name:
            return by_name[WITH_TOOLS]
        return by_name.get(DEFAULT)


def tokenizer_view(places: Places) -> View:
    """Any .jinja file replaces what the configuration holds, and one in the folder replaces the root's of the same name."""
    root = {} if places.root is None else {DEFAULT: places.root}
    files = {**root, **places.additional}
    if files:
        passed_over = [*_without(root, files), *places.config.values()]
        return View(TOKENIZER, tuple(files.values()), tuple(passed_over), named=_has_names(files))
    return View(TOKENIZER, tuple(places.config.values()), named=_has_names(places.config))


def processor_view(places: Places) -> View:
    """processor_config.json wins over chat_template.json, and that over the files, of which the root's wins."""
    root = {} if places.root is None else {DEFAULT: places.root}
    files = {**places.additional, **root}
    if places.legacy is not None and not places.legacy_has_key:
        return View(PROCESSOR, error=NO_TEMPLATE_IN_JSON)
    if places.legacy is not None and places.additional:
        return View(PROCESSOR, error=CONFLICT)
    standalone = files if places.legacy is None else places.legacy
    held = _unless_empty(standalone) if places.processor is None else places.processor
    ranked = (places.processor or {}, places.legacy or {}, places.additional, root)
    passed_over = [stored for place in ranked for stored in place.values() if held.get(stored.name) is not stored]
    return View(PROCESSOR, tuple(held.values()), tuple(passed_over), named=_has_names(held))


def _unless_empty(standalone: Mapping[str, Stored]) -> Mapping[str, Stored]:
    """A processor takes a lone template without text for none."""
    lone = not _has_names(standalone) and not any(stored.source for stored in standalone.values())
    return {} if lone else standalone


def _without(held: Mapping[str, Stored], winners: Mapping[str, Stored]) -> Sequence[Stored]:
    """Those that another of the same name has replaced."""
    return [stored for name, stored in held.items() if winners[name] is not stored]


def _has_names(held: Mapping[str, Stored]) -> bool:
    """Whether callers choose between templates by name: a list or an object of them, or files of other names."""
    return held.keys() - {DEFAULT} != set() or any(len(stored.keys) > 1 for stored in held.values())
