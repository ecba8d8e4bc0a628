"""Messages between the processes survive any cut, and what is no message is refused."""

from __future__ import annotations

import io
from typing import Any

import pytest

from tpllint import wire
from tpllint.wire import WireError

LIMIT = 1_000_000
MESSAGES: list[dict[str, Any]] = [
    {},
    {"text": "plain"},
    {"text": "é 你 😀 \u2028 \x00 \r\n", "key \ud800": "\udfff lone"},
    {"numbers": [0, -1, 1.5, 10**30, 1e308], "rest": [None, True, False, {"a": {"b": []}}]},
    {"long": "x" * 100_000},
]


def framed(body: bytes) -> bytes:
    return wire.PREFIX.pack(len(body)) + body


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_arrives_as_it_was_sent(message: dict[str, Any]) -> None:
    encoded = wire.encode(message)
    assert wire.read(io.BytesIO(encoded), LIMIT) == message
    assert wire.take(bytearray(encoded), LIMIT) == message


def test_messages_arrive_one_by_one_however_they_are_cut() -> None:
    stream = b"".join(map(wire.encode, MESSAGES[:-1]))
    buffer, arrived = bytearray(), []
    for byte in stream:
        buffer.append(byte)
        while (message := wire.take(buffer, LIMIT)) is not None:
            arrived.append(message)
    assert arrived == MESSAGES[:-1]
    assert not buffer


def test_several_messages_in_one_piece_are_all_there() -> None:
    buffer = bytearray(b"".join(map(wire.encode, MESSAGES)))
    assert [wire.take(buffer, LIMIT) for _ in MESSAGES] == MESSAGES
    assert wire.take(buffer, LIMIT) is None


def test_a_stream_of_messages_ends_with_none() -> None:
    stream = io.BytesIO(b"".join(map(wire.encode, MESSAGES)))
    assert [wire.read(stream, LIMIT) for _ in MESSAGES] == MESSAGES
    assert wire.read(stream, LIMIT) is None


@pytest.mark.parametrize("kept", [1, 3, 4, 5, -1])
def test_a_stream_that_breaks_off_inside_a_message_is_an_error(kept: int) -> None:
    with pytest.raises(WireError, match="breaks off"):
        wire.read(io.BytesIO(wire.encode({"a": 1})[:kept]), LIMIT)


def test_a_body_that_breaks_off_is_an_error_although_its_rest_would_be_json() -> None:
    with pytest.raises(WireError, match="breaks off"):
        wire.read(io.BytesIO(wire.PREFIX.pack(9) + b"{}"), LIMIT)


def test_a_message_of_exactly_the_limit_passes_and_a_longer_one_does_not() -> None:
    encoded = wire.encode({"text": "x" * 100})
    length = len(encoded) - wire.PREFIX.size
    assert wire.take(bytearray(encoded), length) == wire.read(io.BytesIO(encoded), length)
    with pytest.raises(WireError, match=f"{length} bytes, over the limit"):
        wire.take(bytearray(encoded), length - 1)
    with pytest.raises(WireError, match=f"{length} bytes, over the limit"):
        wire.read(io.BytesIO(encoded), length - 1)


def test_too_large_a_message_is_refused_before_it_has_arrived() -> None:
    with pytest.raises(WireError):
        wire.take(bytearray(wire.PREFIX.pack(LIMIT + 1)), LIMIT)


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"{", b"[]", b'"text"', b"null", b"1", b'{"a": 1} {}', b'{"a": "\xff"}', b"[" * 100_000, b"9" * 10_000],
    ids=["empty", "text", "open", "list", "string", "null", "number", "two", "not UTF-8", "deep", "long number"],
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(WireError, match="not"):
        wire.read(io.BytesIO(framed(body)), LIMIT)
    with pytest.raises(WireError, match="not"):
        wire.take(bytearray(framed(body)), LIMIT)
