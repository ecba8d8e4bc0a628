"""Token ids of prompts: a model's tokenizer.json, read by the tokenizers library in a bounded process of its own."""

from __future__ import annotations

import base64
import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tpllint import spawn, wire
from tpllint.errors import RepairableError
from tpllint.sources.files import TOKENIZER, ModelFile, ModelFiles

SECONDS = 10.0
"""Wall time for reading the tokenizer and encoding every prompt with it."""
START_SECONDS = 60.0
_ENCODER = "tpllint.analysis.tokenization"


@dataclass(frozen=True)
class Token:
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
            raise RepairableError("unusable-tokenizer", f"{file.shown} {file.reason}", "leave out --token-ids")
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
    with _encoder(shown) as encoder:
        _expect(encoder.message(), "ready", shown)
        encoder.ask(request)
        return [_tokens(text, _expect(encoder.message(), "tokens", shown)) for text in texts]


def _require_characters(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        message = f"a prompt with half a surrogate pair, at character {error.start}, has no token ids"
        raise RepairableError("unusable-prompt", message, "write whole characters in the conversation") from error


class _Encoder:
    """The process that encodes, and what it has said."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout
        self._buffer = bytearray()
        self._size = 0
        self._end = time.monotonic() + START_SECONDS

    def ask(self, request: Mapping[str, Any]) -> None:
        """Hand over the request; the clock for it starts now."""
        body = memoryview(wire.encode(dict(request)))
        self._end = time.monotonic() + SECONDS
        with contextlib.suppress(BrokenPipeError):  # it died; reading from it says so
            while body:
                body = body[self._input.write(body) :]

    def message(self) -> dict[str, Any]:
        """Its next message. Raises EOFError where it ended, TimeoutError where it is late, WireError on anything else."""
        while (message := wire.take(self._buffer, wire.MAX_ANSWER_BYTES)) is None:
            self._receive()
        return message

    def _receive(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            if not selector.select(max(self._end - time.monotonic(), 0.0)):
                raise TimeoutError
        data = os.read(self._output.fileno(), 1 << 20)
        if not data:
            raise EOFError
        self._buffer += data
        self._size += len(data)
        if self._size > wire.MAX_ANSWER_BYTES:
            raise wire.WireError("more than 16 MB of answers")


@contextlib.contextmanager
def _encoder(shown: str) -> Iterator[_Encoder]:
    """A process of its own for one tokenizer; how it ends before its time is told as an error about that file."""
    try:
        process = spawn.spawn(_ENCODER)
    except OSError as error:
        message = f"no process can be started: {(error.strerror or str(error)).lower()}"
        raise RepairableError("no-worker", message, "allow more processes and open files, then run again") from error
    try:
        yield _Encoder(process)
    except EOFError:
        raise _unusable(shown, "its process ended early, most likely for want of memory") from None
    except TimeoutError:
        raise _unusable(shown, f"it did not finish within {SECONDS:g} seconds") from None
    except (wire.WireError, KeyError, TypeError, ValueError) as error:
        raise _unusable(shown, f"its process sent {error}") from error
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _unusable(shown: str, reason: str) -> RepairableError:
    hint = "check that the tokenizers library opens the file, or leave out --token-ids"
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
