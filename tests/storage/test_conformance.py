"""The templates of a model folder, for the tokenizer and for the processor, are those that the installed transformers loads."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from tpllint.sources.local import read_local
from tpllint.storage import resolve
from tpllint.storage.views import CONFLICT, NO_TEMPLATE_IN_JSON, PROCESSOR, TOKENIZER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from tpllint.storage.reading import Stored


pytest.importorskip("transformers", minversion="5.23")
live = pytest.importorskip("tests.live")
transformers = pytest.importorskip("transformers")

# transformers leaves template files open.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
Files: TypeAlias = "Mapping[str, str | None]"
"""Texts by their path in a model folder; None is an empty folder."""


def _named(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "template": f"config list {name} {number}"} for number, name in enumerate(names)]


TOKENIZER_CONFIG: dict[str, dict[str, Any]] = {
    "no key": {},
    "null": {"chat_template": None},
    "empty": {"chat_template": ""},
    "text": {"chat_template": "config text"},
    "list default": {"chat_template": _named("default")},
    "list default, tool_use": {"chat_template": _named("default", "tool_use")},
    "list tool_use": {"chat_template": _named("tool_use")},
    "list with a duplicate": {"chat_template": _named("default", "tool_use", "default")},
    "object": {"chat_template": {"default": "config object", "tool_use": "config object with tools"}},
    "object rag": {"chat_template": {"rag": "config object"}},
}
ROOT: dict[str, Files] = {
    "no file": {},
    "empty": {"chat_template.jinja": ""},
    "text": {"chat_template.jinja": "root"},
    "byte order mark": {"chat_template.jinja": "\ufeffroot"},
    "CRLF": {"chat_template.jinja": "root\r\nof\rit\n"},
}
ADDITIONAL: dict[str, Files] = {
    "no folder": {},
    "empty folder": {"additional_chat_templates": None},
    "default": {"additional_chat_templates/default.jinja": "additional default"},
    "empty default": {"additional_chat_templates/default.jinja": ""},
    "tool_use": {"additional_chat_templates/tool_use.jinja": "additional tool_use"},
    "default, tool_use": {
        "additional_chat_templates/default.jinja": "additional default",
        "additional_chat_templates/tool_use.jinja": "additional tool_use",
    },
    "file": {"additional_chat_templates/file.jinja": "additional file"},
    "file, default": {
        "additional_chat_templates/file.jinja": "additional file",
        "additional_chat_templates/default.jinja": "additional default",
    },
    "other suffix": {"additional_chat_templates/default.j2": "j2", "additional_chat_templates/tool_use.jinja.bak": "bak"},
    "deeper": {"additional_chat_templates/deeper/tool_use.jinja": "deeper"},
    "dotted": {"additional_chat_templates/v1.5.jinja": "additional v1.5"},
}
LEGACY: dict[str, dict[str, Any] | None] = {
    "no file": None,
    "no key": {},
    "null": {"chat_template": None},
    "empty": {"chat_template": ""},
    "text": {"chat_template": "legacy"},
    "list": {"chat_template": _named("default", "tool_use")},
    "object": {"chat_template": {"default": "legacy object", "tool_use": "legacy object with tools"}},
    "empty object": {"chat_template": {}},
}
PROCESSOR_CONFIG: dict[str, dict[str, Any] | None] = {
    "no file": None,
    "no key": {},
    "null": {"chat_template": None},
    "empty": {"chat_template": ""},
    "text": {"chat_template": "processor"},
    "list": {"chat_template": _named("default", "tool_use")},
    "object": {"chat_template": {"default": "processor object", "tool_use": "processor object with tools"}},
    "object rag": {"chat_template": {"rag": "processor object"}},
    "empty object": {"chat_template": {}},
}
WHEN_LOADING = {NO_TEMPLATE_IN_JSON: KeyError, CONFLICT: ValueError}


@dataclass(frozen=True)
class Loaded:
    """What a loader has: one text, or texts by name, or nothing; and the text of a call that names none.

    `chosen` and `chosen_with_tools` are None where that call raises. `raises` is the class of what loading raises.
    """

    held: str | Mapping[str, str] | None = None
    chosen: str | None = None
    chosen_with_tools: str | None = None
    raises: type[Exception] | None = None


class Models:
    """Model folders, each with all that transformers needs beside templates."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._words: str = live.tokenizer(None).backend_tokenizer.to_str()
        self._made = 0

    def add(self, *files: Files) -> Path:
        """A folder with these files."""
        self._made += 1
        folder = self._root / str(self._made)
        folder.mkdir()
        for name, text in {"tokenizer.json": self._words, "preprocessor_config.json": "{}", **merged(files)}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir() if text is None else path.write_bytes(text.encode())
        return folder


