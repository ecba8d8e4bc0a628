"""The tokenizer.json of a family, as the `tokenizers` library writes it."""

from __future__ import annotations

import functools
import string
from typing import TYPE_CHECKING, Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

if TYPE_CHECKING:
    from tests.model_folders.families import Family

MERGES = (("t", "h"), ("th", "e"), ("i", "n"), ("e", "r"))
"""Enough for a token that is longer than a letter."""


@functools.cache
def tokenizer_json(family: Family) -> str:
    """A tokenizer in which every control token of the family is one token, and everything else is text."""
    tokenizer = _of_characters(family) if family.byte_fallback else _of_bytes()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in family.special])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in family.added])
    if family.adds_bos:
        tokenizer.post_processor = _beginning_with(tokenizer, family.tokens["bos_token"])
    written: str = tokenizer.to_str(pretty=True)
    return written


def _of_bytes() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab=_numbered(alphabet), merges=list(MERGES)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _of_characters(family: Family) -> Tokenizer:
    """Characters with `▁` for a space, and bytes for what is no letter; the family's own special tokens come first."""
    characters = ["▁", "\n", *string.ascii_letters, *string.digits, *string.punctuation]
    first = [*family.tokens.values(), *(f"<0x{byte:02X}>" for byte in range(256))]
    vocabulary = _numbered([*dict.fromkeys(first), *characters])
    model = models.BPE(vocab=vocabulary, merges=list(MERGES), unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


def _numbered(tokens: list[str]) -> dict[str, int]:
    merged = ["".join(pair) for pair in MERGES]
    return {token: number for number, token in enumerate([*tokens, *merged])}


def _beginning_with(tokenizer: Tokenizer, bos: str) -> Any:
    bos_id = tokenizer.token_to_id(bos)
    return processors.TemplateProcessing(
        single=[bos, "$A"], pair=[bos, "$A", f"{bos}:1", "$B:1"], special_tokens=[(bos, bos_id)]
    )
