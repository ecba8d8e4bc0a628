"""The metadata at the head of a GGUF file, read from a stream that may be cut, lie or go on without end.

The layout is that of ggml's docs/gguf.md, the keys are those of llama.cpp's gguf-py/gguf/constants.py. Nothing behind the
metadata is read, no length is believed before it is compared with what can be left, and nothing is kept but what tpllint asks
for. Where metadata is odd, what readers make of it differs, so it is told as damage:

- a key that stands there twice: llama.cpp (`gguf_init_from_file`) and gguf-py refuse the file, readers that fill a map keep
  the last value;
- a key with a NUL in it: llama.cpp compares keys as C strings (`gguf_find_key`), for others it is another key;
- arrays inside arrays: the specification has them, llama.cpp refuses them, and they have made readers recurse to death.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple, Protocol, TypeAlias

from tpllint.report.escape import escape
from tpllint.sources.files import MAX_TEMPLATE_BYTES

MAX_HEADER_BYTES = 64_000_000
MAX_ENTRIES = 100_000
MAX_ARRAYS = 100_000
"""How many arrays a header may hold, arrays inside arrays included."""
MAX_DEPTH = 4
MAX_KEY_BYTES = 65_535
"""The specification's own limit."""
MAX_SPECIAL = 10_000
"""How many special tokens of a vocabulary are kept."""
MAX_TOKEN_BYTES = 1000
MAX_TOLD = 10
"""How many oddities of one file are told."""
SHOWN = 100

TEMPLATE_KEY = "tokenizer.chat_template"
TOKENS_KEY = "tokenizer.ggml.tokens"
KINDS_KEY = "tokenizer.ggml.token_type"
KEPT = ("general.", "split.", "tokenizer.ggml.", TEMPLATE_KEY)
"""The beginnings of the keys whose texts and numbers are kept."""

_MAGIC = b"GGUF"
_POINTER = b"vers"
"""The beginning of what a clone without Git LFS has instead."""
_BLOCK = 262_144
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_INT32 = (4, 5)
_TEXT = 8
_ARRAY = 9
_SMALLEST = {_TEXT: 8, _ARRAY: 12}
"""How many bytes an item of an array has at least, where its type does not tell."""
_SPECIAL_KINDS = (2, 3, 4)
"""Unknown, control and user-defined: the tokens that are found in a text as they are written."""

Value: TypeAlias = bytes | int | float


class Readable(Protocol):
    """A file, or anything else that hands out the next bytes, fewer than asked for and none only at the end."""

    def read(self, size: int, /) -> bytes:
        """The next bytes."""


class Closeable(Readable, Protocol):
    """The same, to be closed when it has been read."""

    def close(self) -> None:
        """Free what it holds."""


class Metadata(NamedTuple):
    """What the head of a GGUF file says.

    `values` are texts (as bytes, for nothing says that they are UTF-8) and numbers by key; `tokens` are the texts of the tokens
    that keys ending in `_token_id` name, by id; `special` are those of all special tokens, None where they are not told.
    `damage` says in clauses about the file what is wrong with it; what was read before is in here all the same. `complete`
    tells whether every entry was read.
    """

    values: Mapping[str, Value] = {}
    tokens: Mapping[int, str] = {}
    special: Mapping[int, str] | None = None
    damage: tuple[str, ...] = ()
    complete: bool = True


def read_metadata(file: Readable) -> Metadata:
    """The metadata of a file that is open at its beginning. Raises only what its `read` raises."""
    reader = _Reader(_Stream(file))
    complete = True
    try:
        reader.read()
    except _Damage as damage:
        complete = False
        reader.damage.insert(0, str(damage))
    told = tuple(dict.fromkeys(reader.damage))
    return Metadata(reader.values, reader.tokens(), reader.special(), told[:MAX_TOLD], complete)


class _Damage(Exception):
    """What ends the reading; a clause about the file."""


