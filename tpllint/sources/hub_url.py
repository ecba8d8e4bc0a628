"""The URLs that a browser shows for a model on the Hub: of the model, a revision, a file, a commit, a pull request."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from urllib.parse import SplitResult, unquote, urlsplit

from tpllint.errors import RepairableError
from tpllint.sources.hub_target import HUB_ID, PLAIN_FILE, REVISION, HubTarget

_PUBLIC_HOSTS = ("huggingface.co", "hf.co")
_PORTS = {"http": 80, "https": 443}
_OTHER_KINDS = {"datasets": "dataset", "spaces": "space", "kernels": "kernel", "buckets": "bucket", "collections": "collection"}
_OTHER_PAGES = frozenset(
    {"api", "blog", "chat", "docs", "join", "learn", "login", "models", "papers", "posts", "settings", "tasks"}
)
_FILE_PAGES = frozenset({"blame", "blob", "raw", "resolve"})
_PAGES = frozenset({*_FILE_PAGES, "commit", "commits", "discussions", "edit", "settings", "tree"})
_NUMBER = re.compile(r"[0-9]{1,9}")
_HASH = re.compile(r"[0-9a-f]{7,40}")


def is_url(argument: str) -> bool:
    """Whether an argument can only be meant as a URL: it has a scheme, or begins with a host of the Hub."""
    lowered = argument.lower()
    return lowered.startswith(tuple(f"{scheme}://" for scheme in _PORTS)) or any(
        lowered.startswith(f"{host}/") for host in _PUBLIC_HOSTS
    )


def parse_hub_url(url: str) -> HubTarget:
    """The model, revision or file that a URL names; its query and fragment mean nothing here. Raises RepairableError."""
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        host, path = _place(parts), _path_on_hub(parts)
    except ValueError as error:
        raise RepairableError("bad-url", f"not a usable URL: {url}", "write org/model, or copy the URL again") from error
    if "@" in parts.netloc:
        raise RepairableError("bad-url", f"a URL with credentials for {host[0]}", "leave them out, and pass --token")
    if path is None:
        raise RepairableError(
            "unknown-host",
            f"not a host of the Hugging Face Hub: {host[0]}",
            "name a URL on huggingface.co, hf.co or the host of HF_ENDPOINT, or write org/model",
        )
    target = _target([unquote(segment) for segment in path.split("/") if segment])
    if isinstance(target, HubTarget) and _is_plain(target):
        return target
    raise _no_model(url, target if isinstance(target, str) else "another page of the Hugging Face Hub")


def _place(url: SplitResult) -> tuple[str, int | None]:
    return (url.hostname or "", url.port or _PORTS.get(url.scheme))


def _path_on_hub(url: SplitResult) -> str | None:
    """The path of a URL on the Hub or on the endpoint in use, None on any other host."""
    endpoint = urlsplit(os.environ.get("HF_ENDPOINT", "").rstrip("/"))
    if endpoint.netloc and _place(url) == _place(endpoint):
        inside = url.path == endpoint.path or url.path.startswith(f"{endpoint.path}/")
        return url.path.removeprefix(endpoint.path) if inside else url.path
    return url.path if url.hostname in _PUBLIC_HOSTS and url.port in (None, *_PORTS.values()) else None


def _target(segments: Sequence[str]) -> HubTarget | str | None:
    """What the segments of a path name: a model or a part of it, else what it is instead, None where nothing is known."""
    if not segments or segments[0] in _OTHER_PAGES:
        return None
    if segments[0] in _OTHER_KINDS:
        return f"a {_OTHER_KINDS[segments[0]]}, not a model"
    alone = len(segments) == 1 or segments[1] in _PAGES  # a model of the first days has no organisation
    repository, page = "/".join(segments[: 2 - alone]), list(segments[2 - alone :])
    match page:
        case []:
            return HubTarget(repository.removesuffix(".git"), None)
        case ["discussions", number] | ["discussions", number, "files"] if _NUMBER.fullmatch(number):
            return HubTarget(repository, f"refs/pr/{number}")
        case ["commit", commit] if _HASH.fullmatch(commit):
            return HubTarget(repository, commit)
        case ["tree", *words] if words:
            revision, path = _revision_and_path(words)
            return "a folder inside a model" if path else HubTarget(repository, revision)
        case [kind, *words] if kind in _FILE_PAGES and words:
            revision, path = _revision_and_path(words)
            return HubTarget(repository, revision, path) if path else None
    return None


def _revision_and_path(words: Sequence[str]) -> tuple[str, str]:
    """A revision is one segment of a URL; only `refs/pr/3` and its like are also written as three."""
    length = 3 if words[0] == "refs" and len(words) > 2 else 1
    return "/".join(words[:length]), "/".join(words[length:])


def _is_plain(target: HubTarget) -> bool:
    named = HUB_ID.fullmatch(target.repository)
    return (
        bool(named and not named["prefix"] and not named["revision"])
        and (target.revision is None or REVISION.fullmatch(target.revision) is not None)
        and (target.file is None or PLAIN_FILE.fullmatch(target.file) is not None)
    )


def _no_model(url: str, what: str) -> RepairableError:
    return RepairableError(
        "not-a-model",
        f"{url} is {what}",
        "name a model, its /tree/REVISION, /blob/REVISION/FILE, /commit/HASH or /discussions/NUMBER, or write org/model",
    )
