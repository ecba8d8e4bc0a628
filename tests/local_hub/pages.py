"""What the Hub's API tells about a repository, as JSON."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.local_hub.connection import Answer
from tests.local_hub.discussions import Discussion
from tests.local_hub.refusals import RefusedError, as_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass
class Repository:
    """Commits with their files and with those they were made from, the refs that point to them, and what is discussed."""

    name: str
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    gated: bool = False
    private_token: str | None = None
    disabled: bool = False
    parents: dict[str, str | None] = field(default_factory=dict)
    discussions: dict[int, Discussion] = field(default_factory=dict)

    def commit(self, files: Mapping[str, bytes], parent: str | None) -> str:
        """Keep a commit; its name follows from its files alone, and it keeps the parent that it was first given."""
        name = hashlib.sha1(repr((self.name, sorted(files.items()))).encode()).hexdigest()
        self.commits[name] = dict(files)
        self.parents.setdefault(name, parent)
        return name

    def history(self, commit: str) -> Iterator[str]:
        """A commit and those it was made from, the newest first."""
        following: str | None = commit
        while following is not None:
            yield following
            following = self.parents.get(following)

    def next_number(self) -> int:
        """The number of the discussion that is opened next; pull requests are numbered with the others."""
        proposed = (int(ref.removeprefix("refs/pr/")) for ref in self.refs if ref.startswith("refs/pr/"))
        return max((0, *self.discussions, *proposed)) + 1


def info(model: Repository, commit: str, sizes: bool) -> Answer:
    """What `/api/models/...` tells."""
    files = model.commits[commit].items()
    siblings = [{"rfilename": name} | ({"size": len(data)} if sizes else {}) for name, data in files]
    gated, private = "manual" if model.gated else False, model.private_token is not None
    told = {"id": model.name, "sha": commit, "siblings": siblings, "tags": [], "gated": gated, "private": private}
    return as_json(told)


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
    return as_json(list(entries.values()))


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
    return as_json({**told, "converts": []})


def blob_id(data: bytes) -> str:
    """The name that git gives to a content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def history(model: Repository, commit: str, url: str, page: int, limit: int) -> Answer:
    """What `/commits/...` tells: a page of them, and by the Link header where the next one is."""
    commits = list(model.history(commit))
    begin, end = page * limit, (page + 1) * limit
    told = [
        {"id": name, "title": "A commit", "message": "", "authors": [{"user": "somebody"}], "date": "2026-01-01T00:00:00.000Z"}
        for name in commits[begin:end]
    ]
    answer = as_json(told)
    more = {"Link": f'<{url}?p={page + 1}&limit={limit}>; rel="next"'} if end < len(commits) else {}
    return Answer(200, answer.body, {**answer.headers, **more, "X-Total-Count": str(len(commits))})
