"""A GGUF file as the files that a model with the same templates and tokens has in its folder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

from tpllint.errors import RepairableError
from tpllint.job import Fact
from tpllint.report.escape import escape
from tpllint.sources.files import CONFIG, CONFIGURATIONS, TEMPLATE, TEMPLATE_FOLDER, ModelFile, ModelFiles
from tpllint.sources.gguf import SHOWN, TEMPLATE_KEY, Metadata

SUFFIX = ".gguf"
TOKENS_KEY = "tokenizer.ggml"
MAX_TEMPLATES = 100
MAX_TRIED = 5
"""How many files of a folder are opened to find one with a chat template."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PART = re.compile(r"(?P<begin>.+)-(?P<number>[0-9]{5})-of-(?P<all>[0-9]{5})\.gguf", re.IGNORECASE)
"""How llama.cpp names the parts of a file that was split."""
_TOKENS = {
    "bos_token": "bos",
    "eos_token": "eos",
    "unk_token": "unknown",
    "sep_token": "seperator",  # as llama.cpp spells it
    "pad_token": "padding",
    "cls_token": "cls",
    "mask_token": "mask",
}
_COMPANIONS = {"mmproj": "a projector for images or sound", "adapter": "an adapter", "imatrix": "an importance matrix"}
"""What `general.type` calls files that come beside a model."""


def is_gguf(name: str) -> bool:
    """Whether a file of this name is read as a GGUF file."""
    return name.lower().endswith(SUFFIX)


def files_of(target: str, shown: str, metadata: Metadata) -> ModelFiles:
    """What the metadata amounts to; `shown` is the path of the GGUF file, as findings print it."""
    templates = dict(_templates(metadata))
    damage = [*metadata.damage, *_unusable(metadata, templates)]
    facts = [Fact("damaged-gguf", shown, clause) for clause in damage]
    if metadata.complete and TEMPLATE_KEY not in templates and TEMPLATE_KEY not in metadata.values:
        others = ", ".join(sorted(templates))
        facts.append(Fact("gguf-without-template", shown, f"only {others}" if others else ""))
    files = [*_template_files(shown, templates), _configuration_file(shown, metadata)]
    bases = tuple(_texts(metadata, re.compile(r"general\.base_model\.[0-9]{1,3}\.repo_url")))
    held = {file.name: file for file in files}
    return ModelFiles(target, held, facts=tuple(facts), base_models=bases, from_gguf=True)


def gguf_file(target: str, shown: str, metadata: Metadata) -> ModelFiles:
    """A GGUF file that the user named. Raises RepairableError for one that only comes beside a model."""
    if not comes_beside(metadata):
        return files_of(target, shown, metadata)
    if metadata.values.get("split.no", 0):
        part = _PART.fullmatch(PurePosixPath(target).name)
        first = f"{part['begin']}-00001-of-{part['all']}.gguf" if part else "the first part"
        message = f"{target} is a later part of a split model: only the first part holds a chat template"
        raise RepairableError("not-a-whole-model", message, f"name {first}")
    message = f"{target} is {_COMPANIONS[_kind(metadata)]} and holds no chat template"
    raise RepairableError("not-a-whole-model", message, "name the .gguf file of the model")


def comes_beside(metadata: Metadata) -> bool:
    """Whether it is of a file that has no template because it is only a part of a model, or goes with one."""
    if metadata.damage or any(key.startswith(TEMPLATE_KEY) for key in metadata.values):
        return False
    return bool(metadata.values.get("split.no", 0)) or _kind(metadata) in _COMPANIONS


def _kind(metadata: Metadata) -> str:
    is_projector = metadata.values.get("general.architecture") == b"clip"
    return "mmproj" if is_projector else _text(metadata.values.get("general.type")) or ""


def candidates(names: Iterable[str]) -> list[str]:
    """The GGUF files among these that a model's template can be in: those nearest to the root first, then by name."""
    found = [name for name in names if is_gguf(name) and not _is_named_as_companion(PurePosixPath(name).name)]
    return sorted(found, key=lambda name: (name.count("/"), name))


def lacks_templates(model: ModelFiles) -> bool:
    """Whether no file of a model can hold a chat template, so that one in a GGUF file is the only one."""
    held = (
        name.endswith(".jinja") or (name in CONFIGURATIONS and b"chat_template" in file.data)
        for name, file in model.files.items()
    )
    return not model.unread and not any(held)


