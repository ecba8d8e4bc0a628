"""The repositories, and what is answered to each request."""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.local_hub import community
from tests.local_hub.community import READ_ONLY, WRITE, User
from tests.local_hub.connection import Answer, Asked, Manner, Server
from tests.local_hub.discussions import Discussion, Event
from tests.local_hub.pages import Repository, blob_id, history, info, refs, tree
from tests.local_hub.refusals import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

LARGE = 1_000_000
"""Files of at least this size are answered with a redirect to another host, as the Hub does for large file storage."""

DISABLED = "Access to this resource is disabled."
REJECTED_TOKEN = "Invalid credentials in Authorization header"
NO_LOGIN = "Invalid username or password."
NOT_FOUND = "Sorry, we can't find the page you are looking for."
MAX_COMMITS = 1000
"""How many commits are listed at a time, at most; 50 where nobody asks for more."""

_REPOSITORY = r"(?P<repository>[^/]+(?:/[^/]+)?)"
_INFO = re.compile(rf"/api/models/{_REPOSITORY}(?:/revision/(?P<revision>[^/]+))?")
_TREE = re.compile(rf"/api/models/{_REPOSITORY}/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?")
_REFS = re.compile(rf"/api/models/{_REPOSITORY}/refs")
_COMMITS = re.compile(rf"/api/models/{_REPOSITORY}/commits/(?P<revision>[^/]+)")
_DISCUSSIONS = re.compile(rf"/api/models/{_REPOSITORY}/discussions")
_DISCUSSION = re.compile(rf"/api/models/{_REPOSITORY}/discussions/(?P<number>[0-9]+)")
_CHANGE = re.compile(rf"/api/models/{_REPOSITORY}/discussions/(?P<number>[0-9]+)/(?P<resource>.+)")
_PREUPLOAD = re.compile(rf"/api/models/{_REPOSITORY}/preupload/(?P<revision>[^/]+)")
_COMMIT = re.compile(rf"/api/models/{_REPOSITORY}/commit/(?P<revision>[^/]+)")
_WHOAMI = "/api/whoami-v2"
_RESOLVE = re.compile(rf"/{_REPOSITORY}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
_STORED = re.compile(r"/stored/(?P<digest>[0-9a-f]{64})")

_READ = {"GET": (_RESOLVE, _TREE, _REFS, _COMMITS, _DISCUSSION, _DISCUSSIONS, _INFO)}
_FORMS = {**_READ, "HEAD": _READ["GET"], "POST": (_DISCUSSIONS, _CHANGE, _PREUPLOAD, _COMMIT)}


@dataclass
class _When:
    """Which requests are meant: those whose target holds `on`, by one method or any, some times after the first ones."""

    on: str
    method: str | None
    after: int
    times: int | None

    def meets(self, asked: Asked) -> bool:
        """Whether this request is meant; it is counted."""
        if self.on not in asked.target or self.method not in (None, asked.method):
            return False
        self.after -= 1
        if self.after >= 0 or self.times == 0:
            return False
        self.times = None if self.times is None else self.times - 1
        return True


class LocalHub:
    """Serves what `add` was given, on `url`, inside a `with` block.

    `requests` lists what was asked for, in order, `tokens`, `ranges` and `bodies` with which token, Range header and body.
    As soon as `add_user` was told of a token, a token of nobody is refused everywhere; it never writes.
    `tells_sizes`, `tells_commit` and `takes_ranges` are what a careless mirror leaves out: the sizes of files, in listings and
    with the files themselves, X-Repo-Commit, and parts of files.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.tokens: list[str | None] = []
        self.ranges: list[str | None] = []
        self.bodies: list[bytes] = []
        self.tells_sizes = self.tells_commit = self.takes_ranges = True
        self._repositories: dict[str, Repository] = {}
        self._moved: dict[str, str] = {}
        self._users: dict[str, User] = {}
        self._failures: list[tuple[_When, Answer]] = []
        self._manners: list[tuple[_When, Manner]] = []
        self._answering = threading.Lock()
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
        model.refs[revision] = commit = model.commit(files, model.refs.get(revision, model.refs.get("main")))
        model.gated, model.private_token, model.disabled = gated, private_token, disabled
        return commit

    def add_user(self, token: str, name: str, role: str = WRITE) -> None:
        """Let a token stand for somebody; READ_ONLY is the other role."""
        self._users[token] = User(name, role)

    def open_discussion(self, repository: str, title: str = "A question", author: str = "somebody", text: str = "Why?") -> int:
        """Begin a discussion that proposes nothing."""
        return community.opened(self._repositories[repository], title, author, text, base=None).number

    def open_pull_request(
        self,
        repository: str,
        files: Mapping[str, bytes],
        title: str = "A proposal",
        author: str = "somebody",
        text: str = "Please.",
        *,
        parent: str | None = None,
        base: str = "main",
    ) -> int:
        """Propose these files, all of them, in one commit made from `parent`; from the tip of `base` where none is named."""
        model = self._repositories[repository]
        number = community.opened(model, title, author, text, base=base).number
        model.refs[f"refs/pr/{number}"] = model.commit(files, parent or model.refs[base])
        return number

    def comment(self, repository: str, number: int, author: str | None, text: str) -> Event:
        """Write a comment, as a user of whom no token is known, or who has left."""
        return self.discussion(repository, number).comment(author, text)

    def discussion(self, repository: str, number: int) -> Discussion:
        """What the Hub keeps: what is changed in it is changed for everybody."""
        return self._repositories[repository].discussions[number]

    def files(self, repository: str, revision: str = "main") -> dict[str, bytes]:
        """What a revision holds."""
        model = self._repositories[repository]
        return dict(model.commits[model.refs.get(revision, revision)])

    def merge(self, repository: str, number: int) -> str:
        """Put what a pull request proposes at the tip of its branch."""
        model, talk = self._repositories[repository], self.discussion(repository, number)
        assert talk.base is not None
        proposed = model.commits[model.refs[f"refs/pr/{number}"]]
        model.refs[talk.base] = commit = model.commit(proposed, model.refs[talk.base])
        talk.change("somebody", "merged")
        return commit

    def delete_discussion(self, repository: str, number: int) -> None:
        """Forget a discussion and what it proposes."""
        model = self._repositories[repository]
        del model.discussions[number]
        model.refs.pop(f"refs/pr/{number}", None)

    def move(self, old: str, new: str) -> None:
        """Redirect requests for a repository to its new name, on the same host."""
        self._moved[old] = new

    def fail_with(
        self,
        status: int,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        on: str = "",
        method: str | None = None,
        after: int = 0,
        times: int | None = None,
    ) -> None:
        """From now on, answer like this to requests whose target holds `on`; HANG_UP closes the connection.

        What was asked for is then not done. `method` is one of those that are meant; the first `after` requests are answered
        well, and so are all once `times` have failed.
        """
        self._failures.append((_When(on, method, after, times), Answer(status, body, headers or {})))

    def behave(
        self, manner: Manner, *, on: str = "", method: str | None = None, after: int = 0, times: int | None = None
    ) -> None:
        """From now on, send answers like this to requests whose target holds `on`; what they ask for is done."""
        self._manners.append((_When(on, method, after, times), manner))

    def recover(self) -> None:
        """Forget what was asked, and every failure and bad manner."""
        for told in (self.requests, self.tokens, self.ranges, self.bodies, self._failures, self._manners):
            told.clear()
        self.tells_sizes = self.tells_commit = self.takes_ranges = True

    def answer(self, asked: Asked) -> tuple[Answer, Manner]:
        with self._answering:
            self.requests.append((asked.method, asked.target))
            self.tokens.append(asked.token)
            self.ranges.append(asked.part)
            self.bodies.append(asked.body)
            manner = next((manner for when, manner in self._manners if when.meets(asked)), Manner())
            failure = next((answer for when, answer in self._failures if when.meets(asked)), None)
            try:
                return failure or self._route(asked), manner
            except RefusedError as refusal:
                return refusal.answer, manner

    def _route(self, asked: Asked) -> Answer:
        path, query = urlsplit(asked.target).path, parse_qs(urlsplit(asked.target).query)
        if match := _STORED.fullmatch(path):
            return self._stored(match["digest"])
        if path == _WHOAMI:
            return self._user(asked.token).whoami()
        for form in _FORMS.get(asked.method, ()):
            if match := form.fullmatch(path):
                break
        else:
            raise RefusedError(404, "", NOT_FOUND)
        named = {name: unquote(text) for name, text in match.groupdict().items() if text is not None}
        if (old := named["repository"]) in self._moved:
            return Answer(307, b"", {"Location": asked.target.replace(quote(old), quote(self._moved[old]), 1)})
        if self._users and asked.token is not None:
            self._user(asked.token)
        model = self._model(old, asked.token)
        if asked.method == "POST":
            return self._write(form, model, named, asked, create_pr="1" in query.get("create_pr", []))
        return self._read(form, model, named, query, asked)

    def _user(self, token: str | None) -> User:
        if token is None or token not in self._users:
            raise RefusedError(401, "", REJECTED_TOKEN if token else NO_LOGIN)
        return self._users[token]

    def _write(
        self, form: re.Pattern[str], model: Repository, named: Mapping[str, str], asked: Asked, *, create_pr: bool
    ) -> Answer:
        user = self._user(asked.token)
        if user.role == READ_ONLY:
            raise RefusedError(403, "", "Authorization error.")
        if form is _DISCUSSIONS:
            return community.open_one(model, user.name, asked.body, self.url)
        if form is _CHANGE:
            return community.change_one(community.found(model, named["number"]), user.name, named["resource"], asked.body)
        commit = _commit(model, named["revision"])
        if form is _PREUPLOAD:
            return community.preupload(model.commits[commit], asked.body)
        return community.commit(model, named["revision"], user, asked.body, self.url, create_pr=create_pr)

    def _read(
        self, form: re.Pattern[str], model: Repository, named: Mapping[str, str], query: Mapping[str, list[str]], asked: Asked
    ) -> Answer:
        if form is _REFS:
            return refs(model)
        if form is _DISCUSSIONS:
            return community.listed(model, query)
        if form is _DISCUSSION:
            return community.found(model, named["number"]).details("1" in query.get("diff", []))
        commit = _commit(model, named.get("revision", "main"))
        if form is _RESOLVE:
            return self._resolve(model, commit, named["path"], asked.token)
        if form is _COMMITS:
            page, limit = (int(query.get(name, [usual])[0]) for name, usual in (("p", "0"), ("limit", "50")))
            return history(model, commit, self.url + urlsplit(asked.target).path, page, min(limit, MAX_COMMITS))
        if form is _TREE:
            return tree(model.commits[commit], named.get("folder"), "true" in query.get("recursive", []))
        return info(model, commit, sizes=self.tells_sizes and "blobs" in query)

    def _model(self, name: str, token: str | None) -> Repository:
        model = self._repositories.get(name)
        if model is None or model.private_token not in (None, token):
            status = 404 if token else 401
            raise RefusedError(status, "RepoNotFound", "Repository not found" if token else NO_LOGIN)
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
