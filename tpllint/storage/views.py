"""What each of transformers' loaders makes of a model's files: which templates it loads, and which it passes over.

Follows transformers 5.23: `tokenization_utils_base.py` (`_from_pretrained`) for the tokenizer, `processing_utils.py`
(`get_processor_dict`) for the processor. A test builds model folders and compares with what transformers loads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tpllint.storage.reading import DEFAULT, Stored

TOKENIZER = "tokenizer"
PROCESSOR = "processor"
WITH_TOOLS = "tool_use"
"""The name of the template that a tokenizer picks for a call with tools, where it has one."""

NO_TEMPLATE_IN_JSON = "chat_template.json holds no chat_template"
CONFLICT = "chat_template.json stands beside additional_chat_templates"


@dataclass(frozen=True)
class Places:
    """The templates in each place that a loader reads, by name; a place that holds none is empty.

    `root` is chat_template.jinja, `additional` the files of additional_chat_templates. `legacy` is None where there is no
    chat_template.json.
    """

    config: Mapping[str, Stored]
    root: Stored | None
    additional: Mapping[str, Stored]
    legacy: Mapping[str, Stored] | None
    processor: Mapping[str, Stored]


@dataclass(frozen=True)
class View:
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
        return View(TOKENIZER, tuple(files.values()), tuple(passed_over), named=files.keys() != {DEFAULT})
    return View(TOKENIZER, tuple(places.config.values()), named=_is_named(places.config))


def processor_view(places: Places) -> View:
    """processor_config.json wins over chat_template.json, and that over the files, of which the root's wins."""
    root = {} if places.root is None else {DEFAULT: places.root}
    files = {**places.additional, **root}
    if places.legacy is not None and not places.legacy:
        return View(PROCESSOR, error=NO_TEMPLATE_IN_JSON)
    if places.legacy and places.additional:
        return View(PROCESSOR, error=CONFLICT)
    ranked = [held for held in (places.processor, places.legacy or {}, files) if held]
    if not ranked:
        return View(PROCESSOR)
    passed_over = [*_without(places.additional, files), *(stored for held in ranked[1:] for stored in held.values())]
    named = files.keys() != {DEFAULT} if ranked[0] is files else _is_named(ranked[0])
    return View(PROCESSOR, tuple(ranked[0].values()), tuple(passed_over), named=named)


def _without(held: Mapping[str, Stored], winners: Mapping[str, Stored]) -> Sequence[Stored]:
    """Those that another of the same name has replaced."""
    return [stored for name, stored in held.items() if winners[name] is not stored]


def _is_named(held: Mapping[str, Stored]) -> bool:
    """Whether an entry of a configuration is a list or an object of named templates."""
    return any(len(stored.keys) > 1 for stored in held.values())
