"""Messages between the parent and a worker: length-prefixed JSON, size-capped, nothing pickled."""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO

PREFIX = struct.Struct(">I")
MAX_JOB_BYTES = 128_000_000
MAX_ANSWER_BYTES = 16_000_000


class WireError(Exception):
    """The other side sent something that is no message, or too large a one."""


def encode(message: dict[str, Any]) -> bytes:
    """The bytes of one message. Lone surrogates survive: they travel as JSON escapes."""
    body = json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    return PREFIX.pack(len(body)) + body


def read(stream: BinaryIO, limit: int) -> dict[str, Any] | None:
    """The next message of a blocking stream, or None at its end. Raises WireError on anything else."""
    head = stream.read(PREFIX.size)
    if not head:
        return None
    if len(head) < PREFIX.size:
        raise WireError("a message that breaks off")
    (length,) = PREFIX.unpack(head)
    if length > limit:
        raise WireError(f"a message of {length} bytes, over the limit of {limit}")
    body = stream.read(length)
    if len(body) < length:
        raise WireError("a message that breaks off")
    return decode(body)


def decode(body: bytes) -> dict[str, Any]:
    """One message from its body. Raises WireError where it is not a JSON object."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError("something that is not JSON") from error
    if not isinstance(message, dict):
        raise WireError("something that is not a JSON object")
    return message


def take(buffer: bytearray, limit: int) -> dict[str, Any] | None:
    """Remove the first whole message from `buffer` and return it; None while it is incomplete."""
    if len(buffer) < PREFIX.size:
        return None
    (length,) = PREFIX.unpack_from(buffer)
    if length > limit:
        raise WireError(f"an answer of {length} bytes, over the limit of {limit}")
    if len(buffer) < PREFIX.size + length:
        return None
    body = bytes(buffer[PREFIX.size : PREFIX.size + length])
    del buffer[: PREFIX.size + length]
    return decode(body)
