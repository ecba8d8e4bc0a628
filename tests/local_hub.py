"""A Hugging Face Hub on this machine: a real HTTP server that speaks what its clients use of the Hub's protocol."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

LARGE = 1_000_000
"""Files of at least this size are answered with a redirect to another host, as the Hub does for large file storage."""

DISABLED = "Access to this resource is disabled."
REJECTED_TOKEN = "Invalid credentials in Authorization header"
HANG_UP = 0

_REPOSITORY = r"(?P<repository>[^/]+(?:/[^/]+)?)"
_INFO = re.compile(rf"/api/models/{_REPOSITORY}(?:/revision/(?P<revision>[^/]+))?")
_TREE = re.compile(rf"/api/models/{_REPOSITORY}/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?")
_REFS = re.compile(rf"/api/models/{_REPOSITORY}/refs")
_RESOLVE = re.compile(rf"/{_REPOSITORY}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
_STORED = re.compile(r"/stored/(?P<digest>[0-9a-f]{64})")


@dataclass
class _Repository:
    name: str
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    gated: bool = False
    private_token: str | None = None
    disabled: bool = False


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    tells_length: bool = True


class _RefusedError(Exception):
    """The answer to a request that the Hub refuses; `code` goes by the name of X-Error-Code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
        self.answer = _Answer(status, json.dumps({"error": message}).encode(), headers)


class LocalHub:
    """Serves what `add` was given, on `url`, inside a `with` block; `requests` lists what was asked for, in order.

    `tells_sizes` and `tells_commit` are what a careless mirror leaves out: the sizes of files, in listings and with the
    files themselves, and X-Repo-Commit.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.tokens: list[str | None] = []
        self.tells_sizes = True
        self.tells_commit = True
        self._repositories: dict[str, _Repository] = {}
        self._failure: _Answer | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("_BoundHandler", (_Handler,), {"hub": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> LocalHub:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(
        self,
        repository: str,
        files: Mapping[str, bytes],
        revision: str = "main",
        *,
        gated: bool = False,
        private_token: str | None = None,
        disabled: bool = False,
    ) -> str:
        """Put a commit with these files at the tip of a revision; with `private_token` only that token opens it."""
        model = self._repositories.setdefault(repository, _Repository(repository))
        commit = hashlib.sha1(repr((repository, sorted(files.items()))).encode()).hexdigest()
        model.commits[commit] = dict(files)
        model.refs[revision] = commit
        model.gated, model.private_token, model.disabled = gated, private_token, disabled
        return commit

    def fail_with(self, status: int | None, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Answer every request like this from now on; HANG_UP closes the connection, None ends the failing."""
        self._failure = None if status is None else _Answer(status, body, headers or {})

    def answer(self, method: str, target: str, token: str | None) -> _Answer:
        self.requests.append((method, target))
        self.tokens.append(token)
        if self._failure is not None:
            return self._failure
        try:
            return self._route(target, token)
        except _RefusedError as refusal:
            return refusal.answer

    def _route(self, target: str, token: str | None) -> _Answer:
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if match := _STORED.fullmatch(path):
            return self._stored(match["digest"])
        for form in (_RESOLVE, _TREE, _REFS, _INFO):
            if match := form.fullmatch(path):
                break
        else:
            raise _RefusedError(404, "", "Sorry, we can't find the page you are looking for.")
        named = {name: unquote(text) for name, text in match.groupdict().items() if text is not None}
        model = self._model(named["repository"], token)
        if form is _REFS:
            return _refs(model)
        commit = _commit(model, named.get("revision", "main"))
        if form is _RESOLVE:
            return self._resolve(model, commit, named["path"], token)
        if form is _TREE:
            return _tree(model.commits[commit], named.get("folder"), "true" in query.get("recursive", []))
        return self._info(model, commit, sizes=self.tells_sizes and "blobs" in query)

    def _model(self, name: str, token: str | None) -> _Repository:
        model = self._repositories.get(name)
        if model is None or model.private_token not in (None, token):
            status = 404 if token else 401
            raise _RefusedError(status, "RepoNotFound", "Repository not found" if token else "Invalid username or password.")
        if model.disabled:
            raise _RefusedError(403, "", DISABLED)
        return model

    def _info(self, model: _Repository, commit: str, sizes: bool) -> _Answer:
        files = model.commits[commit].items()
        siblings = [{"rfilename": name} | ({"size": len(data)} if sizes else {}) for name, data in files]
        gated, private = "manual" if model.gated else False, model.private_token is not None
        told = {"id": model.name, "sha": commit, "siblings": siblings, "tags": [], "gated": gated, "private": private}
        return _json(told)

    def _resolve(self, model: _Repository, commit: str, path: str, token: str | None) -> _Answer:
        if model.gated and (token is None or token != model.private_token):
            raise _RefusedError(403 if token else 401, "GatedRepo", f"Access to model {model.name} is restricted.")
        data = model.commits[commit].get(path)
        if data is None:
            raise _RefusedError(404, "EntryNotFound", "Entry not found")
        headers = {"X-Repo-Commit": commit} if self.tells_commit else {}
        if len(data) < LARGE:
            return _Answer(200, data, headers | {"ETag": f'"{_blob_id(data)}"'}, self.tells_sizes)
        digest = hashlib.sha256(data).hexdigest()
        # Another name of this machine is another host to a client, which must not send its token there.
        location = f"http://localhost:{self._server.server_port}/stored/{digest}"
        size = {"X-Linked-Size": str(len(data))} if self.tells_sizes else {}
        return _Answer(302, b"", headers | size | {"X-Linked-Etag": f'"{digest}"', "Location": location})

    def _stored(self, digest: str) -> _Answer:
        for model in self._repositories.values():
            for data in (data for files in model.commits.values() for data in files.values()):
                if len(data) >= LARGE and hashlib.sha256(data).hexdigest() == digest:
                    return _Answer(200, data, {"ETag": f'"{digest}"'}, self.tells_sizes)
        raise _RefusedError(404, "", "NoSuchKey")


