"""The door to models on the Hugging Face Hub: few and small files, all of one commit, each had only once.

What goes over the network goes through `hub_listing` and `hub_download`, and `hub_watch` keeps its time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import PurePosixPath

from tpllint.sources import hub_gguf
from tpllint.sources.files import (
    JSON_FILES,
    MAX_FILES,
    TEMPLATE,
    TEMPLATE_FOLDER,
    TOKENIZER,
    ModelFile,
    ModelFiles,
    UnreadFile,
    companions,
    is_readable,
    max_bytes,
    root_and_name,
)
from tpllint.sources.gguf_files import is_gguf
from tpllint.sources.hub_cache import commit_of, keep_listing, kept_listing, remember_commit, snapshot
from tpllint.sources.hub_client import check_name, load_client, load_download, quiet_library
from tpllint.sources.hub_download import content, downloads
from tpllint.sources.hub_failures import failure, failures_told
from tpllint.sources.hub_listing import Listing, ask, listing_of, wanted
from tpllint.sources.hub_target import COMMIT, HubTarget


def fetch(
    argument: str,
    target: HubTarget,
    *,
    offline: bool = False,
    token: str | None = None,
    more: tuple[str, ...] = (),
    kept: bool = True,
) -> ModelFiles:
    """The few small files of a model that tpllint reads, and those of these names where it has them, all of one commit.

    Where the target names a file, that file is in focus, and only what tells of its tokens is read beside it. What is not
    `kept` is not put into the cache, and takes one request for each file in place of two. Every failure is a RepairableError.
    """
    if target.file is not None and not (is_readable(target.file) or is_gguf(target.file)):
        raise failure("unknown-kind", target)
    with quiet_library(target) as constants, failures_told(target):
        if offline or constants.HF_HUB_OFFLINE:
            return _from_cache(argument, target, more)
        return _from_hub(argument, target, token or None, more, kept)


def tip(target: HubTarget, *, token: str | None) -> str:
    """The commit that a revision is now. Every failure is a RepairableError."""
    with quiet_library(target), failures_told(target):
        return asked(target, token or None).commit


def fetch_file(target: HubTarget, name: str, *, offline: bool, token: str | None) -> ModelFile | UnreadFile | None:
    """One more small file of a commit that was fetched before; None where it has none."""
    assert target.revision is not None
    with quiet_library(target) as constants, failures_told(target):
        listing = kept_listing(target, target.revision)
        if listing is None or name not in listing.sizes:
            return None
        plan = _Plan(target, listing, (name,))
        missing = plan.missing([name])
        if missing and not (offline or constants.HF_HUB_OFFLINE):
            _download(target, listing.commit, missing, token or None)
        return plan.read(name, "is not in the cache")


def _from_hub(argument: str, target: HubTarget, token: str | None, more: tuple[str, ...], kept: bool) -> ModelFiles:
    known = kept_listing(target, target.revision) if target.revision and COMMIT.fullmatch(target.revision) else None
    listing = known or asked(target, token)
    read = hub_gguf.read_from_hub(target, listing.commit, token)
    if target.file is not None and is_gguf(target.file):
        return hub_gguf.named_file(argument, target, listing, read)._replace(origin=target.repository, commit=listing.commit)
    plan = _Plan(target, listing, more)
    missing = plan.missing(plan.names[:MAX_FILES])
    if missing and kept:
        _download(target, listing.commit, missing, token)
    elif missing:
        plan.received = _received(target, listing.commit, missing, token)
    if kept:
        remember_commit(target, listing.commit)
    return hub_gguf.with_templates(plan.files(argument), target, listing, read)


def asked(target: HubTarget, token: str | None) -> Listing:
    """What a revision holds now, by one request, and kept for later. Raises RepairableError."""
    check_name(target)
    load_client(target)
    from tpllint.sources.hub_watch import side_by_side

    (listing,) = side_by_side(target, [lambda: ask(target, token)])
    keep_listing(target, listing)
    return listing


def _download(target: HubTarget, commit: str, paths: list[str], token: str | None) -> None:
    load_download(target)
    from tpllint.sources.hub_watch import side_by_side

    side_by_side(target, downloads(target, commit, paths, token))


def _received(target: HubTarget, commit: str, paths: list[str], token: str | None) -> Mapping[str, bytes]:
    """The contents of files by their paths, without those that are too large."""
    load_client(target)
    from tpllint.sources.hub_watch import side_by_side

    contents = side_by_side(target, [partial(content, target, commit, path, token) for path in paths])
    return {path: data for path, data in zip(paths, contents, strict=True) if data is not None}


def _from_cache(argument: str, target: HubTarget, more: tuple[str, ...]) -> ModelFiles:
    commit = commit_of(target)
    if commit is None:
        raise failure("not-cached", target)
    kept = kept_listing(target, commit)
    listing, read = kept or _listing_of_cache(target, commit, more), hub_gguf.read_from_cache(target, commit)
    if target.file is not None and is_gguf(target.file):
        return hub_gguf.named_file(argument, target, listing, read)._replace(origin=target.repository, commit=commit)
    plan = _Plan(target, listing, more)
    needed = [name for name in plan.names if name not in more]
    missing = plan.missing(needed)
    has_gguf = any(is_gguf(path) for path in listing.sizes)
    is_empty = len(missing) == len(needed) and (needed or kept is None) and not has_gguf
    if is_empty or (plan.focus and plan.missing([plan.focus])):
        raise failure("not-cached", target)
    files = hub_gguf.with_templates(plan.files(argument, "is not in the cache"), target, listing, read)
    return files if kept else files._replace(listing=())


def _listing_of_cache(target: HubTarget, commit: str, more: tuple[str, ...]) -> Listing:
    """The names of a commit's files that the cache has; the commit may hold others."""
    folder = snapshot(target, commit)
    root = folder / _root(target)
    named = [path.name for path in (root / TEMPLATE_FOLDER).iterdir()] if (root / TEMPLATE_FOLDER).is_dir() else []
    names = [*JSON_FILES, TEMPLATE, *more, *(f"{TEMPLATE_FOLDER}/{name}" for name in named)]
    paths = [(root / name).relative_to(folder).as_posix() for name in names if (root / name).is_file()]
    large = [path.relative_to(folder).as_posix() for path in islice(folder.glob("**/*.gguf"), MAX_FILES)]
    return replace(listing_of(commit, ((path, None) for path in (*paths, *large))), is_whole=False)


