"""A server for the webhooks of the Hub: events in, reviews of pull requests out, one after the other.

It answers at once. `answers` decides on each request, `reviews` holds the queue and runs each review as a process of its
own, and `listening` is the one that speaks HTTP.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterable, Iterator
from typing import NamedTuple

from tpllint.report.escape import escape
from tpllint.serving.answers import Answer, answer
from tpllint.serving.listening import listening
from tpllint.serving.reviews import Log, Reviews

_LONGEST_LINE = 400


class Wanted(NamedTuple):
    """How the server is to be: where it listens, how many pull requests may wait, and whether reviews are posted."""

    host: str
    port: int
    queue: int
    comment: bool


@contextlib.contextmanager
def served(wanted: Wanted, secret: str, log: Log) -> Iterator[None]:
    """Serve until the block ends; `log` never raises. Raises RepairableError."""

    def told(line: str) -> str:
        """Log a line that may quote strangers, and return it as it is logged."""
        shown = escape(line, _LONGEST_LINE)
        log(shown)
        return shown

    async def receive(given: str | None, body: AsyncIterable[bytes]) -> Answer:
        status, said = await answer(given, body, secret, reviews)
        return Answer(status, told(said))

    reviews = Reviews(wanted.queue, ["--exit-zero", *(["--comment"] if wanted.comment else [])], told)
    with listening(wanted.host, wanted.port, receive) as url, reviews:
        told(f"listening: POST {url}")
        yield
