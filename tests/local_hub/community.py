"""Who may do what in discussions and pull requests, and what becomes of it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.local_hub.discussions import Discussion, check_title
from tests.local_hub.pages import Repository, blob_id
from tests.local_hub.refusals import RefusedError, as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.local_hub.connection import Answer

PAGE = 50
"""How many discussions are listed at a time."""
LARGE_UPLOAD = 10_000_000
"""Files of at least this size go to large file storage, and are not part of a commit's request."""
CONFLICT = "A commit has happened since. Please refresh and try again."

READ_ONLY = "read"
WRITE = "write"


@dataclass(frozen=True)
class User:
    """Whom a token stands for, and whether it may write."""

    name: str
    role: str = WRITE

    def whoami(self) -> Answer:
        token = {"displayName": "local", "role": self.role}
        told = {"type": "user", "id": blob_id(self.name.encode())[:24], "name": self.name, "fullname": self.name.title()}
        return as_json({**told, "orgs": [], "auth": {"type": "access_token", "accessToken": token}})


def opened(model: Repository, title: str, author: str, text: str, *, base: str | None, status: str = "open") -> Discussion:
    """A new discussion; with `base` a pull request, whose ref is set by whoever knows its commit."""
    number = model.next_number()
    talk = Discussion(model.name, number, check_title(title.strip()), author, status, base)
    talk.comment(author, text)
    model.discussions[number] = talk
    return talk


def found(model: Repository, number: str) -> Discussion:
    """Raises RefusedError where there is none, or none any more."""
    if int(number) not in model.discussions:
        raise RefusedError(404, "", "Discussion not found")
    return model.discussions[int(number)]


def listed(model: Repository, query: Mapping[str, list[str]]) -> Answer:
    """What `/discussions` tells: a page of those that were asked for, the newest first."""
    asked = {name: texts[0] for name, texts in query.items()}
    start = int(asked.get("p", "0")) * PAGE
    fitting = [talk for talk in model.discussions.values() if _fits(talk, asked)][::-1]
    told = [talk.summary() for talk in fitting[start : start + PAGE]]
    return as_json({"discussions": told, "count": len(fitting), "start": start})


def _fits(talk: Discussion, asked: Mapping[str, str]) -> bool:
    kind = "pull_request" if talk.base else "discussion"
    status = "open" if talk.status in ("open", "draft") else "closed"
    return (
        asked.get("type", "all") in ("all", kind)
        and asked.get("status", "all") in ("all", status)
        and asked.get("author", talk.author) == talk.author
    )


def open_one(model: Repository, author: str, body: bytes, url: str) -> Answer:
    """Answer a request for a new discussion or an empty pull request."""
    asked = _object(body)
    proposes = bool(asked.get("pullRequest"))
    title, text = str(asked.get("title", "")), str(asked.get("description", ""))
    talk = opened(model, title, author, text, base="main" if proposes else None, status="draft" if proposes else "open")
    if proposes:
        model.refs[f"refs/pr/{talk.number}"] = model.refs["main"]
    return as_json({"num": talk.number, "pullRequest": proposes, "url": f"{url}/{model.name}/discussions/{talk.number}"})


def change_one(talk: Discussion, author: str, resource: str, body: bytes) -> Answer:
    """Answer a request to comment, to edit a comment, to close or to open again."""
    asked = _object(body)
    match resource.split("/"):
        case ["comment"]:
            return as_json({"newMessage": talk.comment(author, str(asked.get("comment", ""))).as_json()})
        case ["comment", id, "edit"]:
            return as_json({"updatedComment": talk.edit(id, author, str(asked.get("content", ""))).as_json()})
        case ["status"]:
            return as_json({"newStatus": talk.change(author, str(asked["status"])).as_json()})
    raise RefusedError(404, "", "Sorry, we can't find the page you are looking for.")


def preupload(files: Mapping[str, bytes], body: bytes) -> Answer:
    """Tell how each file is to be sent, and what is there of that name."""

    def told(asked: Mapping[str, Any]) -> dict[str, Any]:
        path = str(asked["path"])
        mode = {"uploadMode": "lfs" if asked["size"] >= LARGE_UPLOAD else "regular", "shouldIgnore": False}
        return {"path": path, **mode} | ({"oid": blob_id(files[path])} if path in files else {})

    return as_json({"files": [told(asked) for asked in _object(body)["files"]]})


def commit(model: Repository, revision: str, user: User, body: bytes, url: str, *, create_pr: bool) -> Answer:
    """Make the commit that the lines of a request describe: on the revision, or on a new pull request for it."""
    if not create_pr and user.name != model.name.partition("/")[0]:
        raise RefusedError(403, "", "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request")
    lines = [json.loads(line) for line in body.splitlines()]
    header = lines[0]["value"]
    parent = _parent(model, revision, header.get("parentCommit"), anywhere=create_pr)
    name = model.commit(_changed(model.commits[parent], lines[1:]), parent)
    told = {"success": True, "commitOid": name, "commitUrl": f"{url}/{model.name}/commit/{name}", "hookOutput": ""}
    if not create_pr:
        model.refs[revision] = name
        return as_json(told)
    text = header.get("description") or "This PR was made with an API."
    talk = opened(model, header["summary"], user.name, text, base=revision)
    model.refs[f"refs/pr/{talk.number}"] = name
    return as_json({**told, "pullRequestUrl": f"{url}/{model.name}/discussions/{talk.number}"})


def _parent(model: Repository, revision: str, named: str | None, *, anywhere: bool) -> str:
    """The commit to build on: a pull request may be made from any of the branch, a commit only from its tip."""
    tip = model.refs[revision]
    allowed: Callable[[], Iterator[str]] = (lambda: model.history(tip)) if anywhere else (lambda: iter((tip,)))
    if named is not None and named not in allowed():
        raise RefusedError(412, "", CONFLICT)
    return named or tip


def _changed(files: Mapping[str, bytes], lines: list[dict[str, Any]]) -> dict[str, bytes]:
    changed = dict(files)
    for line in lines:
        path = line["value"]["path"]
        match line["key"]:
            case "file":
                changed[path] = base64.b64decode(line["value"]["content"])
            case "deletedFile" if path in changed:
                del changed[path]
            case "deletedFile":
                raise RefusedError(404, "EntryNotFound", "A file with this name doesn't exist")
            case kind:
                raise RefusedError(400, "", f"This Hub does not take a {kind}")
    return changed


def _object(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except ValueError:
        raise RefusedError(400, "", "Invalid JSON") from None
    if not isinstance(asked, dict):
        raise RefusedError(400, "", "Invalid JSON")
    return asked