def merged(files: Iterable[Files]) -> Files:
    return {name: text for each in files for name, text in each.items()}


@pytest.fixture
def models(tmp_path: Path) -> Models:
    return Models(tmp_path)


def config(name: str, held: Mapping[str, Any] | None) -> Files:
    """A configuration file; no file for None."""
    return {} if held is None else {name: json.dumps(held)}


def tokenizer_of(folder: Path) -> Loaded:
    """What transformers makes of a folder's tokenizer."""
    tokenizer: Any = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    plain, with_tools = _chosen(tokenizer.get_chat_template), _chosen(lambda: tokenizer.get_chat_template(tools=TOOLS))
    return Loaded(tokenizer.chat_template, plain, with_tools)


def processor_of(folder: Path, tokenizer: Any) -> Loaded:
    """What transformers makes of a folder's processor; a template that is no text is none, since no call can use it."""
    try:
        read: dict[str, Any] = live.Processor.get_processor_dict(folder)[0]
    except (KeyError, ValueError) as error:
        return Loaded(raises=type(error))
    processor: Any = live.Processor(tokenizer, chat_template=read.get("chat_template"))
    chosen = _chosen(lambda: processor._resolve_chat_template(None))
    held = processor.chat_template
    return Loaded(held if held and isinstance(held, dict) else chosen, chosen, chosen)


def _chosen(call: Callable[[], Any]) -> str | None:
    """The template of a call, None where the call raises or where what it picks cannot be rendered."""
    try:
        picked = call()
    except ValueError:
        return None
    return picked if isinstance(picked, str) else None


def resolved(folder: Path, loader: str) -> Loaded:
    """What tpllint makes of it."""
    (view,) = (view for view in resolve(read_local(str(folder))).views if view.loader == loader)
    if view.error is not None:
        return Loaded(raises=WHEN_LOADING[view.error])
    by_name = {stored.name: stored.source for stored in view.templates}
    held = by_name if view.named else by_name.get("default")
    return Loaded(held, _source(view.chosen(tools=False)), _source(view.chosen(tools=True)))


def _source(stored: Stored | None) -> str | None:
    return None if stored is None else stored.source


@pytest.mark.parametrize("configured", TOKENIZER_CONFIG)
def test_the_tokenizer_has_what_transformers_loads(models: Models, configured: str) -> None:
    told = config("tokenizer_config.json", TOKENIZER_CONFIG[configured])
    for root, additional in itertools.product(ROOT, ADDITIONAL):
        folder = models.add(told, ROOT[root], ADDITIONAL[additional])
        assert resolved(folder, TOKENIZER) == tokenizer_of(folder), (root, additional)


@pytest.mark.parametrize("processed", PROCESSOR_CONFIG)
def test_the_processor_has_what_transformers_loads(models: Models, processed: str) -> None:
    told = config("processor_config.json", PROCESSOR_CONFIG[processed])
    tokenizer = live.tokenizer("the tokenizer's")
    for legacy, root, additional in itertools.product(LEGACY, ROOT, ADDITIONAL):
        folder = models.add(told, config("chat_template.json", LEGACY[legacy]), ROOT[root], ADDITIONAL[additional])
        assert resolved(folder, PROCESSOR) == processor_of(folder, tokenizer), (legacy, root, additional)


def test_neither_looks_where_only_the_other_does(models: Models) -> None:
    places = (
        config("tokenizer_config.json", TOKENIZER_CONFIG["text"]),
        ROOT["text"],
        ADDITIONAL["default, tool_use"],
        config("chat_template.json", LEGACY["text"]),
        config("processor_config.json", PROCESSOR_CONFIG["text"]),
    )
    tokenizer = live.tokenizer(None)
    for used in itertools.product((False, True), repeat=len(places)):
        folder = models.add(*(files for files, is_used in zip(places, used, strict=True) if is_used))
        assert resolved(folder, TOKENIZER) == tokenizer_of(folder), used
        assert resolved(folder, PROCESSOR) == processor_of(folder, tokenizer), used
