"""What the Hub is told of each request, and what is queued because of it."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterable, Sequence
from typing import NamedTuple

from tpllint.errors import RepairableError
from tpllint.serving.reviews import Key, Reviews
from tpllint.webhook import MAX_PAYLOAD, Ignored, Proposed, parse


class Answer(NamedTuple):
    """A status of HTTP, and a sentence; it may quote a stranger."""

    status: int
    said: str


async def answer(given: str | None, body: AsyncIterable[bytes], secret: str, reviews: Reviews) -> Answer:
    """Take up a request that came with this secret, without which nothing of the body is read.

    The body raises ConnectionError where its sender is gone.
    """
    refused = _refusal(given, secret)
    if refused is not None:
        return refused
    try:
        payload = await _read(body)
    except ConnectionError:
        return Answer(400, "the sender hung up before the end")
    return Answer(413, "the payload is too long") if payload is None else _taken_up(payload, reviews)


def _refusal(given: str | None, secret: str) -> Answer | None:
    """Why a request is turned away whose secret is this; None for the right one. It takes the same time for any other."""
    if given is None:
        return Answer(401, "refused: there is no secret")
    if not hmac.compare_digest(given.encode("latin-1", "replace"), secret.encode("utf-8", "surrogateescape")):
        return Answer(403, "refused: the secret is another one")
    return None


async def _read(body: AsyncIterable[bytes]) -> bytes | None:
    """All of it, None where it is too long."""
    read = bytearray()
    async for part in body:
        read += part
        if len(read) > MAX_PAYLOAD:
            return None
    return bytes(read)


def _taken_up(payload: bytes, reviews: Reviews) -> Answer:
    try:
        told = parse(payload.decode("utf-8"))
    except UnicodeDecodeError:
        return Answer(400, "the payload is not UTF-8")
    except RepairableError as error:
        return Answer(400, error.message)
    return Answer(200, f"ignored: {told.reason}") if isinstance(told, Ignored) else _queued(told, reviews)


def _queued(told: Proposed, reviews: Reviews) -> Answer:
    keys = [(told.repository, number) for number in told.numbers]
    left = reviews.offer(keys)
    taken = [key for key in keys if key not in left]
    queued = f"queued: {told.repository} {_numbers(taken)}"
    if not left:
        return Answer(202, queued)
    full = f"the queue is full: {told.repository} {_numbers(left)}"
    return Answer(503, f"{full}; {queued}" if taken else full)


def _numbers(keys: Sequence[Key]) -> str:
    return ", ".join(str(number) for _, number in keys)
