"""What is committed of the tiny model fits together; nothing here needs torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from transformers import AutoTokenizer

from tests.command import tpllint
from tests.tiny_model import MODEL, ROWS, held_out
from tests.tiny_model.prompting import PROMPTS, right
from tests.tiny_model.tasks import WORDS
from tests.tiny_model.vocabulary import BOS, OPENER, SIZE

if TYPE_CHECKING:
    from pathlib import Path

KEPT = held_out.conversations()


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(MODEL)


def test_the_prompts_are_the_ones_that_are_held_out() -> None:
    assert ROWS.read_text(encoding="utf-8") == held_out.prompts()


def test_the_template_has_no_finding(tmp_path: Path) -> None:
    assert tpllint("check", MODEL, cwd=tmp_path).code == 0


def test_the_model_is_small() -> None:
    assert sum(path.stat().st_size for path in MODEL.iterdir()) < 3_000_000


def test_every_word_of_the_tasks_is_one_token(tokenizer: Any) -> None:
    assert len(tokenizer) == SIZE
    assert all(len(tokenizer.encode(text)) == 1 for word in WORDS for text in (word, f" {word}"))


def test_a_prompt_begins_with_one_bos(tokenizer: Any) -> None:
    first, second, *_ = tokenizer.encode(right(tokenizer, KEPT[0]))
    assert tokenizer.convert_ids_to_tokens([first, second]) == [BOS, OPENER]


@pytest.mark.parametrize("name", [name for name in PROMPTS if name != "right"])
def test_a_wrong_template_changes_some_prompt(name: str, tokenizer: Any) -> None:
    assert any(PROMPTS[name](tokenizer, made) != right(tokenizer, made) for made in KEPT)