def with_gguf(
    model: ModelFiles, names: Iterable[str], shown: Callable[[str], str], read: Callable[[str], Metadata | None]
) -> ModelFiles:
    """A folder or repository; where its only templates can be in GGUF files, by the first of these that is a model.

    The files in one place are the same model in several sizes. `read` may know better and answer None.
    """
    found = candidates(names) if lacks_templates(model) else []
    for name in found[:MAX_TRIED]:
        metadata = read(name)
        if metadata is not None and not comes_beside(metadata):
            return _in_place_of(model, files_of(model.target, shown(name), metadata), name, len(found))
    return model


def _in_place_of(model: ModelFiles, gguf: ModelFiles, name: str, count: int) -> ModelFiles:
    others = f", the first of {count} .gguf files" if count > 1 else ""
    return ModelFiles(
        model.target,
        gguf.files,
        origin=model.origin,
        unread=model.unread,
        commit=model.commit,
        listing=model.listing,
        facts=(*model.facts, *gguf.facts),
        base_models=gguf.base_models,
        note=f"the chat template was read from {name}{others}",
        from_gguf=True,
    )


def _is_named_as_companion(name: str) -> bool:
    part = _PART.fullmatch(name)
    return "mmproj" in name.lower() or (part is not None and int(part["number"]) > 1)


def _templates(metadata: Metadata) -> Iterator[tuple[str, bytes]]:
    """The templates that can be checked, by key."""
    for key, value in metadata.values.items():
        if isinstance(value, bytes) and _template_name(key) is not None and _text(value) is not None:
            yield key, value


def _template_name(key: str) -> str | None:
    """The name in transformers' sense of the template under this key; None where it has none."""
    if key == TEMPLATE_KEY:
        return "default"
    name = key.removeprefix(f"{TEMPLATE_KEY}.")
    if name == key or not _NAME.fullmatch(name):
        return None
    return name if name != "default" else key  # which no reader takes for the template without a name


def _unusable(metadata: Metadata, templates: Iterable[str]) -> Iterator[str]:
    for key, value in metadata.values.items():
        if not key.startswith(TEMPLATE_KEY) or key in templates or not isinstance(value, bytes):
            continue
        if _text(value) is None:
            yield f"holds a {escape(key, SHOWN)} that is not UTF-8"
        elif key.startswith(f"{TEMPLATE_KEY}."):
            yield f"holds {escape(key, SHOWN)}, which is no name for a template: at most 64 letters, digits, `_`, `-` and `.`"
    if len(list(templates)) > MAX_TEMPLATES:
        yield f"holds more than {MAX_TEMPLATES} chat templates, of which the first were checked"


def _template_files(shown: str, templates: dict[str, bytes]) -> Iterator[ModelFile]:
    for key, source in list(templates.items())[:MAX_TEMPLATES]:
        if key == TEMPLATE_KEY:
            yield ModelFile(TEMPLATE, shown, source)
        else:
            yield ModelFile(f"{TEMPLATE_FOLDER}/{_template_name(key)}.jinja", f"{shown}:{key}", source)


def _configuration_file(shown: str, metadata: Metadata) -> ModelFile:
    """The tokens; there is no generation_config.json, for llama.cpp also stops at tokens that no key names."""
    return ModelFile(CONFIG, f"{shown}:{TOKENS_KEY}", json.dumps(_configuration(metadata)).encode("ascii"))


def _configuration(metadata: Metadata) -> dict[str, Any]:
    """The tokenizer_config.json.

    A token that is not told is left out: llama.cpp has defaults for some. It adds a BOS to a SentencePiece vocabulary that
    does not say otherwise, as transformers does.
    """
    told: dict[str, Any] = {"add_bos_token": True} if metadata.values.get("tokenizer.ggml.model") == b"llama" else {}
    for name, key in _TOKENS.items():
        number = metadata.values.get(f"tokenizer.ggml.{key}_token_id")
        if isinstance(number, int) and number in metadata.tokens:
            told[name] = metadata.tokens[number]
    for name in ("add_bos_token", "add_eos_token"):
        flag = metadata.values.get(f"tokenizer.ggml.{name}")
        if isinstance(flag, bool):
            told[name] = flag
    if metadata.special is not None:
        tokens = {**metadata.special, **metadata.tokens}.items()
        told["added_tokens_decoder"] = {str(number): {"content": text, "special": True} for number, text in tokens}
    return told


def _texts(metadata: Metadata, keys: re.Pattern[str]) -> Iterator[str]:
    for key, value in metadata.values.items():
        text = _text(value) if keys.fullmatch(key) else None
        if text is not None:
            yield text


def _text(value: object) -> str | None:
    try:
        return value.decode("utf-8") if isinstance(value, bytes) else None
    except UnicodeDecodeError:
        return None
