"""The special tokens that a tokenizer passes to its chat template, as its files declare them.

Follows transformers 5.23 (`tokenization_utils_base.py`, `_from_pretrained` and `special_tokens_map`): the legacy
special_tokens_map.json overrides tokenizer_config.json, and is not read where the configuration has `added_tokens_decoder`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

STANDARD = frozenset(f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask"))
"""What every tokenizer may have; a model may declare further ones (`image_token`)."""

WITHOUT_DEFAULTS = frozenset(("PreTrainedTokenizer", "PreTrainedTokenizerFast", "TokenizersBackend"))
"""Tokenizer classes that have no special token of their own: what is not declared does not exist."""

PLACEHOLDERS = {"bos_token": "<s>", "eos_token": "</s>"}
"""What special tokens are rendered as where no file tells."""


class SpecialTokens(NamedTuple):
    """Values by name; whether a file declared any, else they are placeholders; and the names that certainly have no value."""

    values: Mapping[str, str]
    known: bool
    absent: frozenset[str]


def special_tokens(config: Mapping[str, Any], legacy: Mapping[str, Any]) -> SpecialTokens:
    """The tokens of a tokenizer_config.json and a special_tokens_map.json; either may be empty."""
    declared = dict(_declared(config if "added_tokens_decoder" in config else {**config, **legacy}))
    if not declared:
        return SpecialTokens(PLACEHOLDERS, known=False, absent=frozenset())
    values = {name: token for name, token in declared.items() if token is not None}
    expected = STANDARD if config.get("tokenizer_class") in WITHOUT_DEFAULTS else declared.keys() & STANDARD
    return SpecialTokens(values, known=True, absent=frozenset(expected - values.keys()))


def misdeclared(file: Mapping[str, Any]) -> Iterator[str]:
    """The names of standard tokens that hold neither text, nor an object with text, nor null."""
    return (name for name in sorted(STANDARD & file.keys()) if file[name] is not None and _text(file[name]) is None)


def _declared(settings: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    for name, value in settings.items():
        if name in STANDARD or (name.endswith("_token") and _text(value) is not None):
            yield name, _text(value)
    extra = settings.get("extra_special_tokens")
    for name, value in extra.items() if isinstance(extra, dict) else ():
        if _text(value) is not None:
            yield name, _text(value)


def _text(value: object) -> str | None:
    token = value.get("content") if isinstance(value, dict) else value
    return token if isinstance(token, str) else None
