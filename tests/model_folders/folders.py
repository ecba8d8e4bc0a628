"""Writes the model folder of a family in one of the layouts that real repositories have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.model_folders.families import FAMILIES, Family
from tests.model_folders.vocabulary import tokenizer_json

FILES, STRING, THIRD = LAYOUTS = ("files", "string", "third")
"""As transformers 5 saves; as was usual before, with everything in tokenizer_config.json; named templates or a processor."""

FOLDERS = tuple((family, layout) for family in FAMILIES for layout in LAYOUTS)


def write_folder(folder: Path, family: Family, layout: str) -> Path:
    """Write the model folder of a family; the same bytes each time."""
    folder.mkdir(parents=True)
    write_json(folder / "config.json", _model_config(family))
    write_json(folder / "generation_config.json", _generation_config(family))
    (folder / "README.md").write_text("---\nlicense: apache-2.0\npipeline_tag: text-generation\n---\n", encoding="utf-8")
    (folder / "tokenizer.json").write_text(tokenizer_json(family), encoding="utf-8")
    {FILES: _as_files, STRING: _in_a_string, THIRD: _third}[layout](folder, family)
    return folder


def write_json(path: Path, data: object) -> None:
    """Write a JSON file as transformers does."""
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def has_processor(family: Family, layout: str) -> bool:
    """Whether the files of a processor are in this folder."""
    return family.processor is not None or (layout == THIRD and family.third == "processor")


def has_names(family: Family, layout: str) -> bool:
    """Whether there is a template of its own for calls with tools in this folder."""
    return layout == THIRD and family.third in ("list", "folder")


def token_ids(family: Family) -> Mapping[str, int]:
    """The id of every token of a family that is not made of text."""
    return {token["content"]: token["id"] for token in _added_tokens(family)}


def _added_tokens(family: Family) -> list[dict[str, Any]]:
    tokens: list[dict[str, Any]] = json.loads(tokenizer_json(family))["added_tokens"]
    return tokens


def _as_files(folder: Path, family: Family) -> None:
    config = {
        "backend": "tokenizers",
        **family.tokens,
        "extra_special_tokens": list(family.control),
        "model_max_length": 4096,
        "tokenizer_class": "TokenizersBackend",
    }
    write_json(folder / "tokenizer_config.json", config)
    (folder / "chat_template.jinja").write_text(family.template, encoding="utf-8")
    if family.processor:
        _write_processor(folder, family.processor)


def _in_a_string(folder: Path, family: Family) -> None:
    write_json(folder / "tokenizer_config.json", {**_older_config(family), "chat_template": family.template})
    _write_tokens_map(folder, family)
    if family.processor:
        _write_preprocessor(folder, family.processor)
        write_json(folder / "chat_template.json", {"chat_template": family.template})


def _third(folder: Path, family: Family) -> None:
    {"list": _as_a_list, "folder": _as_a_folder, "processor": _beside_a_processor}[family.third](folder, family)


def _as_a_list(folder: Path, family: Family) -> None:
    named = [{"name": "default", "template": family.plain}, {"name": "tool_use", "template": family.template}]
    write_json(folder / "tokenizer_config.json", {**_older_config(family), "chat_template": named})
    _write_tokens_map(folder, family)


def _as_a_folder(folder: Path, family: Family) -> None:
    _as_files(folder, family)
    (folder / "chat_template.jinja").write_text(family.plain, encoding="utf-8")
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool_use.jinja").write_text(family.template, encoding="utf-8")


def _beside_a_processor(folder: Path, family: Family) -> None:
    """Both halves of the model have the template, the processor in a legacy copy besides."""
    write_json(folder / "tokenizer_config.json", _older_config(family))
    (folder / "chat_template.jinja").write_text(family.template, encoding="utf-8")
    write_json(folder / "chat_template.json", {"chat_template": family.template})
    _write_processor(folder, family.processor or "Gemma3Processor")


def _write_processor(folder: Path, name: str) -> None:
    write_json(folder / "processor_config.json", {"image_seq_length": 256, "processor_class": name})
    _write_preprocessor(folder, name)


def _write_preprocessor(folder: Path, name: str) -> None:
    image = {"do_resize": True, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "patch_size": 14}
    write_json(folder / "preprocessor_config.json", {**image, "processor_class": name})


def _write_tokens_map(folder: Path, family: Family) -> None:
    said = {name: {"content": token, **_AS_WRITTEN} for name, token in family.tokens.items()}
    write_json(folder / "special_tokens_map.json", {"additional_special_tokens": list(family.control), **said})


_AS_WRITTEN = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}


def _older_config(family: Family) -> dict[str, Any]:
    decoder = {
        str(token["id"]): {key: value for key, value in sorted(token.items()) if key != "id"} for token in _added_tokens(family)
    }
    return {
        "added_tokens_decoder": decoder,
        "additional_special_tokens": list(family.control),
        **family.tokens,
        **family.settings,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 4096,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }


def _model_config(family: Family) -> dict[str, Any]:
    """A model with a processor keeps what is about text in a part of its own."""
    text = {**_ids(family), "vocab_size": max(token_ids(family).values()) + 1}
    if family.third != "processor":
        return {"model_type": family.model_type, **text}
    return {"model_type": family.model_type, "text_config": {"model_type": f"{family.model_type}_text", **text}}


def _generation_config(family: Family) -> dict[str, Any]:
    stops = [token_ids(family)[token] for token in family.stops]
    return {**_ids(family), "do_sample": True, "eos_token_id": stops if len(stops) > 1 else stops[0]}


def _ids(family: Family) -> dict[str, int]:
    names = ("bos_token", "eos_token", "pad_token")
    return {f"{name}_id": token_ids(family)[family.tokens[name]] for name in names if name in family.tokens}
