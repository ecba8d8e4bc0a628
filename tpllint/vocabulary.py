"""What a model's files tell of its tokens: their ids, where the model stops, and whether encoding a text puts one before it.

Follows transformers 5.23 (`tokenization_utils_base.py`, `_from_pretrained`): where there is a tokenizer.json its added tokens
have the ids it gives, and its post-processor alone decides what encoding adds; `add_bos_token` counts only without one. Where
files disagree about what other releases decide otherwise, it is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tpllint.job import Vocabulary
from tpllint.tokenizer_head import Head

DECIDES_ITSELF = frozenset(
    f"{name}Tokenizer{fast}" for name in ("GPTNeoX", "CodeLlama", "Whisper", "Bert") for fast in ("", "Fast")
)
"""Tokenizer classes that build their post-processor anew: tokenizer.json does not tell what they add to a text."""
GENERATION = "generation_config.json"
MODEL_CONFIG = "config.json"


class Files(NamedTuple):
    """The files that a vocabulary is read from, each as parsed JSON; None for one that is missing or no object.

    `head` is None where there is no tokenizer.json, or where it was not read: then `unread` is true.
    """

    tokenizer_config: Mapping[str, Any] | None = None
    special_tokens_map: Mapping[str, Any] | None = None
    added_tokens: Mapping[str, Any] | None = None
    generation_config: Mapping[str, Any] | None = None
    config: Mapping[str, Any] | None = None
    head: Head | None = None
    unread: bool = False


def vocabulary(files: Files, special: Mapping[str, str]) -> Vocabulary:
    """What these files amount to; `special` are the special tokens by name, empty where none is declared."""
    ids, told = _ids(files)
    stops, stops_in = _stops(files.generation_config, files.config)
    named = dict.fromkeys((*special.values(), *_listed(files.tokenizer_config), *_listed(files.special_tokens_map)))
    return Vocabulary(
        ids=ids,
        told=told,
        named=tuple(named),
        adds_bos=_adds_bos(files, special.get("bos_token")),
        stops=stops,
        stops_in=stops_in,
        unread=files.unread,
        response_template=_response_template(files.tokenizer_config),
    )


def _response_template(config: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """How transformers 5.13 and later parse an answer; its predecessor `response_schema` is no longer read."""
    held = (config or {}).get("response_template")
    return held if isinstance(held, dict) else None


def _ids(files: Files) -> tuple[Mapping[str, int], bool]:
    """The ids of added tokens, and whether these are all."""
    if files.head is not None:
        return files.head.added or {}, files.head.added is not None
    decoder = (files.tokenizer_config or {}).get("added_tokens_decoder")
    if isinstance(decoder, dict):
        return dict(_decoded(decoder)), True
    return {token: number for token, number in (files.added_tokens or {}).items() if type(number) is int}, False


def _decoded(decoder: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for number, token in decoder.items():
        match token:
            case {"content": str(content)} if number.isascii() and number.isdecimal() and len(number) < 10:
                yield content, int(number)


def _listed(config: Mapping[str, Any] | None) -> Iterator[str]:
    """The special tokens that have no name."""
    for key in ("extra_special_tokens", "additional_special_tokens"):
        held = (config or {}).get(key)
        for token in held if isinstance(held, list) else ():
            content = token.get("content") if isinstance(token, dict) else token
            if isinstance(content, str):
                yield content


def _adds_bos(files: Files, bos: str | None) -> bool | None:
    config = files.tokenizer_config or {}
    declared = config.get("add_bos_token")
    if bos is None or files.unread or config.get("tokenizer_class") in DECIDES_ITSELF or "auto_map" in config:
        return None
    if files.head is None:
        return declared if isinstance(declared, bool) else None
    if files.head.first is None:
        return None
    adds = files.head.first == bos
    return None if isinstance(declared, bool) and declared is not adds else adds


def _stops(generation: Mapping[str, Any] | None, config: Mapping[str, Any] | None) -> tuple[tuple[int, ...] | None, str | None]:
    """Where `generate` stops, and the file that says so. A configuration without the key has its class's default: unknown.

    So it is where the model also stops at words.
    """
    if generation is not None and generation.get("stop_strings"):
        return None, None
    if generation is not None and (found := _numbers(generation.get("eos_token_id"))):
        return found, GENERATION
    for held in (config or {}, (config or {}).get("text_config")):
        if isinstance(held, dict) and (found := _numbers(held.get("eos_token_id"))):
            return found, MODEL_CONFIG
    return ((), GENERATION) if generation is not None else (None, None)


def _numbers(held: object) -> tuple[int, ...]:
    listed = held if isinstance(held, list) else [held]
    return tuple(number for number in listed if type(number) is int)