class _Stream:
    """Bytes in order, of which never more are asked for than a header may have."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._buffer = b""
        self._at = 0
        self._left = MAX_HEADER_BYTES
        self.what = "the header"
        """What is being read, for the message that it is cut."""

    @property
    def left(self) -> int:
        """How many bytes can still belong to the header."""
        return self._left + len(self._buffer) - self._at

    def take(self, size: int) -> bytes:
        """The next bytes, so many."""
        if size > len(self._buffer) - self._at:
            self._fill(size)
        start = self._at
        self._at += size
        return self._buffer[start : self._at]

    def skip(self, size: int) -> None:
        """Pass over bytes without gathering them."""
        self._claim(size)
        while size > 0:
            part = min(size, _BLOCK)
            self.take(part)
            size -= part

    def walk_texts(self, count: int, order: str, kept: list[bytes] | None) -> None:
        """Pass over texts, each of which its length precedes; what is passed over is added to `kept`."""
        length_at = struct.Struct(f"{order}Q").unpack_from
        need = 8
        while count:
            self._fill(need)
            buffer, at, end = self._buffer, self._at, len(self._buffer)
            last = end - 8
            while count and at <= last:
                after = at + 8 + length_at(buffer, at)[0]
                if after > end:
                    break
                at = after
                count -= 1
            if kept is not None:
                kept.append(buffer[self._at : at])
            self._at = at
            need = 8 if at > last else 8 + length_at(buffer, at)[0]

    def _fill(self, size: int) -> None:
        """Have so many bytes at hand."""
        self._claim(size)
        missing = size - (len(self._buffer) - self._at)
        if missing <= 0:
            return
        parts = [self._buffer[self._at :]]
        while missing > 0:
            part = self._file.read(min(_BLOCK, self._left))
            if not part:
                raise _Damage(f"ends inside {self.what}")
            parts.append(part)
            missing -= len(part)
            self._left -= len(part)
        self._buffer, self._at = b"".join(parts), 0

    def _claim(self, size: int) -> None:
        if size > self.left:
            raise _Damage(
                f"claims {size:,} bytes for {self.what}, more than the {MAX_HEADER_BYTES // 1_000_000} MB of a header"
            )


class _Reader:
    """Reads the entries one after another, and keeps the few that count."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream
        self._order = "<"
        self._arrays = 0
        self._vocabulary: list[bytes] = []
        self._kinds = array("i")
        self.values: dict[str, Value] = {}
        self.damage: list[str] = []

    def read(self) -> None:
        """Read it all. Raises _Damage where nothing can be read any more."""
        count = self._begin()
        seen: Counter[bytes] = Counter()
        for number in range(min(count, MAX_ENTRIES)):
            self._stream.what = f"entry {number + 1} of {count} of its metadata"
            key = self._key()
            self._stream.what = f"the value of {_shown(key)}"
            seen[key] += 1
            if seen[key] == 2:
                self.damage.append(f"holds {_shown(key)} more than once, and only the last one was looked at")
            self._entry(key.decode("utf-8", "backslashreplace"))
        if count > MAX_ENTRIES:
            raise _Damage(f"claims {count:,} entries of metadata, of which {MAX_ENTRIES:,} were read")

    def tokens(self) -> dict[int, str]:
        """The tokens that keys name."""
        return self._texts_of({value for key, value in self.values.items() if key.endswith("_token_id") and type(value) is int})

    def special(self) -> dict[int, str] | None:
        """The tokens that are found in a text as they are written."""
        numbers = (number for number, kind in enumerate(self._kinds) if kind in _SPECIAL_KINDS)
        wanted = set(islice(numbers, MAX_SPECIAL + 1))
        found = self._texts_of(wanted)
        return found if found and len(found) == len(wanted) <= MAX_SPECIAL else None

    def _texts_of(self, wanted: set[int]) -> dict[int, str]:
        vocabulary, at = b"".join(self._vocabulary), 0
        length_at = struct.Struct(f"{self._order}Q").unpack_from
        found: dict[int, str] = {}
        for number in range(max(wanted, default=-1) + 1):
            if at >= len(vocabulary):
                break
            start = at + 8
            at = start + length_at(vocabulary, at)[0]
            if number in wanted and (text := _text(vocabulary[start : min(at, start + MAX_TOKEN_BYTES)])) is not None:
                found[number] = text
        return found

    def _begin(self) -> int:
        """Check what every file begins with; how many entries there are."""
        self._stream.what = "its first bytes"
        self._require_magic()
        version = self._number("I")
        if version & 0xFFFF == 0:  # no version is that high: the bytes stand in the other order
            self._order = ">"
            version = int.from_bytes(version.to_bytes(4, "little"), "big")
        if version == 1:
            raise _Damage("is a GGUF file of version 1, which llama.cpp reads no more either")
        if version not in (2, 3):
            raise _Damage(f"is a GGUF file of the unknown version {version}")
        self._number("Q")  # how many tensors there are
        return self._number("Q")

    def _require_magic(self) -> None:
        try:
            begin = self._stream.take(len(_MAGIC))
        except _Damage:
            raise _Damage("is too short for a GGUF file") from None
        if begin == _POINTER:
            raise _Damage("is a pointer of Git LFS and not the file itself, which `git lfs pull` brings")
        if begin != _MAGIC:
            raise _Damage("is not a GGUF file: it does not begin with GGUF")

    def _key(self) -> bytes:
        size = self._number("Q")
        if size > MAX_KEY_BYTES:
            raise _Damage(f"claims a name of {size:,} bytes for {self._stream.what}")
        key = self._stream.take(size)
        if b"\0" in key:
            self.damage.append(f"holds {_shown(key)}, which is another key for llama.cpp, where a NUL ends it")
        return key

    def _entry(self, key: str) -> None:
        self.values.pop(key, None)
        kind = self._number("I")
        if kind != _TEXT and _is_template(key):
            self.damage.append(f"holds a {_shown(key.encode())} that is no text")
        if kind == _TEXT:
            self._string(key)
        elif kind == _ARRAY:
            self._array(key, 1)
        else:
            value = self._scalar(_form(kind, self._stream.what))
            if key.startswith(KEPT):
                self.values[key] = value

    def _string(self, key: str) -> None:
        size = self._number("Q")
        if key.startswith(KEPT) and size <= MAX_TEMPLATE_BYTES:
            self.values[key] = self._stream.take(size)
            return
        self._stream.skip(size)
        if _is_template(key):
            self.damage.append(f"holds a {_shown(key.encode())} larger than {MAX_TEMPLATE_BYTES // 1_000_000} MB")

    def _array(self, key: str, depth: int) -> None:
        """Pass over an array; the vocabulary and the kinds of its tokens are kept."""
        self._arrays += 1
        if depth > MAX_DEPTH:
            raise _Damage(f"nests arrays more than {MAX_DEPTH} deep in {self._stream.what}")
        if self._arrays > MAX_ARRAYS:
            raise _Damage(f"holds more than {MAX_ARRAYS:,} arrays")
        kind, count = self._number("I"), self._number("Q")
        size = _SMALLEST.get(kind) or struct.calcsize(_form(kind, self._stream.what))
        if count * size > self._stream.left:
            limit = f"{MAX_HEADER_BYTES // 1_000_000} MB"
            raise _Damage(f"claims {count:,} items for {self._stream.what}, more than fit into the {limit} of a header")
        if kind == _ARRAY:
            self.damage.append(f"holds an array of arrays in {self._stream.what}, which llama.cpp refuses")
            for _ in range(count):
                self._array("", depth + 1)
        elif kind == _TEXT:
            self._texts(key, count)
        elif key == KINDS_KEY and kind in _INT32:
            self._kinds = self._int32(count * size)
        else:
            self._stream.skip(count * size)

    def _texts(self, key: str, count: int) -> None:
        if key != TOKENS_KEY:
            self._stream.walk_texts(count, self._order, None)
            return
        self._vocabulary = []
        self._stream.walk_texts(count, self._order, self._vocabulary)

    def _int32(self, size: int) -> array[int]:
        numbers = array("i", self._stream.take(size))
        if (self._order == "<") != (sys.byteorder == "little"):
            numbers.byteswap()
        return numbers

    def _number(self, form: str) -> int:
        return int(self._scalar(form))

    def _scalar(self, form: str) -> int | float:
        layout = struct.Struct(f"{self._order}{form}")
        value: int | float = layout.unpack(self._stream.take(layout.size))[0]
        return value


def _form(kind: int, what: str) -> str:
    if kind not in _SCALARS:
        raise _Damage(f"has the unknown type {kind} in {what}, so nothing behind it can be read")
    return _SCALARS[kind]


def _is_template(key: str) -> bool:
    return key == TEMPLATE_KEY or key.startswith(f"{TEMPLATE_KEY}.")


def _text(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _shown(key: bytes) -> str:
    """A key as a message quotes it."""
    return escape(key.decode("utf-8", "replace"), SHOWN)
