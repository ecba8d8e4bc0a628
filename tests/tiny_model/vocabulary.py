"""The tokenizer of the tiny model: byte-level BPE of 512 tokens, in which every word of its tasks is one token."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tests.tiny_model import MODEL
from tests.tiny_model.tasks import TOOLS, WORDS, declaration, different, written_call

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

"""Where the trained model lies, beside the template, which is written by hand."""
TEMPLATE = MODEL / "chat_template.jinja"
SIZE, LENGTH = 512, 1024
BOS, PAD, OPENER, EOS = SPECIAL = ("<s>", "<|pad|>", "<|im_start|>", "<|im_end|>")
ROLES = ("system", "user", "assistant", "tool", "tools")
TAGS = ("<tool_call>", "</tool_call>", "<think>", "</think>")
"""One token each, but text all the same: they are part of what an answer says."""
BEGINNINGS = {"say", "swap", "after", "remember", "what", "who", "your", "answer", "i", "a", "no", "found", *TOOLS}
"""The first words of what is not random."""


def make_tokenizer(random: Random) -> PreTrainedTokenizerFast:
    """The tokenizer, with the template that the model is taught through."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE - len(TAGS), special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(_texts(random), trainer)
    made.add_tokens([AddedToken(tag, normalized=False) for tag in TAGS])
    tokenizer: Any = PreTrainedTokenizerFast
    whole: PreTrainedTokenizerFast = tokenizer(
        tokenizer_object=made, bos_token=BOS, eos_token=EOS, pad_token=PAD, model_max_length=LENGTH
    )
    whole.chat_template = TEMPLATE.read_text(encoding="utf-8")
    return whole


def _texts(random: Random) -> Iterator[str]:
    """What is written often enough in the tasks to deserve tokens of its own; random text is not."""
    for word in WORDS:
        yield from [word, f" {word}"] * 500
    for role in ROLES:
        yield from [f"{role}\n"] * 2000
    for name in TOOLS:
        for written in (written_call(name, "red"), json.dumps([declaration(name)])):
            yield from [written] * 100
    for made in different(random, 1500):
        texts = (str(message["content"]) for message in made.messages)
        yield from (text for text in (*texts, made.answer) if _of_the_tasks(text))


def _of_the_tasks(text: str) -> bool:
    return text.partition(" ")[0] in BEGINNINGS
