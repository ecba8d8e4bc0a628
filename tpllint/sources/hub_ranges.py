"""The beginning of a large file on the Hub, by HTTP ranges: a few megabytes in growing blocks, never the weights behind them.

The requests go through the client that it is given, and redirects are followed here: the Hub sends large files from another
host, which must not see the token.
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from tpllint.sources.gguf import MAX_HEADER_BYTES
from tpllint.sources.hub_failures import failure, refusal
from tpllint.sources.hub_target import HubTarget

if TYPE_CHECKING:
    from httpx2 import Client, Response

FIRST_BLOCK = 1_000_000
LARGEST_BLOCK = 8_000_000
MAX_REDIRECTS = 5
SECONDS_TO_WAIT = 10
SECONDS_IN_ALL = 120

_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/(?:([0-9]{1,18})|\*)")
_REDIRECTS = (301, 302, 303, 307, 308)
_FOR_EVERYBODY = ("user-agent",)
"""The headers that another host is told."""


class RangedFile:
    """A file on the Hub, read from its beginning; no more of it is asked for than a header may have.

    Raises RepairableError, and what the client raises.
    """

    def __init__(self, client: Client, target: HubTarget, url: str, headers: Mapping[str, str]) -> None:
        self._client = client
        self._target = target
        self._url = url
        self._headers = dict(headers)
        self._deadline = time.monotonic() + SECONDS_IN_ALL
        self._arrived = 0
        self._chunks = self._received()
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most so many; none at the end."""
        self._rest = self._rest or next(self._chunks, b"")
        part, self._rest = self._rest[:size], self._rest[size:]
        return part

    def close(self) -> None:
        """Cut off what is still coming."""
        self._chunks.close()

    def _received(self) -> Generator[bytes]:
        """What arrives, never empty, in order."""
        start, size, end = 0, FIRST_BLOCK, MAX_HEADER_BYTES
        while start < end:
            last = min(start + size, end) - 1
            with self._answer(start, last) as response:
                if response.status_code == 416:  # there is nothing
                    return
                if response.status_code == 200 and not start:  # this server knows no ranges and sends it all
                    yield from self._in_time(response)
                    return
                stop, total = self._promised(response, start, last)
                yield from self._whole(response, stop - start)
            start, end, size = stop, min(end, total), min(2 * size, LARGEST_BLOCK)

    @contextmanager
    def _answer(self, first: int, last: int) -> Iterator[Response]:
        """The answer to a request for these bytes, wherever it leads."""
        for _ in range(MAX_REDIRECTS + 1):
            asked = {**self._headers, "range": f"bytes={first}-{last}", "accept-encoding": "identity"}
            with self._client.stream(
                "GET", self._url, headers=asked, timeout=SECONDS_TO_WAIT, follow_redirects=False
            ) as response:
                if response.status_code not in _REDIRECTS:
                    if response.status_code not in (200, 206, 416) or "content-encoding" in response.headers:
                        raise refusal(response, self._target)
                    yield response
                    return
                self._follow(response.headers.get("location", ""))
        raise failure("malformed-hub-answer", self._target)

    def _follow(self, location: str) -> None:
        """Ask there from now on, as a stranger where it is another host; never in the clear what was not before."""
        try:
            there = urljoin(self._url, location)
            old, new = urlsplit(self._url), urlsplit(there)
            same = (old.scheme, old.hostname, old.port) == (new.scheme, new.hostname, new.port)
        except ValueError:
            raise failure("malformed-hub-answer", self._target) from None
        if new.scheme not in ("https", old.scheme) or not new.hostname:
            raise failure("malformed-hub-answer", self._target)
        if not same:
            self._headers = {name: text for name, text in self._headers.items() if name.lower() in _FOR_EVERYBODY}
        self._url = there

    def _promised(self, response: Response, start: int, last: int) -> tuple[int, int]:
        """Where the block ends and where the file does, which must fit what was asked for."""
        told = _RANGE.fullmatch(response.headers.get("content-range", ""))
        if told is None or int(told[1]) != start or not start <= int(told[2]) <= last:
            raise failure("malformed-hub-answer", self._target)
        return int(told[2]) + 1, int(told[3] or MAX_HEADER_BYTES)

    def _whole(self, response: Response, length: int) -> Iterator[bytes]:
        """A body that has exactly so many bytes."""
        for chunk in self._in_time(response):
            length -= len(chunk)
            if length < 0:
                break
            yield chunk
        if length:
            raise failure("malformed-hub-answer", self._target)

    def _in_time(self, response: Response) -> Iterator[bytes]:
        """A body, while there is time: the timeout of a request is one of each single read."""
        for chunk in response.iter_raw():
            self._arrived += len(chunk)
            if time.monotonic() > self._deadline:
                raise failure("hub-too-slow", self._target, slowest=self._arrived // (SECONDS_IN_ALL * 1000) + 1)
            if chunk:
                yield chunk
