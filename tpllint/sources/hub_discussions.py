"""The door to discussions and pull requests on the Hugging Face Hub: reads them, comments, and proposes changes.

Nothing is sent twice. Where the Hub does not confirm what was sent, that is told, and another run finds what is there. The
texts of titles and comments are those of strangers. Every failure is a RepairableError.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, NamedTuple, TypeVar
from urllib.parse import quote

from tpllint.errors import RepairableError
from tpllint.sources.hub_client import check_name, endpoint, headers, load_client, quiet_library
from tpllint.sources.hub_failures import failure, failures_told
from tpllint.sources.hub_proposal import Changes, open_pull_request, require_writable
from tpllint.sources.hub_requests import Asking
from tpllint.sources.hub_target import COMMIT, DEFAULT_REVISION, HubTarget

MAX_COMMENT = 65_536
"""How many characters a comment on the Hub may have, counted as JavaScript does."""
COMMITS_PER_PAGE = 200
MAX_PAGES = 5
"""So many pages are searched: of a branch's history for where a pull request branched off, of pull requests for one's own."""

_MAX_BYTES = 16_000_000
_ID = re.compile(r"[0-9a-fA-F]{1,64}")
_BRANCH = re.compile(r"refs/heads/([A-Za-z0-9_][A-Za-z0-9._/+-]{0,200})")
_READ_ONLY = "read"
_UNANSWERED = ("hub-unreachable", "hub-too-slow", "hub-failure", "connection-cut", "malformed-hub-answer")

T = TypeVar("T")


class Comment(NamedTuple):
    """One comment as it stands; `author` is None for somebody who has left the Hub."""

    id: str
    author: str | None
    text: str
    hidden: bool = False


class Discussion(NamedTuple):
    """A discussion with its comments, the first of which is usually what it was opened with.

    `base` is the branch that a pull request is for. `status` is open, closed, merged or draft.
    """

    repository: str
    number: int
    title: str
    author: str | None
    status: str
    is_pull_request: bool
    base: str | None
    locked: bool
    comments: tuple[Comment, ...]


class BaseOf(NamedTuple):
    """The commit that a pull request is to be held against.

    It is where the pull request branched off, if `is_exact`; else that was not found, and it is the tip of the branch.
    """

    commit: str
    branch: str
    is_exact: bool


class Posted(NamedTuple):
    """A comment that stands on the Hub now, and what was done for it."""

    comment_id: str
    url: str
    outcome: Literal["posted", "updated", "unchanged"]

    @property
    def updated(self) -> bool:
        """Whether an earlier comment was edited."""
        return self.outcome == "updated"


class Proposed(NamedTuple):
    """An open pull request; `is_new` is False where an earlier run has opened it, and nothing was sent."""

    number: int
    url: str
    is_new: bool


def discussion(target: HubTarget, number: int, token: str | None) -> Discussion:
    """A discussion or pull request of a model, without the changes that it proposes: one request."""
    about = _about(target, number)
    with _door(about):
        return _one(about, partial(_details, _asking(about, token), number))


def base_commit(target: HubTarget, number: int, base: str, token: str | None, *, tip: str | None = None) -> BaseOf:
    """The commit that a pull request branched off the branch `base`.

    One request where its history holds `tip`, the last commit of the branch; without `tip` and for each page of the branch's
    history, one more.
    """
    about, branch = _about(target, number), target._replace(revision=base, file=None)
    with _door(about):
        proposed = _history(_asking(about, token), number_ref(number))
        if tip is not None and tip in proposed:
            return BaseOf(tip, base, is_exact=True)
        return _one(branch, partial(_branched_off, _asking(branch, token), base, proposed))


def writer(target: HubTarget, token: str | None) -> str:
    """The name of whoever the token stands for, unless it is known to write nothing: one request."""
    about = target._replace(file=None)
    with _door(about):
        return _one(about, partial(_user, _writing(about, token)))


def require_open(target: HubTarget, found: Discussion) -> None:
    """Raise where a discussion takes no comments."""
    about = _about(target, found.number)
    if found.locked:
        raise failure("discussion-locked", about)
    if found.status in ("closed", "merged"):
        raise failure("discussion-closed", about, found.status)


def put_comment(target: HubTarget, found: Discussion, user: str, marker: str, body: str, token: str | None) -> Posted:
    """Let one comment of this user stand that begins with `marker`: this one. `body` begins with it too.

    The user's own earlier one is edited, if any; what others have written never is. One request, or none where the same stands
    there already. Two runs at the same moment do not see each other.
    """
    assert body.startswith(marker), "an earlier comment is known by its marker"
    about = _about(target, found.number)
    if utf16_length(body) > MAX_COMMENT:
        raise failure("comment-too-long", about, f"{MAX_COMMENT:,}")
    with _door(about):
        earlier = _earlier(found, user, marker)
        if earlier is not None and earlier.text.strip() == body.strip():
            return Posted(earlier.id, _url(about, found.number, earlier.id), "unchanged")
        return _put(_writing(about, token), found.number, earlier, body)


def propose(
    target: HubTarget,
    base: str,
    changes: Changes,
    title: str,
    description: str,
    token: str | None,
    *,
    user: str,
    marker: str,
) -> Proposed:
    """Open a pull request that changes these files of the commit `base` in one commit; None deletes a file.

    `description` holds `marker`, by which an open pull request of this user and this title is found again: then no second one
    is opened.
    """
    assert marker in description, "an earlier pull request is known by its marker"
    assert changes, "a pull request changes something"
    about = target._replace(file=None)
    branch = about.revision or DEFAULT_REVISION
    if COMMIT.fullmatch(branch) or branch.startswith("refs/"):
        raise failure("not-a-branch", about)
    with _door(about):
        asking = _writing(about, token)
        earlier = _earlier_proposal(asking, user, title, marker)
        if earlier is not None:
            return Proposed(earlier, _url(about, earlier), is_new=False)
        _one(about, partial(require_writable, asking, base, changes))
        with _confirmed(about):
            number = _one(about, partial(open_pull_request, asking, branch, base, changes, title, description))
            return Proposed(number, _url(about, number), is_new=True)


def utf16_length(text: str) -> int:
    """How long a text is to JavaScript."""
    return len(text) + sum(character > "\uffff" for character in text)


def number_ref(number: int) -> str:
    """The ref under which the Hub keeps what a pull request proposes."""
    return f"refs/pr/{number}"


@contextmanager
def _door(about: HubTarget) -> Iterator[None]:
    with quiet_library(about) as constants, failures_told(about):
        if constants.HF_HUB_OFFLINE:
            raise failure("offline-discussion", about)
        check_name(about)
        load_client(about)
        yield


@contextmanager
def _confirmed(about: HubTarget) -> Iterator[None]:
    """Where an answer is lost, say that nobody knows whether what was sent has been done."""
    try:
        with failures_told(about):
            yield
    except RepairableError as error:
        if error.kind in _UNANSWERED:
            raise failure("unconfirmed-write", about) from error
        raise


def _about(target: HubTarget, number: int) -> HubTarget:
    return target._replace(revision=number_ref(number), file=None)


def _asking(about: HubTarget, token: str | None) -> Asking:
    return Asking(about, headers(about, token or None), _MAX_BYTES)


def _writing(about: HubTarget, token: str | None) -> Asking:
    asking = _asking(about, token)
    if "authorization" not in asking.headers:
        raise failure("no-token", about)
    return asking


def _one(about: HubTarget, task: Callable[[], T]) -> T:
    """What one task brings, within the time that a request may take."""
    return _all(about, [task])[0]


def _all(about: HubTarget, tasks: Sequence[Callable[[], T]]) -> list[T]:
    from tpllint.sources.hub_watch import side_by_side

    return side_by_side(about, tasks)


def _user(asking: Asking) -> str:
    """The name of whoever the token stands for. Raises RepairableError where it is known to write nothing."""
    told = asking.get("whoami-v2")
    match told:
        case {"auth": {"accessToken": {"role": str(role)}}} if role == _READ_ONLY:
            raise failure("no-write-right", asking.target)
        case {"name": str(name)} if name:
            return name
    raise failure("malformed-hub-answer", asking.target)


def _details(asking: Asking, number: int) -> Discussion:
    return _discussion(asking, number, asking.get(_path(asking, f"discussions/{number}")))


def _path(asking: Asking, rest: str) -> str:
    return f"models/{asking.target.repository}/{rest}"


def _url(about: HubTarget, number: int, comment: str = "") -> str:
    return f"{endpoint(about)}/{about.repository}/discussions/{number}" + (f"#{comment}" if comment else "")


def _discussion(asking: Asking, number: int, told: Any) -> Discussion:
    match told:
        case {"title": str(title), "status": str(status), "isPullRequest": bool(proposes), "events": list(events)}:
            comments = tuple(comment for comment in map(_comment, events) if comment)
            base = _base(asking, told) if proposes else None
            locked, author = told.get("locked") is True, _author(told)
            return Discussion(asking.target.repository, number, title, author, status, proposes, base, locked, comments)
    raise failure("malformed-hub-answer", asking.target)


def _base(asking: Asking, told: Mapping[str, Any]) -> str:
    match told:
        case {"changes": {"base": str(base)}} if named := _BRANCH.fullmatch(base):
            return named[1]
    raise failure("malformed-hub-answer", asking.target)


def _comment(event: Any) -> Comment | None:
    """The comment that an event is, None for anything else."""
    match event:
        case {"type": "comment", "id": str(id), "data": {"latest": {"raw": str(text)}, **rest}} if _ID.fullmatch(id):
            return Comment(id, _author(event), text, rest.get("hidden") is True)
    return None


def _author(told: Any) -> str | None:
    match told:
        case {"author": {"name": str(name)}}:
            return name
    return None


def _history(asking: Asking, revision: str) -> list[str]:
    """The newest commits of a revision, the last one first: one page."""
    return _one(asking.target, partial(_commits, asking, revision, 0))[0]


def _commits(asking: Asking, revision: str, number: int) -> tuple[list[str], bool]:
    """One page of a revision's history, and whether there are more."""
    query = {"p": str(number), "limit": str(COMMITS_PER_PAGE)}
    page = asking.page(_path(asking, f"commits/{quote(revision, safe='')}"), query)
    match page.told:
        case [*entries] if entries:
            return [_commit_of(asking, entry) for entry in entries], page.has_next
    raise failure("malformed-hub-answer", asking.target)


