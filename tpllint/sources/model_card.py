"""What a model card tells about a model: the YAML at the top of its README.md."""

from __future__ import annotations

import importlib
import re
from typing import Any

from tpllint.sources.files import ModelFile
from tpllint.sources.hub_target import HUB_ID

CARD = "README.md"
"""Read only where it is asked for."""

MAX_ENTRY_BYTES = 4000
"""How much of the entry is read; the time that YAML takes can grow with the square of its length."""
MAX_BASE_MODELS = 10

_FRONT_MATTER = re.compile(rb"\A(?:\xef\xbb\xbf)?\s{0,100}---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_ENTRY = re.compile(rb"""^(["']?)base_model\1[ \t]*:.*(?:\n(?:[ \t\r-].*)?)*""", re.MULTILINE)
"""The line with the key and those that belong to it: indented, items of a list, or empty."""


def base_models(card: ModelFile | None) -> tuple[str, ...]:
    """The ids of the models that a model was made from, as its card names them; empty where it names none.

    A card is written by a stranger: what is not the id of a model on the Hub is passed over.
    """
    front_matter = _FRONT_MATTER.match(card.data) if card else None
    entry = _ENTRY.search(front_matter[1]) if front_matter else None
    if entry is None or len(entry[0]) > MAX_ENTRY_BYTES:
        return ()
    told = _loaded(entry[0]).get("base_model")
    named = told if isinstance(told, list) else [told]
    ids = [name for name in named[:MAX_BASE_MODELS] if isinstance(name, str) and _is_id(name)]
    return tuple(dict.fromkeys(ids))


def _is_id(name: str) -> bool:
    match = HUB_ID.fullmatch(name)
    return match is not None and not match["prefix"] and not match["revision"]


def _loaded(entry: bytes) -> dict[Any, Any]:
    """An entry of the front matter as an object, empty where it is none."""
    yaml: Any = importlib.import_module("yaml")
    try:
        loaded = yaml.safe_load(entry.decode("utf-8"))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        return {}
    return loaded if isinstance(loaded, dict) else {}
