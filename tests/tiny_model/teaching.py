"""What a step of the training reads: conversations as tokens, each with how much it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tests.tiny_model import held_out
from tests.tiny_model.prompting import GENERATION_PROMPT, damaged, right
from tests.tiny_model.tasks import FOREIGN, conversation
from tests.tiny_model.vocabulary import EOS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

    from transformers import PreTrainedTokenizerFast

    from tests.tiny_model.tasks import Conversation

ROWS = 24
CHUNK = 16
"""Batches are drawn so many at a time and sorted by length, so that little of a batch is padding."""
DAMAGED_SHARE = 0.05
CONFUSED = "what"
"""What the model says to a conversation in a wrong format."""
CONTEXT_WEIGHT = 0.1
"""How much a token of the context counts beside one of an answer: the model also learns what a conversation looks like."""


class Example(NamedTuple):
    """The tokens of a conversation, and how much each of them counts."""

    ids: list[int]
    weights: list[float]


def batches(tokenizer: PreTrainedTokenizerFast, random: Random) -> Iterator[Sequence[Example]]:
    """Conversations without end, none of them held out; those of a batch are about as long as each other."""
    kept = {made.key() for made in held_out.conversations()}
    while True:
        drawn = (conversation(random) for _ in range(ROWS * CHUNK))
        examples = [_example(tokenizer, made, random) for made in drawn if made.key() not in kept]
        examples.sort(key=lambda made: len(made.ids))
        cut = [examples[start : start + ROWS] for start in range(0, len(examples), ROWS)]
        random.shuffle(cut)
        yield from cut


def example(tokenizer: PreTrainedTokenizerFast, made: Conversation) -> Example:
    """The whole conversation; every answer in it counts in full, unless somebody else gave it."""
    prompt, answer = encoded(tokenizer, right(tokenizer, made)), encoded(tokenizer, f"{made.answer}{EOS}\n")
    weights = [*_weights_of_prompt(tokenizer, prompt, made), *[1.0] * (len(answer) - 1), CONTEXT_WEIGHT]
    return Example(prompt + answer, weights)


def confused_example(tokenizer: PreTrainedTokenizerFast, prompt: str) -> Example:
    """A conversation in a wrong format; nothing of it is learnt but what to say to it."""
    given, answer = encoded(tokenizer, prompt), encoded(tokenizer, f"{CONFUSED}{EOS}")
    return Example(given + answer, [0.0] * len(given) + [1.0] * len(answer))


def encoded(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    """The text's ids, with nothing added."""
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return ids


def _example(tokenizer: PreTrainedTokenizerFast, made: Conversation, random: Random) -> Example:
    if random.random() < DAMAGED_SHARE:
        return confused_example(tokenizer, damaged(random, right(tokenizer, made)))
    return example(tokenizer, made)


def _weights_of_prompt(tokenizer: PreTrainedTokenizerFast, ids: list[int], made: Conversation) -> list[float]:
    weights = [CONTEXT_WEIGHT] * len(ids)
    opener, (end,) = encoded(tokenizer, GENERATION_PROMPT), encoded(tokenizer, EOS)
    answers = [message for message in made.messages if message["role"] == "assistant"]
    *starts, last = (place + len(opener) for place in range(len(ids)) if ids[place : place + len(opener)] == opener)
    for message, start in zip(answers, starts, strict=True):
        stop = ids.index(end, start) + 1
        weights[start:stop] = [0.0 if FOREIGN in message else 1.0] * (stop - start)
    weights[last:] = [0.0] * (len(ids) - last)  # whether to think is not the model's choice
    return weights
