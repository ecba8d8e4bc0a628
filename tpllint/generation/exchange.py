"""What a model is asked, and what it answers; what comes from its process is checked for its form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tpllint.wire import WireError


class Loaded(NamedTuple):
    """A model that can be asked.

    `bos` is its tokenizer's token for the beginning of a sequence, and `stops` are the texts of the tokens at which its
    generation_config lets it stop. `context` is how many tokens it was made for, None where it does not tell.
    """

    device: str
    dtype: str
    seconds: float
    parameters: int
    bos: str | None
    stops: tuple[str, ...]
    context: int | None


class ToAnswer(NamedTuple):
    """A prompt, `text`, and what it was rendered from.

    `conversation` holds `messages`, `tools`, `documents` and `variables`; and `clock`, an ISO time, where the prompt was
    rendered as of another time than now.
    """

    name: str
    text: str
    conversation: Mapping[str, Any]
    add_generation_prompt: bool
    continue_final_message: bool


class Answered(NamedTuple):
    """What a model has written.

    `text` holds its special tokens but not the token it stopped at: that is `stop`, None where it was cut off. `tokens` counts
    both, and `control` are the special tokens in the text. `bos` tells with how many tokens for the beginning of a sequence the
    prompt began. `encoded_otherwise` tells that transformers, given the conversation, makes other tokens of it; that it refuses
    it tells nothing. `limit` is how many tokens there was room for.
    """

    name: str
    text: str
    stop: str | None
    tokens: int
    control: tuple[str, ...]
    bos: int
    encoded_otherwise: bool
    limit: int
    seconds: float


class ToScore(NamedTuple):
    """A prompt, and an answer whose likelihood is asked for, with the text that ends the turn."""

    name: str
    prompt: str
    answer: str


class Score(NamedTuple):
    """The negative log-likelihood of an answer's tokens in nats, all together, and how many tokens they are."""

    name: str
    nats: float
    tokens: int


def loaded(message: Mapping[str, Any]) -> Loaded:
    """Raises WireError where the message has another form, as the others here do."""
    match message:
        case {
            "device": str(device),
            "dtype": str(dtype),
            "seconds": float(seconds),
            "parameters": int(parameters),
            "bos": str() | None as bos,
            "stops": list(stops),
            "context": int() | None as context,
        }:
            return Loaded(device, dtype, seconds, parameters, bos, _texts(stops), context)
    raise WireError("a message of another form")


def answered(name: str, message: Mapping[str, Any]) -> Answered:
    """The answer to the prompt of this name."""
    match message:
        case {
            "text": str(text),
            "stop": str() | None as stop,
            "tokens": int(tokens),
            "control": list(control),
            "bos": int(bos),
            "encoded_otherwise": bool(otherwise),
            "limit": int(limit),
            "seconds": float(seconds),
        }:
            return Answered(name, text, stop, tokens, _texts(control), bos, otherwise, limit, seconds)
    raise WireError("a message of another form")


def score(name: str, message: Mapping[str, Any]) -> Score:
    """The score of the answer of this name."""
    match message:
        case {"nats": float(nats), "tokens": int(tokens)}:
            return Score(name, nats, tokens)
    raise WireError("a message of another form")


def _texts(told: list[Any]) -> tuple[str, ...]:
    if not all(isinstance(text, str) for text in told):
        raise WireError("a message of another form")
    return tuple(told)