def _commit_of(asking: Asking, entry: Any) -> str:
    match entry:
        case {"id": str(commit)} if COMMIT.fullmatch(commit):
            return commit
    raise failure("malformed-hub-answer", asking.target)


def _branched_off(asking: Asking, base: str, proposed: Sequence[str]) -> BaseOf:
    """The newest commit of the branch that the pull request has as well, else the tip of the branch."""
    known, tip = frozenset(proposed), ""
    for number in range(MAX_PAGES):
        commits, has_more = _commits(asking, base, number)
        tip = tip or commits[0]
        if common := next((commit for commit in commits if commit in known), None):
            return BaseOf(common, base, is_exact=True)
        if not has_more:
            break
    return BaseOf(tip, base, is_exact=False)


def _earlier(found: Discussion, user: str, marker: str) -> Comment | None:
    """The last comment of this user that begins with the marker and can be seen: one that quotes it is another."""
    own = [comment for comment in found.comments if comment.author == user and not comment.hidden]
    return next((comment for comment in reversed(own) if comment.text.lstrip().startswith(marker)), None)


def _put(asking: Asking, number: int, earlier: Comment | None, body: str) -> Posted:
    path = _path(asking, f"discussions/{number}/comment")
    if earlier is None:
        task, key = partial(asking.post, path, {"comment": body}), "newMessage"
    else:
        task, key = partial(asking.post, f"{path}/{earlier.id.lower()}/edit", {"content": body}), "updatedComment"
    with _confirmed(asking.target):
        match _one(asking.target, task):
            case {**told} if comment := _comment(told.get(key)):
                outcome: Literal["posted", "updated"] = "updated" if earlier else "posted"
                return Posted(comment.id, _url(asking.target, number, comment.id), outcome)
        raise failure("malformed-hub-answer", asking.target)


