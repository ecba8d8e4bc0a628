"""What a model consists of on a disk or on the Hub, and whether that can be loaded: told before anything is."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tpllint.errors import RepairableError
from tpllint.generation.failures import failure
from tpllint.generation.settings import AUTO, Settings, Weights
from tpllint.sources import held_by_hub
from tpllint.sources.files import ADAPTER, MAX_JSON_BYTES, MODEL_CONFIG
from tpllint.sources.hub_target import HubTarget

_WHOLE = ("model.safetensors", "pytorch_model.bin")
"""What transformers loads, the first that is there; or the parts of the first that are."""
_PARTS = (re.compile(r"model-\d+-of-\d+\.safetensors"), re.compile(r"pytorch_model-\d+-of-\d+\.bin"))
_SMALL = (".json", ".txt", ".model", ".tiktoken", ".jinja")
_CODE = ".py"
_MAX_SMALL_BYTES = 100_000_000

_BYTES = {"float64": 8.0, "float32": 4.0, "bfloat16": 2.0, "float16": 2.0}
_QUANTIZED = {"8bit": 1.0, "4bit": 0.5}
"""How many bytes a parameter takes."""


class Stored(NamedTuple):
    """A model's files and their sizes, where they are told; `revision` is the commit where they are on the Hub."""

    weights: Weights
    sizes: Mapping[str, int | None]
    config: Mapping[str, Any]

    def small(self, with_code: bool) -> dict[str, int | None]:
        """The files beside the weights that a model may need to be loaded."""
        endings = (*_SMALL, _CODE) if with_code else _SMALL
        return {
            name: size
            for name, size in self.sizes.items()
            if "/" not in name and name.endswith(endings) and (size or 0) <= _MAX_SMALL_BYTES
        }

    def large(self) -> dict[str, int | None]:
        """The files with the weights, of one form; none where there are none."""
        for whole, part in zip(_WHOLE, _PARTS, strict=True):
            if whole in self.sizes:
                return {whole: self.sizes[whole]}
            if parts := {name: size for name, size in self.sizes.items() if part.fullmatch(name)}:
                return parts
        return {}

    def needed(self, settings: Settings) -> int:
        """How many bytes of memory the weights take at least; 0 where their sizes are not told."""
        stored = sum(size or 0 for size in self.large().values())
        if "quantization_config" in self.config:
            return stored
        before = _BYTES.get(self._dtype(), 4.0)
        after = before if settings.dtype == AUTO else _BYTES.get(settings.dtype, before)
        return int(stored / before * _QUANTIZED.get(settings.quantize or "", after))

    def _dtype(self) -> str:
        own = self.config.get("dtype", self.config.get("torch_dtype"))
        text = self.config.get("text_config")
        if own is None and isinstance(text, dict):
            own = text.get("dtype", text.get("torch_dtype"))
        return str(own)


def stored(weights: Weights, settings: Settings) -> Stored:
    """What there is of a model. Raises RepairableError where it cannot be loaded, whatever the machine."""
    found = _on_hub(weights, settings) if weights.folder is None else _in_folder(weights, weights.folder)
    kind = _why_not(found)
    if kind is not None:
        raise failure(kind, weights.shown)
    return found


def _why_not(found: Stored) -> str | None:
    if not found.large():
        if ADAPTER in found.sizes:
            return "adapter-alone"
        return "gguf-alone" if any(name.endswith(".gguf") for name in found.sizes) else "no-weights"
    return None if MODEL_CONFIG in found.sizes else "no-model-config"


def _in_folder(weights: Weights, folder: str) -> Stored:
    try:
        sizes: dict[str, int | None] = {entry.name: entry.stat().st_size for entry in os.scandir(folder) if entry.is_file()}
        config = (Path(folder) / MODEL_CONFIG).read_bytes() if 0 < (sizes.get(MODEL_CONFIG) or 0) < MAX_JSON_BYTES else None
    except OSError as error:
        message = f"{folder} cannot be read: {(error.strerror or str(error)).lower()}"
        raise RepairableError("unreadable-path", message, "name a folder that holds a model") from error
    return Stored(weights._replace(folder=os.path.abspath(folder)), sizes, _parsed(config))


def _on_hub(weights: Weights, settings: Settings) -> Stored:
    assert weights.repository is not None
    target = HubTarget(weights.repository, weights.revision)
    held = held_by_hub(target, offline=settings.offline, token=settings.token)
    return Stored(weights._replace(revision=held.commit), held.sizes, _parsed(held.config))


def _parsed(config: bytes | None) -> Mapping[str, Any]:
    """What config.json tells; transformers says what is wrong with it."""
    try:
        told = json.loads(config or b"{}")
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
