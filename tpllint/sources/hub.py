"""The door to models on the Hugging Face Hub: the only module of the package that opens a socket.

huggingface_hub is imported inside functions: it is heavy, and most runs never leave the disk.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import re
import time
import warnings
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tpllint.sources.files import JSON_FILES, TEMPLATE, TEMPLATE_FOLDER, ModelFile, ModelFiles, UnreadFile, max_bytes
from tpllint.sources.gguf import Closeable, Metadata, read_metadata
from tpllint.sources.gguf_files import with_gguf
from tpllint.sources.hub_failures import (
    failure,
    failures_told,
    kind_of_refusal,
    transport_package,
)
from tpllint.sources.hub_ranges import RangedFile
from tpllint.sources.hub_target import DEFAULT_REVISION, HubTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from httpx2 import Client, Response

_COMMIT = re.compile(r"[0-9a-f]{40}")
_NAMED_TEMPLATE = re.compile(rf"{TEMPLATE_FOLDER}/[A-Za-z0-9_.-]{{1,64}}\.jinja")
_GGUF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,150}(?:/[A-Za-z0-9_][A-Za-z0-9._+-]{0,150}){0,3}")
_AUTHORIZATION = re.compile(r"Bearer [!-~]+")

_SECONDS_TO_WAIT = 10
_SECONDS_TO_LIST = 30
_MAX_LISTING_BYTES = 64_000_000
_MAX_FILES = 100


@dataclass(frozen=True)
class _Listing:
    """What the Hub says a revision is: its commit, and the size of every file where it is told."""

    commit: str
    sizes: Mapping[str, int | None]


def fetch(
    argument: str, target: HubTarget, *, offline: bool = False, token: str | None = None, more: tuple[str, ...] = ()
) -> ModelFiles:
    """The few small files of a model that tpllint reads, and those of these names where it has them, all of one commit.

    Every failure is a RepairableError.
    """
    with _quiet_library(target) as constants, failures_told(target):
        _check_name(target)
        if offline or constants.HF_HUB_OFFLINE:
            return _fetch_from_cache(argument, target, more)
        return _fetch_from_hub(argument, target, token or None, more)


def _fetch_from_hub(argument: str, target: HubTarget, token: str | None, more: tuple[str, ...]) -> ModelFiles:
    listing = _list_files(target, token)
    names = _wanted(listing.sizes, more)
    brought = [_download(target, listing, name, token) for name in names[:_MAX_FILES]]
    model = _model_files(argument, target, listing.commit, [*brought, *_beyond(target, listing.commit, names[_MAX_FILES:])])
    model = _with_gguf(model, target, listing.commit, listing.sizes, lambda name: _ranged(target, listing.commit, name, token))
    _remember_revision(target, listing.commit)
    return model


def _fetch_from_cache(argument: str, target: HubTarget, more: tuple[str, ...]) -> ModelFiles:
    commit = _cached_commit(target)
    if commit is None:
        raise failure("not-cached", target)
    snapshot = _cache_folder(target.repository) / "snapshots" / commit
    names, large = _wanted(_cached_names(snapshot, more), more), _cached_gguf(snapshot)
    if not set(names) - set(more) and not large:
        raise failure("not-cached", target)
    brought = [_read(snapshot / name, name, _shown(target, commit, name)) for name in names[:_MAX_FILES]]
    model = _model_files(argument, target, commit, [*brought, *_beyond(target, commit, names[_MAX_FILES:])])
    return _with_gguf(model, target, commit, large, lambda name: (snapshot / name).open("rb"))


def _with_gguf(
    model: ModelFiles, target: HubTarget, commit: str, names: Iterable[str], opened: Callable[[str], Closeable]
) -> ModelFiles:
    """A model whose only templates are in GGUF files, with what the head of one of them holds."""

    def read(name: str) -> Metadata:
        with closing(opened(name)) as file:
            return read_metadata(file)

    named = (name for name in names if _GGUF.fullmatch(name))
    return with_gguf(model, named, partial(_shown, target, commit), read)


def _ranged(target: HubTarget, commit: str, name: str, token: str | None) -> Closeable:
    """A large file, of which only what is read is fetched; from the cache where it is there as a whole."""
    from huggingface_hub import constants

    cached = _cache_folder(target.repository) / "snapshots" / commit / name
    if cached.is_file():
        return cached.open("rb")
    url = f"{constants.ENDPOINT}/{target.repository}/resolve/{commit}/{quote(name)}"
    return RangedFile(_session(target), target, url, _headers(target, token))


def _cached_gguf(snapshot: Path) -> list[str]:
    found = islice((path for form in ("*.gguf", "*/*.gguf") for path in snapshot.glob(form)), _MAX_FILES)
    return [path.relative_to(snapshot).as_posix() for path in found if path.is_file()]


def _beyond(target: HubTarget, commit: str, names: Sequence[str]) -> list[UnreadFile]:
    return [UnreadFile(name, _shown(target, commit, name), f"is beyond the first {_MAX_FILES} files") for name in names]


def _model_files(argument: str, target: HubTarget, commit: str, brought: Sequence[ModelFile | UnreadFile]) -> ModelFiles:
    return ModelFiles(
        target=argument,
        files={file.name: file for file in brought if isinstance(file, ModelFile)},
        origin=target.repository,
        unread=tuple(file for file in brought if isinstance(file, UnreadFile)),
        commit=commit,
    )


def _wanted(names: Collection[str], more: tuple[str, ...]) -> list[str]:
    """The names that tpllint reads, in a stable order; a name from a server is taken only in exactly these forms."""
    fixed = [name for name in (*JSON_FILES, TEMPLATE, *more) if name in names]
    return fixed + sorted(name for name in names if _NAMED_TEMPLATE.fullmatch(name))


def _shown(target: HubTarget, commit: str, name: str) -> str:
    return f"{target.repository}@{commit}:{name}"


def _check_name(target: HubTarget) -> None:
    from huggingface_hub.errors import HFValidationError

    try:
        _library_utils().validate_repo_id(target.repository)
    except HFValidationError as error:
        raise failure("invalid-repository-name", target) from error


def _list_files(target: HubTarget, token: str | None) -> _Listing:
    """One request that tells commit, names and sizes.

    It is not `HfApi.model_info`, which reads a body of any size and stumbles over odd model cards, and not a download,
    which would try for 23 seconds to reach a Hub that is down.
    """
    from huggingface_hub import constants

    url = f"{constants.ENDPOINT}/api/models/{target.repository}"
    if target.revision is not None:
        url += f"/revision/{quote(target.revision, safe='')}"
    listing = _parse_listing(target, _get(target, url, _headers(target, token)))
    if target.revision is not None and _COMMIT.fullmatch(target.revision) and target.revision != listing.commit:
        raise failure("malformed-hub-answer", target)
    return listing


def _get(target: HubTarget, url: str, headers: dict[str, str]) -> bytes:
    parameters = {"blobs": "true"}
    session = _session(target)
    with session.stream("GET", url, headers=headers, params=parameters, timeout=_SECONDS_TO_WAIT) as response:
        if response.status_code != 200:
            raise failure(kind_of_refusal(response), target)
        return _body(target, response)


def _body(target: HubTarget, response: Response) -> bytes:
    """The whole body, within limits of size and of time: the timeout of a request is one of each single read."""
    deadline = time.monotonic() + _SECONDS_TO_LIST
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > _MAX_LISTING_BYTES:
            raise failure("malformed-hub-answer", target)
        if time.monotonic() > deadline:
            raise transport_package().ReadTimeout("the listing takes too long")
    return bytes(body)


def _parse_listing(target: HubTarget, body: bytes) -> _Listing:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise failure("malformed-hub-answer", target) from error
    match answer:
        case {"sha": str(commit), "siblings": list(siblings)} if _COMMIT.fullmatch(commit):
            return _Listing(commit, dict(_told_sizes(siblings)))
    raise failure("malformed-hub-answer", target)


def _told_sizes(siblings: list[Any]) -> Iterator[tuple[str, int | None]]:
    for sibling in siblings:
        match sibling:
            case {"rfilename": str(name), "size": int(size)}:
                yield name, size
            case {"rfilename": str(name)}:
                yield name, None


def _session(target: HubTarget) -> Client:
    from huggingface_hub import get_session

    try:
        return get_session()
    except (ValueError, ImportError) as error:  # a proxy of an unknown scheme; a SOCKS proxy without its package
        raise failure("unusable-proxy", target) from error


def _headers(target: HubTarget, token: str | None) -> dict[str, str]:
    headers: dict[str, str] = _library_utils().build_hf_headers(token=token, **_identity())
    if "authorization" in headers and not _AUTHORIZATION.fullmatch(headers["authorization"]):
        raise failure("rejected-token", target)
    return headers


def _identity() -> dict[str, Any]:
    from tpllint import __version__

    return {"library_name": "tpllint", "library_version": __version__}


def _library_utils() -> Any:
    """huggingface_hub.utils, whose functions are public though its type hints do not export them."""
    return importlib.import_module("huggingface_hub.utils")


class _TooLargeError(Exception):
    """More bytes arrive than a file of this name may have."""


class _Meter:
    """Stands where huggingface_hub shows its progress bar: shows nothing, and ends a download that grows too large."""

    limit = 0

    def __init__(self, *, total: int | None = None, **_: object) -> None:
        self._left = self.limit
        if total is not None and total > self.limit:
            raise _TooLargeError

    def __enter__(self) -> _Meter:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, received: float | None = 1) -> None:
        self._left -= int(received or 0)
        if self._left < 0:
            raise _TooLargeError


def _meter(limit: int) -> Any:
    return type("_LimitedMeter", (_Meter,), {"limit": limit})


def _download(target: HubTarget, listing: _Listing, name: str, token: str | None) -> ModelFile | UnreadFile:
    """One file by commit, through the ordinary cache; too large a file is refused before, while and after it comes."""
    from huggingface_hub import hf_hub_download

    limit, size, shown = max_bytes(name), listing.sizes[name], _shown(target, listing.commit, name)
    if size is not None and size > limit:
        return _too_large(name, shown)
    try:
        path = hf_hub_download(
            target.repository,
            name,
            revision=listing.commit,
            token=token,
            etag_timeout=_SECONDS_TO_WAIT,
            tqdm_class=_meter(limit),
            **_identity(),
        )
    except _TooLargeError:
        return _too_large(name, shown)
    # The server names the commit again with each file, and the cache believes it.
    if listing.commit not in Path(path).parts:
        raise failure("malformed-hub-answer", target)
    return _read(Path(path), name, shown)


def _too_large(name: str, shown: str) -> UnreadFile:
    return UnreadFile(name, shown, f"is larger than {max_bytes(name) // 1_000_000} MB")


def _cache_folder(repository: str) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE).expanduser() / repo_folder_name(repo_id=repository, repo_type="model")


def _cached_commit(target: HubTarget) -> str | None:
    revision = target.revision or DEFAULT_REVISION
    if _COMMIT.fullmatch(revision):
        return revision
    ref = _cache_folder(target.repository) / "refs" / revision
    if not ref.is_file():
        return None
    with ref.open("rb") as stream:
        commit = stream.read(64).decode("ascii", "replace").strip()
    return commit if _COMMIT.fullmatch(commit) else None


def _cached_names(snapshot: Path, more: tuple[str, ...]) -> list[str]:
    folder = snapshot / TEMPLATE_FOLDER
    named = [f"{TEMPLATE_FOLDER}/{path.name}" for path in folder.iterdir()] if folder.is_dir() else []
    return [name for name in (*JSON_FILES, TEMPLATE, *more, *named) if (snapshot / name).is_file()]


def _remember_revision(target: HubTarget, commit: str) -> None:
    """Note in the cache which commit the revision is, for a later run that is offline.

    hf_hub_download does so only when it is asked for a branch, and the files are asked for by commit.
    """
    revision = target.revision or DEFAULT_REVISION
    folder = _cache_folder(target.repository)
    if _COMMIT.fullmatch(revision) or not folder.is_dir():
        return
    ref = folder / "refs" / revision
    scratch = ref.with_name(f"{ref.name}.{os.getpid()}.tmp")
    with suppress(OSError):  # the files are here all the same when the cache is read-only
        ref.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(commit, encoding="ascii")
        scratch.replace(ref)


def _read(path: Path, name: str, shown: str) -> ModelFile | UnreadFile:
    limit = max_bytes(name)
    with path.open("rb") as stream:
        data = stream.read(limit + 1)
    return ModelFile(name, shown, data) if len(data) <= limit else _too_large(name, shown)


@contextmanager
def _quiet_library(target: HubTarget) -> Iterator[Any]:
    """While this lasts, huggingface_hub writes nothing to the terminal, sends no telemetry and speaks plain HTTP."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        constants = _load_library(target)
        logger = logging.getLogger("huggingface_hub")
        before = logger.level, constants.HF_HUB_DISABLE_TELEMETRY, constants.HF_HUB_DISABLE_XET
        logger.setLevel(logging.CRITICAL + 1)
        # Telemetry would be a request of its own; the Xet protocol is for weights, and no meter sees its bytes in time.
        constants.HF_HUB_DISABLE_TELEMETRY = constants.HF_HUB_DISABLE_XET = True
        try:
            yield constants
        finally:
            logger.setLevel(before[0])
            constants.HF_HUB_DISABLE_TELEMETRY, constants.HF_HUB_DISABLE_XET = before[1:]


def _load_library(target: HubTarget) -> Any:
    """huggingface_hub.constants, once all that is used of the library is imported: it reads its settings meanwhile."""
    try:
        library: Any = importlib.import_module("huggingface_hub")
        # The package imports its modules when they are first used.
        return library.get_session and library.hf_hub_download and library.constants
    except ModuleNotFoundError as error:
        if error.name != "huggingface_hub":
            raise
        raise failure("no-hub-support", target) from error
    except ValueError as error:
        raise failure("invalid-hub-settings", target) from error