def _earlier_proposal(asking: Asking, user: str, title: str, marker: str) -> int | None:
    """The newest open pull request of this user and this title that was opened with the marker."""
    for page in range(MAX_PAGES):
        entries, has_more = _one(asking.target, partial(_open_proposals, asking, user, page))
        numbers = [number for number in (_number_of(entry, title) for entry in entries) if number]
        found = _all(asking.target, [partial(_details, asking, number) for number in numbers])
        if ours := next((each.number for each in found if _is_ours(each, user, marker)), None):
            return ours
        if not has_more:
            break
    return None


def _open_proposals(asking: Asking, user: str, page: int) -> tuple[list[Any], bool]:
    """A page of the open pull requests of this user, and whether there are more."""
    query = {"type": "pull_request", "status": "open", "author": user, "p": str(page)}
    match asking.get(_path(asking, "discussions"), query):
        case {"discussions": list(entries), "start": int(start), "count": int(count)}:
            return entries, bool(entries) and start + len(entries) < count
    raise failure("malformed-hub-answer", asking.target)


def _number_of(entry: Any, title: str) -> int | None:
    match entry:
        case {"num": int(number), "isPullRequest": True, "status": "open" | "draft", "title": str(named)} if named == title:
            return number
    return None


def _is_ours(found: Discussion, user: str, marker: str) -> bool:
    return found.author == user and any(each.author == user and marker in each.text for each in found.comments[:1])
