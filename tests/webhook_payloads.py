"""Payloads as the webhooks of the Hub send them, version 3."""

from __future__ import annotations

from typing import Any

ID = "639885d811ae2bad2b7ba461"
URL = {"web": "https://example.invalid/web", "api": "https://example.invalid/api"}
SHA = "1" * 40


def payload(action: str, scope: str, kind: str = "model", name: str = "org/model", **more: Any) -> dict[str, Any]:
    repository = {"type": kind, "name": name, "id": ID, "private": False, "url": URL, "owner": {"id": ID}, "headSha": SHA}
    return {"event": {"action": action, "scope": scope}, "repo": repository, "webhook": {"id": ID, "version": 3}, **more}


def discussed(
    number: int, scope: str = "discussion", action: str = "create", comment: str = "Hello.", **more: Any
) -> dict[str, Any]:
    """What is sent when a pull request is opened or changes its status, or when somebody comments on it."""
    discussion = {
        "id": ID,
        "title": "Better",
        "url": URL,
        "status": "open",
        "author": {"id": ID},
        "isPullRequest": True,
        "changes": {"base": "refs/heads/main"},
        "num": number,
        **more,
    }
    said = {"id": ID, "author": {"id": ID}, "content": comment, "hidden": False, "url": URL}
    return payload(action, scope, discussion=discussion, comment=said)


def pushed(*refs: str, new: str | None = SHA) -> dict[str, Any]:
    """What is sent when refs change; `new` is None where they are deleted."""
    return payload("update", "repo.content", updatedRefs=[{"ref": ref, "oldSha": SHA, "newSha": new} for ref in refs])