class _Handler(BaseHTTPRequestHandler):
    hub: LocalHub
    protocol_version = "HTTP/1.1"
    # Headers and body leave in one write: two would wait 40 ms for the client's delayed acknowledgement.
    wbufsize = -1

    def do_GET(self) -> None:
        authorization = self.headers.get("Authorization")
        token = authorization.removeprefix("Bearer ") if authorization else None
        answer = self.hub.answer(self.command, self.path, token)
        if answer.status == HANG_UP:
            self.close_connection = True
            return
        self.send_response(answer.status)
        length = {"Content-Length": str(len(answer.body))} if answer.tells_length else {"Connection": "close"}
        for name, text in {**length, **answer.headers}.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the requests are in `LocalHub.requests`."""


def _commit(model: _Repository, revision: str) -> str:
    commit = model.refs.get(revision, revision)
    if commit not in model.commits:
        raise _RefusedError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
    return commit


def _tree(files: Mapping[str, bytes], folder: str | None, recursive: bool) -> _Answer:
    prefix = f"{folder}/" if folder else ""
    entries: dict[str, dict[str, object]] = {}
    for path, data in files.items():
        below, _, deeper = path.removeprefix(prefix).partition("/")
        if not path.startswith(prefix):
            continue
        if deeper:
            entries[prefix + below] = {"type": "directory", "path": prefix + below, "size": 0, "oid": _blob_id(b"")}
        if recursive or not deeper:
            entries[path] = {"type": "file", "path": path, "size": len(data), "oid": _blob_id(data)}
    if folder and not entries:
        raise _RefusedError(404, "EntryNotFound", f"{folder} does not exist")
    return _json(list(entries.values()))


def _refs(model: _Repository) -> _Answer:
    def entries(prefix: str) -> list[dict[str, str]]:
        found = ((ref if "/" in ref else f"refs/heads/{ref}", commit) for ref, commit in model.refs.items())
        return [
            {"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": commit}
            for ref, commit in found
            if ref.startswith(prefix)
        ]

    told = {"branches": entries("refs/heads/"), "tags": entries("refs/tags/"), "pullRequests": entries("refs/pr/")}
    return _json({**told, "converts": []})


def _blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _json(told: object) -> _Answer:
    return _Answer(200, json.dumps(told).encode(), {"Content-Type": "application/json"})
