"""What earlier runs left on this machine: the ordinary cache of huggingface_hub, and the listings that tpllint keeps beside it.

Files lie where every client of the Hub looks for them. A commit never changes, so what it holds is asked only once; the answer
is kept in the assets cache, the place that huggingface_hub has for such things.
"""

from __future__ import annotations

import json
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from tpllint.sources.hub_client import library_utils
from tpllint.sources.hub_listing import Listing, listing_of
from tpllint.sources.hub_target import COMMIT, DEFAULT_REVISION, HubTarget

_FORMAT = 1
_MAX_KEPT_BYTES = 1_000_000


def snapshot(target: HubTarget, commit: str) -> Path:
    """The folder in which the files of a commit lie, if any were ever had."""
    return _repository_folder(target) / "snapshots" / commit


def commit_of(target: HubTarget) -> str | None:
    """The commit that a revision was when it was last seen, None where it never was."""
    revision = target.revision or DEFAULT_REVISION
    if COMMIT.fullmatch(revision):
        return revision
    ref = _repository_folder(target) / "refs" / revision
    if not ref.is_file():
        return None
    with ref.open("rb") as stream:
        commit = stream.read(64).decode("ascii", "replace").strip()
    return commit if COMMIT.fullmatch(commit) else None


def remember_commit(target: HubTarget, commit: str) -> None:
    """Note which commit the revision is, for a later run that is offline.

    hf_hub_download does so only when it is asked for a branch, and the files are asked for by commit.
    """
    revision = target.revision or DEFAULT_REVISION
    folder = _repository_folder(target)
    if COMMIT.fullmatch(revision) or not folder.is_dir():
        return
    _write(folder / "refs" / revision, commit)


def kept_listing(target: HubTarget, commit: str) -> Listing | None:
    """What is known of a commit without asking; None where nothing is, or what was kept is not what was written."""
    try:
        with _kept(target, commit).open("rb") as stream:
            kept = json.loads(stream.read(_MAX_KEPT_BYTES + 1))
    except (OSError, ValueError, RecursionError):
        return None
    match kept:
        case {"format": 1, "commit": str(told), "whole": bool(whole), "sizes": dict(sizes)} if told == commit:
            listing = listing_of(commit, ((name, size) for name, size in sizes.items() if _is_size(size)))
            return Listing(commit, listing.sizes, whole) if len(listing.sizes) == len(sizes) else None
    return None


def keep_listing(target: HubTarget, listing: Listing) -> None:
    """Note what a commit holds; where that is impossible, it will be asked again."""
    kept = {"format": _FORMAT, "commit": listing.commit, "whole": listing.is_whole, "sizes": listing.sizes}
    path = _kept(target, listing.commit)
    with suppress(OSError, ValueError):  # ValueError: a file lies where the folder would be
        if not path.exists():
            library_utils().cached_assets_path("tpllint", target.repository, "listings")
            _write(path, json.dumps(kept))


def _is_size(size: Any) -> bool:
    return size is None or isinstance(size, int)


def _kept(target: HubTarget, commit: str) -> Path:
    """Where `cached_assets_path` puts it; asking that function would create the folder."""
    from huggingface_hub import constants

    name = target.repository.replace("/", constants.REPO_ID_SEPARATOR)
    return Path(constants.HF_ASSETS_CACHE).expanduser() / "tpllint" / name / "listings" / f"{commit}.json"


def _repository_folder(target: HubTarget) -> Path:
    from huggingface_hub import constants

    name = constants.REPO_ID_SEPARATOR.join(("models", *target.repository.split("/")))
    return Path(constants.HF_HUB_CACHE).expanduser() / name


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all; a cache that is read-only does not matter."""
    scratch = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            scratch.write_text(text, encoding="ascii")
            os.replace(scratch, path)
        finally:
            scratch.unlink(missing_ok=True)
