"""The beginning of a tokenizer.json: its added tokens, and what it puts before a text.

The file is up to tens of megabytes, nearly all of them the vocabulary under "model". The library `tokenizers` reads the whole
and is no requirement of tpllint, and the parser of the standard library knows no half documents. But the library has always
written "model" last, so the members before it are taken one by one with `raw_decode`, which takes milliseconds.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

MAX_BYTES = 16_000_000
"""More than a hundred thousand added tokens; a longer head is not read."""
_CHUNK = 262_144
_INK = re.compile(r"[^ \t\r\n]")
_DECODER = json.JSONDecoder()


class Head(NamedTuple):
    """What stands before the vocabulary.

    `added` are the ids of the added tokens, `first` is the token that encoding puts before a text: empty where there is none.
    Either is None where the file does not tell it in the usual form.
    """

    added: Mapping[str, int] | None = None
    first: str | None = None


def read_head(stream: BinaryIO) -> Head:
    """The head of a tokenizer.json, reading no further than its vocabulary."""
    members: dict[str, Any] = {}
    try:
        for name, value in _Members(stream):
            members[name] = value
    except (ValueError, RecursionError):
        return Head()
    added = _added(members["added_tokens"]) if "added_tokens" in members else None
    return Head(added, _first(members["post_processor"]) if "post_processor" in members else None)


class _Members:
    """The members of an object up to "model", each with its value. Raises ValueError on anything else."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._text = ""
        self._at = 0
        self._read = 0
        self._decode = codecs.getincrementaldecoder("utf-8")().decode

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        self._expect("{")
        while (name := self._value()) != "model":
            self._expect(":")
            yield str(name), self._value()
            if self._next() == "}":
                return
            self._expect(",")

    def _next(self) -> str:
        """The next character that is not blank."""
        while True:
            found = _INK.search(self._text, self._at)
            if found:
                self._at = found.start()
                return found[0]
            self._at = len(self._text)
            self._more()

    def _expect(self, character: str) -> None:
        if self._next() != character:
            raise ValueError("not the usual form")
        self._at += 1

    def _value(self) -> Any:
        """The next value. One at the end of what was read may go on: only a character behind it shows that it is whole."""
        self._next()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError:
                self._more()
                continue
            if end < len(self._text):
                self._at = end
                return value
            self._more()

    def _more(self) -> None:
        """Read on, each time as much again as there is: a long value is tried anew from its beginning."""
        data = self._stream.read(max(_CHUNK, self._read))
        self._read += len(data)
        if not data or self._read > MAX_BYTES:
            raise ValueError("no end")
        self._text, self._at = self._text[self._at :] + self._decode(data), 0


def _added(held: object) -> Mapping[str, int] | None:
    """Ids by token; None where an entry is not of the usual form."""
    found: dict[str, int] = {}
    for entry in held if isinstance(held, list) else [None]:
        match entry:
            case {"content": str(content), "id": int(number)}:
                found[content] = number
            case _:
                return None
    return found


def _first(held: object) -> str | None:
    """The token that a post-processor puts before a text."""
    match held:
        case None | {"type": "ByteLevel"}:
            return ""
        case {"type": "Sequence", "processors": list(processors)}:
            found = [_first(processor) for processor in processors]
            return None if None in found else next((token for token in reversed(found) if token), "")
        case {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": str(token)}}, *_]}:
            return token
        case {"type": "TemplateProcessing", "single": [{"Sequence": _}, *_]}:
            return ""
        case {"type": "RobertaProcessing" | "BertProcessing", "cls": [str(token), int()]}:
            return token
    return None
