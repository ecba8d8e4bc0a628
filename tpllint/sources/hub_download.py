"""One small file of a model on the Hub, by commit, through the ordinary cache of huggingface_hub."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from tpllint.sources.files import max_bytes
from tpllint.sources.hub_client import endpoint, headers, identity, load_download, session
from tpllint.sources.hub_failures import failure, refusal
from tpllint.sources.hub_target import HubTarget


class TooLargeError(Exception):
    """More bytes arrive than a file of this name may have."""


class _Meter:
    """Stands where huggingface_hub shows its progress bar: shows nothing, and ends a download that grows too large."""

    limit = 0

    def __init__(self, *, total: int | None = None, **_: object) -> None:
        self._left = self.limit
        if total is not None and total > self.limit:
            raise TooLargeError

    def __enter__(self) -> _Meter:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, received: float | None = 1) -> None:
        self._left -= int(received or 0)
        if self._left < 0:
            raise TooLargeError


def downloads(target: HubTarget, commit: str, paths: Sequence[str], token: str | None) -> list[Callable[[], Path | None]]:
    """A task for each file, which brings its place in the cache, or None where it is too large."""
    return [partial(_download, target, commit, path, token) for path in paths]


def content(target: HubTarget, commit: str, path: str, token: str | None) -> bytes | None:
    """What a file holds, by one request and past the cache; None where it is too large."""
    url = f"{endpoint(target)}/{target.repository}/resolve/{commit}/{quote(path)}"
    limit, body = max_bytes(PurePosixPath(path).name), bytearray()
    with session(target).stream("GET", url, headers=headers(target, token)) as response:
        if response.status_code != 200:
            raise refusal(response, target)
        if response.history == [] and response.headers.get("X-Repo-Commit", commit) != commit:
            raise failure("malformed-hub-answer", target)
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > limit:
                return None
    return bytes(body)


def _download(target: HubTarget, commit: str, path: str, token: str | None) -> Path | None:
    session(target)  # a failed download of somebody else may have closed the watched one
    meter: Any = type("_LimitedMeter", (_Meter,), {"limit": max_bytes(PurePosixPath(path).name)})
    try:
        found = load_download(target)(target.repository, path, revision=commit, token=token, tqdm_class=meter, **identity())
    except TooLargeError:
        return None
    # The server names the commit again with each file, and the cache believes it.
    if commit not in Path(found).parts:
        raise failure("malformed-hub-answer", target)
    return Path(found)
