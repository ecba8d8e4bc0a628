"""Token ids of prompts: a model's tokenizer.json, read by the tokenizers library in a bounded process of its own."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tpllint import wire
from tpllint.confined import confined
from tpllint.errors import RepairableError
from tpllint.sources.files import TOKENIZER, ModelFile, ModelFiles

SECONDS = 10.0
"""Wall time for reading the tokenizer and encoding every prompt with it."""
WITHOUT = "leave out --token-ids or --token-counts"
_ENCODER = "tpllint.analysis.tokenization"


class Token(NamedTuple):
    """A token's id, and the span of the prompt it stands for; several tokens may share a character."""

    id: int
    start: int
    end: int


def tokenizer_of(model: ModelFiles) -> ModelFile:
    """The tokenizer.json that a target brought. Raises RepairableError."""
    if TOKENIZER in model.files:
        return model.files[TOKENIZER]
    for file in model.unread:
        if file.name == TOKENIZER:
            raise RepairableError(
                "unusable-tokenizer", f"{file.shown} {file.reason}", "leave out --token-ids or --token-counts"
            )
    message = f"no {TOKENIZER} beside {model.target}: without a tokenizer there are no token ids"
    hint = "name a model's folder or a model on the Hub, with --chat-template FILE for a template of your own"
    raise RepairableError("no-tokenizer", message, hint)


def encode(tokenizer: ModelFile, texts: Sequence[str], special_tokens: Sequence[str] = ()) -> list[tuple[Token, ...]]:
    """The tokens of each text, with no special token added to it. Raises RepairableError."""
    for text in texts:
        _require_characters(text)
    request = {
        "tokenizer": base64.b64encode(tokenizer.data).decode("ascii"),
        "texts": list(texts),
        "special_tokens": list(special_tokens),
    }
    shown = tokenizer.shown
    with confined(_ENCODER, SECONDS, lambda reason: _unusable(shown, reason)) as encoder:
        _expect(encoder.message(), "ready", shown)
        encoder.ask(request)
        return [_tokens(text, _expect(encoder.message(), "tokens", shown)) for text in texts]


def _require_characters(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        message = f"a prompt with half a surrogate pair, at character {error.start}, has no token ids"
        raise RepairableError("unusable-prompt", message, "write whole characters in the conversation") from error


def _unusable(shown: str, reason: str) -> RepairableError:
    hint = f"check that the tokenizers library opens the file, or {WITHOUT}"
    return RepairableError("unusable-tokenizer", f"{shown} cannot be used: {reason}", hint)


def _expect(message: Mapping[str, Any], kind: str, shown: str) -> Mapping[str, Any]:
    if message["kind"] == "no-library":
        hint = "run `pip install tokenizers`, or install tpllint with its extra `tokenizer`"
        raise RepairableError("no-library", "token ids cannot be shown without the package tokenizers", hint)
    if message["kind"] == "refused":
        raise _unusable(shown, str(message["reason"]))
    if message["kind"] != kind:
        raise wire.WireError("a message out of order")
    return message


def _tokens(text: str, answer: Mapping[str, Any]) -> tuple[Token, ...]:
    tokens = tuple(Token(id, start, end) for id, (start, end) in zip(answer["ids"], answer["offsets"], strict=True))
    if not all(type(token.id) is int and 0 <= token.start <= token.end <= len(text) for token in tokens):
        raise wire.WireError("tokens that are not of this prompt")
    return tokens
