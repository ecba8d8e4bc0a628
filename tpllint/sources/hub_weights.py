"""What a model on the Hub consists of, its weights included, before any of it is had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tpllint.sources.files import MODEL_CONFIG, ModelFile
from tpllint.sources.hub import asked, fetch_file
from tpllint.sources.hub_cache import commit_of, remember_commit, snapshot
from tpllint.sources.hub_client import quiet_library
from tpllint.sources.hub_failures import failure, failures_told
from tpllint.sources.hub_target import HubTarget


class Held(NamedTuple):
    """The commit, the sizes of its files where they are told, and its config.json where it has a readable one.

    Offline these are the files that the cache has.
    """

    commit: str
    sizes: Mapping[str, int | None]
    config: bytes | None


def held(target: HubTarget, *, offline: bool, token: str | None) -> Held:
    """Every failure is a RepairableError; also a gated model is told here, by its config.json."""
    with quiet_library(target) as constants, failures_told(target):
        if offline or constants.HF_HUB_OFFLINE:
            return _from_cache(target)
        listing = asked(target, token or None)
        config = fetch_file(HubTarget(target.repository, listing.commit), MODEL_CONFIG, offline=False, token=token)
        remember_commit(target, listing.commit)
    return Held(listing.commit, listing.sizes, config.data if isinstance(config, ModelFile) else None)


def _from_cache(target: HubTarget) -> Held:
    commit = commit_of(target)
    folder = snapshot(target, commit) if commit else None
    if commit is None or folder is None or not folder.is_dir():
        raise failure("not-cached", target)
    sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    config = folder / MODEL_CONFIG
    return Held(commit, sizes, config.read_bytes() if config.is_file() else None)
