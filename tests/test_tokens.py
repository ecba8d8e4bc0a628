"""Special tokens as transformers loads them: folders of every kind, and the real tokenizer beside."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import AutoTokenizer

from tpllint.tokens import misdeclared, special_tokens

if TYPE_CHECKING:
    from pathlib import Path

FAST = {"tokenizer_class": "PreTrainedTokenizerFast"}
ADDED = {"content": "<a>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "__type": "AddedToken"}
DECODER = {"0": {"content": "<a>", "special": True}}

FOLDERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text": ({"bos_token": "<a>", "eos_token": "<b>"}, {}),
    "object": ({"eos_token": ADDED}, {}),
    "null": ({"bos_token": None, "eos_token": "<b>"}, {}),
    "nothing": ({}, {}),
    "of its own": ({"eos_token": "<b>", "image_token": "<image>"}, {}),
    "named extras": ({"eos_token": "<b>", "extra_special_tokens": {"image_token": "<image>"}}, {}),
    "listed extras": ({"eos_token": "<b>", "extra_special_tokens": ["<image>"]}, {}),
    "switches": ({"add_bos_token": True, "eos_token": "<b>"}, {}),
    "legacy map alone": ({}, {"bos_token": "<a>", "eos_token": {"content": "<b>", "lstrip": False}}),
    "legacy map over configuration": ({"bos_token": "<c>", "eos_token": None}, {"bos_token": "<a>", "eos_token": "<b>"}),
    "legacy map not read": ({"bos_token": "<a>", "added_tokens_decoder": DECODER}, {"bos_token": "<b>", "eos_token": "<b>"}),
}


@pytest.mark.parametrize("kind", FOLDERS)
def test_tokens_are_those_of_the_loaded_tokenizer(tmp_path: Path, kind: str) -> None:
    config, legacy = FOLDERS[kind]
    tokenizer = Tokenizer(
        WordLevel({word: index for index, word in enumerate(("<a>", "<b>", "<c>", "<image>"))}, unk_token="<a>")
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**FAST, **config}))
    if legacy:
        (tmp_path / "special_tokens_map.json").write_text(json.dumps(legacy))
    found = special_tokens({**FAST, **config}, legacy)
    assert (dict(found.values) if found.known else {}) == AutoTokenizer.from_pretrained(tmp_path).special_tokens_map


def test_what_is_not_declared_is_absent_only_where_the_class_has_nothing_of_its_own() -> None:
    config = {"eos_token": "<b>", "pad_token": None}
    assert special_tokens(config, {}).absent == {"pad_token"}
    assert special_tokens({**FAST, **config}, {}).absent >= {"bos_token", "pad_token"}


def test_a_token_of_a_wrong_type_is_named() -> None:
    assert list(misdeclared({"bos_token": [1], "eos_token": {}, "pad_token": None, "unk_token": "<u>"})) == [
        "bos_token",
        "eos_token",
    ]
