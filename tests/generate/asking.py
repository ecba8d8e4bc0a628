"""What tests ask of models."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.small_tokenizer import CHATML
from tpllint.errors import RepairableError
from tpllint.generation.exchange import Answered, Loaded, ToAnswer
from tpllint.generation.settings import Weights
from tpllint.generation.talker import Heard, Talker, Tell

TOKENS = 40
QUESTIONS = ("Hi", "Say bread twice.", "What comes after Monday?", "A")


def silent(what: str, part: float | None) -> None:
    """Hears how far a model is, and says nothing."""


def local(folder: Path) -> Weights:
    return Weights(str(folder), None, None)


def loaded(talker: Talker, folder: Path, tell: Tell = silent) -> Loaded:
    return talker.load(local(folder), tell)


def prompt(question: str, text: str | None = None) -> ToAnswer:
    """A question in ChatML; `text` for a prompt that is not what the template makes of it."""
    conversation = {"messages": [{"role": "user", "content": question}]}
    right = f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
    return ToAnswer(question, right if text is None else text, conversation, True, False)


def answers(talker: Talker, *prompts: ToAnswer, tokens: int = TOKENS, heard: Heard | None = None) -> list[Answered]:
    return talker.answer(prompts, CHATML, tokens, heard)


def refused(talker: Talker, folder: Path) -> RepairableError:
    """The error with which a model is not loaded."""
    with pytest.raises(RepairableError) as caught:
        loaded(talker, folder)
    return caught.value
