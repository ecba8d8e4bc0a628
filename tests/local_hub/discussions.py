"""Discussions and pull requests as the Hub keeps them, and what its API tells about them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from tests.local_hub.connection import Answer
from tests.local_hub.refusals import RefusedError, as_json

MAX_COMMENT = 65_536
"""How many characters a comment may have."""
TITLE_LENGTH = range(3, 201)
WHEN = "2026-01-01T00:00:00.000Z"

_EVENTS = itertools.count(1)


@dataclass
class Event:
    """Something that happened in a discussion; the older texts of a comment are its `history`."""

    kind: str
    author: str | None
    text: str = ""
    hidden: bool = False
    history: list[str] = field(default_factory=list)
    id: str = field(default_factory=lambda: f"{next(_EVENTS):024x}")

    def as_json(self) -> dict[str, Any]:
        told = {"id": self.id, "type": self.kind, "createdAt": WHEN, **_by(self.author)}
        if self.kind == "comment":
            latest = {"raw": self.text, "html": f"<p>{self.text}</p>", "updatedAt": WHEN, **_by(self.author)}
            texts = {"edited": bool(self.history), "numEdits": len(self.history), "history": self.history, "latest": latest}
            return {**told, "data": {**texts, "hidden": self.hidden, "isReport": False}}
        return {**told, "data": {"status": self.text}}


@dataclass
class Discussion:
    """One discussion; a pull request where `base` names the branch that it is for."""

    repository: str
    number: int
    title: str
    author: str | None
    status: str = "open"
    base: str | None = None
    locked: bool = False
    events: list[Event] = field(default_factory=list)

    @property
    def comments(self) -> list[Event]:
        return [event for event in self.events if event.kind == "comment"]

    def comment(self, author: str | None, text: str) -> Event:
        """Raises RefusedError."""
        if self.locked:
            raise RefusedError(403, "", "This discussion is locked")
        event = Event("comment", author, _readable(text))
        self.events.append(event)
        return event

    def edit(self, id: str, author: str, text: str) -> Event:
        """Raises RefusedError."""
        event = next((event for event in self.comments if event.id == id), None)
        if event is None:
            raise RefusedError(404, "", "Comment not found")
        if event.author != author or self.locked:
            raise RefusedError(403, "", "You do not have permission to edit this comment")
        event.history.append(event.text)
        event.text = _readable(text)
        return event

    def change(self, author: str, status: str) -> Event:
        """Close or open again."""
        self.status = status
        self.events.append(Event("status-change", author, status))
        return self.events[-1]

    def summary(self) -> dict[str, Any]:
        told = {"num": self.number, "title": self.title, "status": self.status, "createdAt": WHEN, **_by(self.author)}
        return {**told, "isPullRequest": self.base is not None, "repo": {"name": self.repository, "type": "model"}}

    def details(self, with_diff: bool) -> Answer:
        """What `/discussions/N` tells."""
        told = {**self.summary(), "locked": self.locked, "events": [event.as_json() for event in self.events]}
        proposed = {"changes": {"base": f"refs/heads/{self.base}"}, "filesWithConflicts": []} if self.base else {}
        return as_json({**told, **proposed} | ({"diff": ""} if with_diff else {}))


def check_title(title: str) -> str:
    """Raises RefusedError."""
    if len(title) not in TITLE_LENGTH:
        raise RefusedError(400, "", "Title must be between 3 and 200 characters")
    return title


def _readable(text: str) -> str:
    if not text or len(text.encode("utf-16-le", "surrogatepass")) // 2 > MAX_COMMENT:
        raise RefusedError(400, "", f"Comment must be between 1 and {MAX_COMMENT} characters")
    return text


def _by(author: str | None) -> dict[str, Any]:
    """Who did it; of a user who has left nothing is told."""
    return {} if author is None else {"author": {"name": author, "fullname": author.title(), "type": "user"}}
