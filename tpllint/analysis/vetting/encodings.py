"""Words that are written in another alphabet than their own: base64, hexadecimal, percent signs, escapes, numbers."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

WORDS = 3
SHORTEST = 20
"""Of what is taken for an encoding of several words."""
LETTERS = 0.75
"""Of the characters of a sentence, at least this share are letters and blanks."""
MAX_DECODED = 20_000

_WORD = re.compile(r"[^\W\d_]{2,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_HEXADECIMAL = re.compile(r"(?:(?:0x|\\x)?[0-9a-fA-F]{2}[ ,:;]{0,2}){10,}")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2}){6,}(?:%?[0-9a-zA-Z._-])*")
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|&#x?[0-9a-fA-F]{2,6};){6,}")
_NUMBERS = re.compile(r"(?:\d{2,3}[ ,;]{1,2}){10,}\d{2,3}")
_BITS = re.compile(r"(?:[01]{7,8}[ ,]?){10,}")
_SPACED = re.compile(r"[0-9a-fA-F]{2,3}[ ,:;]{1,2}[0-9a-fA-F]{2,3}[ ,:;]{1,2}[0-9a-fA-F]{2,3}[ ,:;]{1,2}[0-9a-fA-F]{2,3}[ ,:;]")
_URL_ALPHABET = str.maketrans("-_", "+/")


class Decoded(NamedTuple):
    """A stretch of a text that decodes to words; `encoding` is what it is written in."""

    encoding: str
    start: int
    end: int
    words: str


def is_sentence(text: str, least: int = WORDS) -> bool:
    """Whether a text is several words of a natural language."""
    if not text.replace("\n", " ").isprintable() or len(_WORD.findall(text)) < least or " " not in text:
        return False
    return sum(character.isalpha() or character == " " for character in text) >= LETTERS * len(text)


def decoded(text: str) -> Iterator[Decoded]:
    """The stretches of a text that are an encoding of several words."""
    if len(text) < SHORTEST or not (max(map(len, text.split()), default=0) >= SHORTEST or _SPACED.search(text)):
        return
    done = 0
    for encoding, pattern, decode in _ENCODINGS:
        for found in pattern.finditer(text):
            words = _decode(decode, found[0][:MAX_DECODED])
            if found.start() >= done and is_sentence(words):
                done = found.end()
                yield Decoded(encoding, found.start(), found.end(), words)


def _decode(decode: Callable[[str], bytes], text: str) -> str:
    try:
        return decode(text).decode("utf-8").strip()
    except ValueError:
        return ""


def _base64(text: str) -> bytes:
    plain = text.translate(_URL_ALPHABET).rstrip("=")
    whole = plain[: len(plain) - (len(plain) % 4 == 1)]
    return binascii.a2b_base64(whole + "=" * (-len(whole) % 4))


def _hexadecimal(text: str) -> bytes:
    return bytes.fromhex(re.sub(r"0x|\\x|[ ,:;]", "", text))


def _percent(text: str) -> bytes:
    return re.sub(rb"%([0-9a-fA-F]{2})", lambda found: bytes.fromhex(found[1].decode()), text.encode())


def _escapes(text: str) -> bytes:
    numbers = re.findall(r"\\[ux]([0-9a-fA-F]+)|&#x([0-9a-fA-F]+);|&#(\d+);", text)
    codes = [int(decimal) if decimal else int(a or b, 16) for a, b, decimal in numbers]
    return "".join(map(chr, codes)).encode()


def _numbers(text: str) -> bytes:
    return bytes(int(number) for number in re.findall(r"\d+", text))


def _bits(text: str) -> bytes:
    plain = re.sub(r"[ ,]", "", text)
    size = 8 if len(plain) % 8 == 0 else 7
    return bytes(int(plain[at : at + size], 2) for at in range(0, len(plain), size))


_ENCODINGS: tuple[tuple[str, re.Pattern[str], Callable[[str], bytes]], ...] = (
    ("base64", _BASE64, _base64),
    ("hexadecimal", _HEXADECIMAL, _hexadecimal),
    ("percent-encoded", _PERCENT, _percent),
    ("escaped", _ESCAPES, _escapes),
    ("numbered", _NUMBERS, _numbers),
    ("binary", _BITS, _bits),
)
