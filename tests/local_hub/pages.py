"""What the Hub's API tells about a repository, as JSON."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.local_hub.connection import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass
class Repository:
    """Commits with their files, and the refs that point to them."""

    name: str
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    gated: bool = False
    private_token: str | None = None
    disabled: bool = False


class RefusedError(Exception):
    """The answer to a request that the Hub refuses; `code` goes by the name of X-Error-Code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
        self.answer = Answer(status, json.dumps({"error": message}).encode(), headers)


def info(model: Repository, commit: str, sizes: bool) -> Answer:
    """What `/api/models/...` tells."""
    files = model.commits[commit].items()
    siblings = [{"rfilename": name} | ({"size": len(data)} if sizes else {}) for name, data in files]
    gated, private = "manual" if model.gated else False, model.private_token is not None
    told = {"id": model.name, "sha": commit, "siblings": siblings, "tags": [], "gated": gated, "private": private}
    return _json(told)


def tree(files: Mapping[str, bytes], folder: str | None, recursive: bool) -> Answer:
    """What `/tree/...` tells of a folder."""
    prefix = f"{folder}/" if folder else ""
    entries: dict[str, dict[str, object]] = {}
    for path, data in files.items():
        below, _, deeper = path.removeprefix(prefix).partition("/")
        if not path.startswith(prefix):
            continue
        if deeper:
            entries[prefix + below] = {"type": "directory", "path": prefix + below, "size": 0, "oid": blob_id(b"")}
        if recursive or not deeper:
            entries[path] = {"type": "file", "path": path, "size": len(data), "oid": blob_id(data)}
    if folder and not entries:
        raise RefusedError(404, "EntryNotFound", f"{folder} does not exist")
    return _json(list(entries.values()))


def refs(model: Repository) -> Answer:
    """What `/refs` tells: branches, tags and pull requests."""

    def entries(prefix: str) -> list[dict[str, str]]:
        found = ((ref if "/" in ref else f"refs/heads/{ref}", commit) for ref, commit in model.refs.items())
        return [
            {"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": commit}
            for ref, commit in found
            if ref.startswith(prefix)
        ]

    told = {"branches": entries("refs/heads/"), "tags": entries("refs/tags/"), "pullRequests": entries("refs/pr/")}
    return _json({**told, "converts": []})


def blob_id(data: bytes) -> str:
    """The name that git gives to a content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _json(told: object) -> Answer:
    return Answer(200, json.dumps(told).encode(), {"Content-Type": "application/json"})
