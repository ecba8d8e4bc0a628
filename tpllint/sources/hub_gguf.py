"""GGUF files on the Hub: the head of one is read by ranges, or from the cache where the whole file is in it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import PurePosixPath
from urllib.parse import quote

from tpllint.sources.files import ModelFiles
from tpllint.sources.gguf import Closeable, Metadata, read_metadata
from tpllint.sources.gguf_files import gguf_file, with_gguf
from tpllint.sources.hub_cache import snapshot
from tpllint.sources.hub_client import endpoint, headers, load_client, session
from tpllint.sources.hub_failures import failure
from tpllint.sources.hub_listing import Listing
from tpllint.sources.hub_target import HubTarget

Read = Callable[[str], Metadata]
"""Reads the head of the file at a path in the repository."""


def read_from_hub(target: HubTarget, commit: str, token: str | None) -> Read:
    """A way to read heads, for which the Hub is asked where the cache has not the file. Raises RepairableError."""

    def read(path: str) -> Metadata:
        if _cached(target, commit, path) is not None:
            return read_from_cache(target, commit)(path)
        load_client(target)
        from tpllint.sources.hub_watch import side_by_side

        (metadata,) = side_by_side(target, [lambda: _head(_ranged(target, commit, path, token))])
        return metadata

    return read


def read_from_cache(target: HubTarget, commit: str) -> Read:
    """A way to read heads of files that the cache has. Raises RepairableError for any other."""

    def read(path: str) -> Metadata:
        file = _cached(target, commit, path)
        if file is None:
            raise failure("not-cached", target)
        return _head(file)

    return read


def named_file(argument: str, target: HubTarget, listing: Listing, read: Read) -> ModelFiles:
    """The GGUF file that the user pointed at. Raises RepairableError where there is none, or it has no template by design."""
    path = str(PurePosixPath(target.file or ""))
    if listing.is_whole and path not in listing.sizes:
        raise failure("no-such-file", target)
    return gguf_file(argument, _shown(target, listing.commit, path), read(path))._replace(listing=(path,))


def with_templates(model: ModelFiles, target: HubTarget, listing: Listing, read: Read) -> ModelFiles:
    """The same model; where its only templates can be in GGUF files, by the first of them."""
    return with_gguf(model, listing.sizes, partial(_shown, target, listing.commit), read)


def _head(file: Closeable) -> Metadata:
    with closing(file):
        return read_metadata(file)


def _cached(target: HubTarget, commit: str, path: str) -> Closeable | None:
    place = snapshot(target, commit) / path
    return place.open("rb") if place.is_file() else None


def _ranged(target: HubTarget, commit: str, path: str, token: str | None) -> Closeable:
    from tpllint.sources.hub_ranges import RangedFile

    url = f"{endpoint(target)}/{target.repository}/resolve/{commit}/{quote(path)}"
    return RangedFile(session(target), target, url, headers(target, token))


def _shown(target: HubTarget, commit: str, path: str) -> str:
    return f"{target.repository}@{commit}:{path}"
