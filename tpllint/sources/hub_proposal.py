"""How the Hub is asked to make a commit of some small files, and a pull request of it.

`HfApi.create_commit` takes a commit that changes nothing for a success, and leaves ignored files out in silence.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from tpllint.sources.hub_failures import failure
from tpllint.sources.hub_requests import Asking

Changes = Sequence[tuple[str, bytes | None]]
"""The new contents of files by their paths, None for one that is deleted."""

_NUMBER_IN_URL = re.compile(r"/discussions/([0-9]{1,9})(?:[/?#]|$)")
_SAMPLE = 512
"""From so many bytes the Hub tells text from other things."""


def open_pull_request(asking: Asking, branch: str, base: str, changes: Changes, title: str, description: str) -> int:
    """Commit the changes to the commit `base`, as a pull request for a branch; its number."""
    lines = [_head(title, description, base), *(_line(path, data) for path, data in changes)]
    path = f"models/{asking.target.repository}/commit/{quote(branch, safe='')}"
    match asking.post_lines(path, {"create_pr": "1"}, lines):
        case {"pullRequestUrl": str(url)} if named := _NUMBER_IN_URL.search(url):
            return int(named[1])
    raise failure("malformed-hub-answer", asking.target)


def require_writable(asking: Asking, base: str, changes: Changes) -> None:
    """Ask how the Hub would take the files. Raises RepairableError where it would not, or has them already."""
    added = {path: data for path, data in changes if data is not None}
    if not added:
        return
    files = [{"path": path, "sample": _encoded(data[:_SAMPLE]), "size": len(data)} for path, data in added.items()]
    told = asking.post(f"models/{asking.target.repository}/preupload/{base}?create_pr=1", {"files": files})
    modes = dict(_modes(told))
    for path in added:
        if modes.get(path, ("", ""))[0] != "regular":
            raise failure("unwritable-file", asking.target, path)
    if len(added) == len(changes) and all(modes[path][1] == _blob_id(data) for path, data in added.items()):
        raise failure("nothing-to-propose", asking.target)


def _modes(told: Any) -> Iterator[tuple[str, tuple[str, str]]]:
    """By path how a file is to be sent, and the name of the content that is there."""
    for file in told.get("files") or () if isinstance(told, dict) else ():
        match file:
            case {"path": str(path), "uploadMode": str(mode), "shouldIgnore": bool(ignored)}:
                yield path, ("ignored" if ignored else mode, str(file.get("oid")))


def _head(title: str, description: str, base: str) -> Mapping[str, Any]:
    return {"key": "header", "value": {"summary": title, "description": description, "parentCommit": base}}


def _line(path: str, data: bytes | None) -> Mapping[str, Any]:
    if data is None:
        return {"key": "deletedFile", "value": {"path": path}}
    return {"key": "file", "value": {"content": _encoded(data), "path": path, "encoding": "base64"}}


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _blob_id(data: bytes) -> str:
    """The name that git gives to a content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
