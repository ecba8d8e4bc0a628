"""What a revision of a model on the Hub holds: its commit, the names of its files, and their sizes where they are told."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tpllint.sources.files import JSON_FILES, TEMPLATE, TEMPLATE_FOLDER, TOKENIZER
from tpllint.sources.hub_client import headers
from tpllint.sources.hub_failures import failure
from tpllint.sources.hub_requests import Asking
from tpllint.sources.hub_target import COMMIT, PLAIN_FILE, HubTarget

MAX_LISTED = 1000
"""How many names of one repository are kept."""

_NAMED_TEMPLATE = re.compile(rf"{TEMPLATE_FOLDER}/[A-Za-z0-9_.-]{{1,64}}\.jinja")
_MAX_BYTES = 64_000_000


@dataclass(frozen=True)
class Listing:
    """A commit, and the size of every file in it where it is told; `is_whole` is False where there are more files."""

    commit: str
    sizes: Mapping[str, int | None]
    is_whole: bool = True


def ask(target: HubTarget, token: str | None) -> Listing:
    """One request that tells commit, names and sizes.

    It is not `HfApi.model_info`, which reads a body of any size and stumbles over odd model cards, and not a download,
    which would try for 23 seconds to reach a Hub that is down.
    """
    path = f"models/{target.repository}"
    if target.revision is not None:
        path += f"/revision/{quote(target.revision, safe='')}"
    asking = Asking(target, headers(target, token), _MAX_BYTES)
    listing = _listing(target, asking.get(path, {"blobs": "true"}))
    if target.revision is not None and COMMIT.fullmatch(target.revision) and target.revision != listing.commit:
        raise failure("malformed-hub-answer", target)
    return listing


def wanted(names: Collection[str], more: tuple[str, ...]) -> list[str]:
    """The names that tpllint reads, in a stable order; a name from a server is taken only in exactly these forms."""
    fixed = [name for name in (*JSON_FILES, TEMPLATE, *more) if name in names]
    return fixed + sorted(name for name in names if _NAMED_TEMPLATE.fullmatch(name))


def listing_of(commit: str, told: Iterable[tuple[str, int | None]]) -> Listing:
    """What was told of a commit, without the names that are not plain: first what is read, then what lies highest."""
    sizes = {name: size for name, size in told if PLAIN_FILE.fullmatch(name)}
    read = set(wanted(sizes, (TOKENIZER,)))
    names = sorted(sizes, key=lambda name: (name not in read, name.count("/"), name))
    return Listing(commit, {name: sizes[name] for name in names[:MAX_LISTED]}, len(names) <= MAX_LISTED)


def _listing(target: HubTarget, answer: Any) -> Listing:
    match answer:
        case {"sha": str(commit), "siblings": list(siblings)} if COMMIT.fullmatch(commit):
            return listing_of(commit, _told_sizes(siblings))
    raise failure("malformed-hub-answer", target)


def _told_sizes(siblings: list[Any]) -> Iterator[tuple[str, int | None]]:
    for sibling in siblings:
        match sibling:
            case {"rfilename": str(name), "size": int(size)}:
                yield name, size
            case {"rfilename": str(name)}:
                yield name, None