def _root(target: HubTarget) -> str:
    """The folder of the model in its repository: that of a file the user pointed at, else the repository's own."""
    return "." if target.file is None else str(root_and_name(PurePosixPath(target.file))[0])


class _Plan:
    """Which files of a commit are read. Raises RepairableError where one that the user pointed at does not exist."""

    def __init__(self, target: HubTarget, listing: Listing, more: tuple[str, ...]) -> None:
        self._target = target
        self._listing = listing
        self._more = more
        self._folder = snapshot(target, listing.commit)
        self._root = PurePosixPath(_root(target))
        self.focus = None if target.file is None else root_and_name(PurePosixPath(target.file))[1]
        self.names = self._names()
        self.received: Mapping[str, bytes] = {}

    def missing(self, names: list[str]) -> list[str]:
        """The paths in the repository of those that the cache does not have, though they are not too large."""
        paths = [self._path(name) for name in names if not self._is_too_large(name)]
        return [path for path in paths if not (self._folder / path).is_file()]

    def files(self, argument: str, absence: str | None = None) -> ModelFiles:
        """What was read from the cache; `absence` is why a file is not there, None if that means that it is too large."""
        read = [self.read(name, absence) for name in self.names[:MAX_FILES]]
        late = [self._unread(name, f"is beyond the first {MAX_FILES} files") for name in self.names[MAX_FILES:]]
        return ModelFiles(
            target=argument,
            files={file.name: file for file in read if isinstance(file, ModelFile)},
            focus=frozenset((self.focus,) if self.focus else ()),
            origin=self._target.repository,
            unread=(*(file for file in read if isinstance(file, UnreadFile)), *late),
            commit=self._listing.commit,
            listing=() if self.focus else tuple(self._listing.sizes),
            later=() if TOKENIZER in self._more or not self._may_have(TOKENIZER) else (TOKENIZER,),
        )

    def _may_have(self, name: str) -> bool:
        return self._path(name) in self._listing.sizes or not self._listing.is_whole

    def _names(self) -> list[str]:
        inside = [PurePosixPath(path) for path in self._listing.sizes if PurePosixPath(path).is_relative_to(self._root)]
        there = {path.relative_to(self._root).as_posix() for path in inside}
        if self.focus is None:
            return wanted(there, self._more)
        if self.focus not in there and self._listing.is_whole:
            raise failure("no-such-file", self._target)
        beside = dict.fromkeys((*companions(self.focus), *self._more))
        return [*(name for name in beside if name in there and name != self.focus), self.focus]

    def _path(self, name: str) -> str:
        return (self._root / name).as_posix()

    def _is_too_large(self, name: str) -> bool:
        return (self._listing.sizes.get(self._path(name)) or 0) > max_bytes(name)

    def read(self, name: str, absence: str | None) -> ModelFile | UnreadFile | None:
        """One file; None for one that was asked for besides and is not in the cache."""
        limit, place = max_bytes(name), self._folder / self._path(name)
        too_large = f"is larger than {limit // 1_000_000} MB"
        if self._is_too_large(name):
            return self._unread(name, too_large)
        if self._path(name) in self.received:
            return ModelFile(name, self._shown(name), self.received[self._path(name)])
        if not place.is_file():
            return None if absence and name in self._more else self._unread(name, absence or too_large)
        with place.open("rb") as stream:
            data = stream.read(limit + 1)
        return ModelFile(name, self._shown(name), data) if len(data) <= limit else self._unread(name, too_large)

    def _unread(self, name: str, reason: str) -> UnreadFile:
        return UnreadFile(name, self._shown(name), reason)

    def _shown(self, name: str) -> str:
        return f"{self._target.repository}@{self._listing.commit}:{self._path(name)}"
