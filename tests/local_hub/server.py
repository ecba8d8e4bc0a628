"""The repositories, and what is answered to each request."""

from __future__ import annotations

import hashlib
import re
import threading
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.local_hub.connection import Answer, Asked, Manner, Server
from tests.local_hub.pages import RefusedError, Repository, blob_id, info, refs, tree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

LARGE = 1_000_000
"""Files of at least this size are answered with a redirect to another host, as the Hub does for large file storage."""

DISABLED = "Access to this resource is disabled."
REJECTED_TOKEN = "Invalid credentials in Authorization header"

_REPOSITORY = r"(?P<repository>[^/]+(?:/[^/]+)?)"
_INFO = re.compile(rf"/api/models/{_REPOSITORY}(?:/revision/(?P<revision>[^/]+))?")
_TREE = re.compile(rf"/api/models/{_REPOSITORY}/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?")
_REFS = re.compile(rf"/api/models/{_REPOSITORY}/refs")
_RESOLVE = re.compile(rf"/{_REPOSITORY}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
_STORED = re.compile(r"/stored/(?P<digest>[0-9a-f]{64})")


class LocalHub:
    """Serves what `add` was given, on `url`, inside a `with` block.

    `requests` lists what was asked for, in order, `tokens` and `ranges` with which token and which Range header.
    `tells_sizes`, `tells_commit` and `takes_ranges` are what a careless mirror leaves out: the sizes of files, in listings and
    with the files themselves, X-Repo-Commit, and parts of files.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.tokens: list[str | None] = []
        self.ranges: list[str | None] = []
        self.tells_sizes = self.tells_commit = self.takes_ranges = True
        self._repositories: dict[str, Repository] = {}
        self._moved: dict[str, str] = {}
        self._failures: list[tuple[str, Answer]] = []
        self._manners: list[tuple[str, Manner]] = []
        self._server = Server(self.answer)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        # Another name of this machine is another host to a client, which must not send its token there.
        self.other_url = f"http://localhost:{self._server.server_port}"

    def __enter__(self) -> LocalHub:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.closing.set()
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
        model = self._repositories.setdefault(repository, Repository(repository))
        commit = hashlib.sha1(repr((repository, sorted(files.items()))).encode()).hexdigest()
        model.commits[commit] = dict(files)
        model.refs[revision] = commit
        model.gated, model.private_token, model.disabled = gated, private_token, disabled
        return commit

    def move(self, old: str, new: str) -> None:
        """Redirect requests for a repository to its new name, on the same host."""
        self._moved[old] = new

    def fail_with(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None, *, on: str = "") -> None:
        """From now on, answer like this to requests whose target holds `on`; HANG_UP closes the connection."""
        self._failures.append((on, Answer(status, body, headers or {})))

    def behave(self, manner: Manner, *, on: str = "") -> None:
        """From now on, send answers like this to requests whose target holds `on`."""
        self._manners.append((on, manner))

    def recover(self) -> None:
        """Forget what was asked, and every failure and bad manner."""
        for told in (self.requests, self.tokens, self.ranges, self._failures, self._manners):
            told.clear()
        self.tells_sizes = self.tells_commit = self.takes_ranges = True

    def answer(self, asked: Asked) -> tuple[Answer, Manner]:
        self.requests.append((asked.method, asked.target))
        self.tokens.append(asked.token)
        self.ranges.append(asked.part)
        manner = next((manner for on, manner in self._manners if on in asked.target), Manner())
        failure = next((answer for on, answer in self._failures if on in asked.target), None)
        try:
            return failure or self._route(asked.target, asked.token), manner
        except RefusedError as refusal:
            return refusal.answer, manner

    def _route(self, target: str, token: str | None) -> Answer:
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if match := _STORED.fullmatch(path):
            return self._stored(match["digest"])
        for form in (_RESOLVE, _TREE, _REFS, _INFO):
            if match := form.fullmatch(path):
                break
        else:
            raise RefusedError(404, "", "Sorry, we can't find the page you are looking for.")
        named = {name: unquote(text) for name, text in match.groupdict().items() if text is not None}
        if (old := named["repository"]) in self._moved:
            return Answer(307, b"", {"Location": target.replace(quote(old), quote(self._moved[old]), 1)})
        model = self._model(old, token)
        if form is _REFS:
            return refs(model)
        commit = _commit(model, named.get("revision", "main"))
        if form is _RESOLVE:
            return self._resolve(model, commit, named["path"], token)
        if form is _TREE:
            return tree(model.commits[commit], named.get("folder"), "true" in query.get("recursive", []))
        return info(model, commit, sizes=self.tells_sizes and "blobs" in query)

    def _model(self, name: str, token: str | None) -> Repository:
        model = self._repositories.get(name)
        if model is None or model.private_token not in (None, token):
            status = 404 if token else 401
            raise RefusedError(status, "RepoNotFound", "Repository not found" if token else "Invalid username or password.")
        if model.disabled:
            raise RefusedError(403, "", DISABLED)
        return model

    def _resolve(self, model: Repository, commit: str, path: str, token: str | None) -> Answer:
        if model.gated and (token is None or token != model.private_token):
            raise RefusedError(403 if token else 401, "GatedRepo", f"Access to model {model.name} is restricted.")
        data = model.commits[commit].get(path)
        if data is None:
            raise RefusedError(404, "EntryNotFound", "Entry not found")
        headers = {"X-Repo-Commit": commit} if self.tells_commit else {}
        if len(data) < LARGE:
            return self._file(data, headers | {"ETag": f'"{blob_id(data)}"'})
        digest = hashlib.sha256(data).hexdigest()
        size = {"X-Linked-Size": str(len(data))} if self.tells_sizes else {}
        location = {"X-Linked-Etag": f'"{digest}"', "Location": f"{self.other_url}/stored/{digest}"}
        return Answer(302, b"", headers | size | location)

    def _stored(self, digest: str) -> Answer:
        for model in self._repositories.values():
            for data in (data for files in model.commits.values() for data in files.values()):
                if len(data) >= LARGE and hashlib.sha256(data).hexdigest() == digest:
                    return self._file(data, {"ETag": f'"{digest}"'})
        raise RefusedError(404, "", "NoSuchKey")

    def _file(self, data: bytes, headers: Mapping[str, str]) -> Answer:
        ranges = {"Accept-Ranges": "bytes"} if self.takes_ranges else {}
        return Answer(200, data, {**headers, **ranges}, self.tells_sizes, self.takes_ranges)


def _commit(model: Repository, revision: str) -> str:
    commit = model.refs.get(revision, revision)
    if commit not in model.commits:
        raise RefusedError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
    return commit
