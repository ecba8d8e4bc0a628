"""One request to the API of the Hub: JSON goes there and comes back, and of an answer only so many bytes are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tpllint.sources.hub_client import endpoint, session
from tpllint.sources.hub_failures import failure, refusal
from tpllint.sources.hub_target import HubTarget

if TYPE_CHECKING:
    from httpx2 import Response

GOOD = (200, 201)


class Asking(NamedTuple):
    """About which target is asked, who asks, and how many bytes the answer may have."""

    target: HubTarget
    headers: Mapping[str, str]
    max_bytes: int

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """What an address below `/api/` tells."""
        return self.page(path, query).told

    def page(self, path: str, query: Mapping[str, str] | None = None) -> Page:
        """The same, and whether the server says that there is more."""
        return self._sent("GET", path, query, None, {})

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """What is answered to a request that changes something. It is never sent twice."""
        return self._sent("POST", path, None, json.dumps(body).encode(), {"content-type": "application/json"}).told

    def post_lines(self, path: str, query: Mapping[str, str], lines: list[Mapping[str, Any]]) -> Any:
        """The same, for a request that has one JSON text on each line."""
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        return self._sent("POST", path, query, body, {"content-type": "application/x-ndjson"}).told

    def _sent(
        self, method: str, path: str, query: Mapping[str, str] | None, body: bytes | None, about: Mapping[str, str]
    ) -> Page:
        url, headers = f"{endpoint(self.target)}/api/{path}", {**self.headers, **about}
        with session(self.target).stream(method, url, headers=headers, params=query, content=body) as response:
            if response.status_code not in GOOD:
                raise refusal(response, self.target)
            return Page(_parsed(self.target, self._body(response)), "next" in response.links)

    def _body(self, response: Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > self.max_bytes:
                raise failure("malformed-hub-answer", self.target)
        return bytes(body)


class Page(NamedTuple):
    """What was told, as JSON."""

    told: Any
    has_next: bool


def _parsed(target: HubTarget, body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise failure("malformed-hub-answer", target) from error
