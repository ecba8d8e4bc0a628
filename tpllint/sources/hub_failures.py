"""What can go wrong between this machine and the Hub, in words: kinds, messages and hints.

Nothing of what a server wrote is quoted but a number of seconds; only what the user typed.
"""

from __future__ import annotations

import importlib
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tpllint.errors import RepairableError
from tpllint.sources.hub_target import DEFAULT_REVISION, HubTarget

MAX_WAIT = 3600
"""The longest time in seconds that a server may tell to wait and is believed."""

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from httpx2 import Response

FAILURES: Mapping[str, tuple[str, str]] = {
    "no-hub-support": (
        "models on the Hugging Face Hub cannot be read without the package huggingface_hub",
        "run `pip install huggingface_hub`",
    ),
    "invalid-repository-name": (
        "{repository} cannot be the name of a model on the Hugging Face Hub",
        "write org/model: at most 96 letters, digits, `-`, `_` and `.`, with neither `--` nor `..` in it",
    ),
    "no-such-repository": (
        "the Hugging Face Hub shows no model {repository}: it does not exist, or it is private",
        "check the spelling; for a private model run `hf auth login` or pass --token",
    ),
    "gated-repository": (
        "the model {repository} is gated, and its files are not open to you",
        "ask for access on the page of the model, then run `hf auth login` or pass --token",
    ),
    "no-such-revision": (
        "the model {repository} has no revision {revision}",
        "name a branch, a tag, a full commit or pr/N after the @, or write {repository} for the main branch",
    ),
    "no-such-pull-request": (
        "the model {repository} has no pull request {number}",
        "check the number: a discussion without a proposal is none; or write {repository} for the main branch",
    ),
    "no-such-discussion": (
        "the model {repository} has no discussion or pull request {number}",
        "check the number: it may have been deleted",
    ),
    "discussion-locked": (
        "the discussion {number} of the model {repository} is locked, and takes no comments",
        "ask on the page of the model to have it unlocked, or go without a comment",
    ),
    "discussion-closed": (
        "the discussion {number} of the model {repository} is {reason}, and nobody waits for comments there",
        "open it again on the page of the model, or go without a comment",
    ),
    "comment-too-long": (
        "a comment on the Hugging Face Hub has at most {reason} characters, and this one has more",
        "go without a comment, and pass the report on as a file: --output-format html --output FILE",
    ),
    "pull-request-conflict": (
        "the model {repository} has changed since its files were read, and what is proposed no longer fits",
        "run the command again",
    ),
    "nothing-to-propose": (
        "the files of the model {repository} already are what would be proposed",
        "nothing is left to do",
    ),
    "not-a-branch": (
        "a pull request can only be opened for a branch, and {revision} is none",
        "write {repository} for the main branch, or name a branch after the @",
    ),
    "unwritable-file": (
        "the Hugging Face Hub does not take {reason} as part of a commit: it lies in large file storage or is ignored",
        "change the file by hand, or leave it out",
    ),
    "no-token": (
        "to write on the Hugging Face Hub needs an access token",
        "run `hf auth login`, set HF_TOKEN, or pass --token",
    ),
    "no-write-right": (
        "the access token may not write to discussions and pull requests of the model {repository}",
        "run `hf auth login` with a token of the role write, or pass such a token with --token",
    ),
    "unconfirmed-write": (
        "the Hugging Face Hub has not confirmed what was written about the model {repository}: it may be there or not",
        "wait {wait} and run the command again: what is there is found, and not written twice",
    ),
    "offline-discussion": (
        "tpllint is offline, and discussions and pull requests are not in the cache",
        "run the command without HF_HUB_OFFLINE",
    ),
    "no-such-file": (
        "the model {repository} has no file {file} at revision {revision}",
        "check the path and the revision, or write {repository} for the whole model",
    ),
    "unknown-kind": (
        "not a kind of file tpllint reads on the Hugging Face Hub: {file}",
        "name a .jinja or .gguf file, tokenizer_config.json, chat_template.json, processor_config.json, or write {repository}",
    ),
    "disabled-repository": (
        "the model {repository} is disabled on the Hugging Face Hub",
        "name a folder with a copy of the model instead",
    ),
    "forbidden-repository": (
        "the Hugging Face Hub refuses access to the model {repository}",
        "run `hf auth login` with a token that may read it, or pass such a token with --token",
    ),
    "rejected-token": (
        "the Hugging Face Hub does not accept the access token",
        "run `hf auth login`, pass a valid token with --token, or unset HF_TOKEN to go without one",
    ),
    "rate-limited": (
        "the Hugging Face Hub answers no more requests for now: there were too many",
        "wait {wait} and run the command again; `hf auth login` raises the limit",
    ),
    "hub-failure": (
        "the Hugging Face Hub answers with a server error",
        "wait {wait} and run the command again; `tpllint check --offline` uses what is in the cache",
    ),
    "hub-unreachable": (
        "the Hugging Face Hub cannot be reached",
        "check the network connection, the proxy and HF_ENDPOINT; `tpllint check --offline` uses what is in the cache",
    ),
    "hub-too-slow": (
        "the Hugging Face Hub sends too slowly: less than {slowest} kB in a second",
        "check the network connection and the proxy; `tpllint check --offline` uses what is in the cache",
    ),
    "connection-cut": (
        "the connection to the Hugging Face Hub was cut in the middle of an answer",
        "run the command again; if it happens again, check the network connection and the proxy",
    ),
    "invalid-hub-settings": (
        "the settings of huggingface_hub in the environment cannot be used",
        "check the variables that begin with HF_, first of all HF_ENDPOINT: a URL such as https://huggingface.co",
    ),
    "unusable-proxy": (
        "the proxy of this environment cannot be used",
        "check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY",
    ),
    "unusable-cache": (
        "the cache of huggingface_hub cannot be used: {reason}",
        "make the cache folder readable and writable, or set HF_HOME to another folder",
    ),
    "not-cached": (
        "tpllint is offline, and the cache has no template and no configuration of {repository} at revision {revision}",
        "run the command once without --offline and with HF_HUB_OFFLINE unset",
    ),
    "malformed-hub-answer": (
        "the answer about {repository} is not one that the Hugging Face Hub gives",
        "check HF_ENDPOINT and the proxy, or run the command again later",
    ),
}
"""What can go wrong, by kind: the message and the hint."""

_KIND_OF_CODE: Mapping[str | None, str] = {
    "GatedRepo": "gated-repository",
    "RepoNotFound": "no-such-repository",
    "RevisionNotFound": "no-such-revision",
    "EntryNotFound": "no-such-file",
}
_KIND_OF_SENTENCE: Mapping[str | None, str] = {
    "Access to this resource is disabled.": "disabled-repository",
    "Invalid credentials in Authorization header": "rejected-token",
}
_KIND_OF_STATUS: Mapping[int, str] = {
    401: "no-such-repository",  # what the Hub answers, and not 404, to an unknown name without a token
    403: "forbidden-repository",
    429: "rate-limited",
}

_KIND_OF_REFUSED_WRITING: Mapping[int, str] = {403: "no-write-right", 412: "pull-request-conflict"}
_DISCUSSION = re.compile(r"/discussions/[0-9]+(?:/|$)")


def failure(kind: str, target: HubTarget, reason: str = "", *, wait: str = "some minutes", slowest: int = 0) -> RepairableError:
    """The error of this kind about a target, in the words of the table."""
    message, hint = FAILURES[kind]
    facts = {
        "repository": target.repository,
        "revision": target.revision or DEFAULT_REVISION,
        "file": target.file,
        "reason": reason,
        "number": (target.revision or "").removeprefix("refs/pr/"),
        "wait": wait,
        "slowest": slowest,
    }
    return RepairableError(kind, message.format_map(facts), hint.format_map(facts))


def refusal(response: Response, target: HubTarget) -> RepairableError:
    """The error that an answer other than 200 means."""
    kind = _kind_of_refusal(response)
    if kind == "no-such-file" and target.file is None:  # a file that the server itself listed
        kind = "malformed-hub-answer"
    if kind == "no-such-revision" and (target.revision or "").startswith("refs/pr/"):
        kind = "no-such-pull-request"
    seconds = _seconds_to_wait(response)
    return failure(kind, target, wait="some minutes" if seconds is None else f"{seconds} second{'s' * (seconds > 1)}")


def _kind_of_refusal(response: Response) -> str:
    """The codes and sentences are those huggingface_hub itself goes by."""
    code, sentence = response.headers.get("X-Error-Code"), response.headers.get("X-Error-Message")
    if kind := _KIND_OF_CODE.get(code) or _KIND_OF_SENTENCE.get(sentence):
        return kind
    if response.status_code >= 500:
        return "hub-failure"
    if response.request.method == "POST" and response.status_code in _KIND_OF_REFUSED_WRITING:
        return _KIND_OF_REFUSED_WRITING[response.status_code]
    if response.status_code == 404 and _DISCUSSION.search(response.request.url.path):
        return "no-such-discussion"
    return _KIND_OF_STATUS.get(response.status_code, "malformed-hub-answer")


def _seconds_to_wait(response: Response) -> int | None:
    """What the server tells to wait, by the RateLimit header of the IETF draft or by Retry-After; None for no sane number."""
    utils: Any = importlib.import_module("huggingface_hub.utils")
    try:
        limit = utils.parse_ratelimit_headers(response.headers)
        spent = limit is not None and limit.remaining == 0  # the header comes with every answer
        seconds = int(limit.reset_in_seconds if spent else response.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return seconds if 0 < seconds <= MAX_WAIT else None


@contextmanager
def failures_told(target: HubTarget) -> Iterator[None]:
    """Turn what the network, the server and the disk do into errors that quote nothing of what a server wrote."""
    try:
        yield
    except RepairableError:
        raise
    except Exception as error:
        cause = _cause(error)
        kind = _kind(cause)
        if kind is None:
            raise
        reason = (cause.strerror or "").lower() if isinstance(cause, OSError) else ""
        raise failure(kind, target, reason) from error


def _cause(error: BaseException) -> BaseException:
    """What really happened: a download hides it behind a LocalEntryNotFoundError ("not in the cache either")."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    hidden = error.__cause__ if isinstance(error, LocalEntryNotFoundError) else None
    return error if hidden is None else hidden


def _kind(error: BaseException) -> str | None:
    """The kind of an exception, None for one that is a defect."""
    transport = transport_package()
    if isinstance(error, (transport.InvalidURL, transport.UnsupportedProtocol)):
        return "invalid-hub-settings"
    if isinstance(error, transport.TransportError):
        return "hub-unreachable"
    if isinstance(error, OSError) and error.errno is not None:
        return "unusable-cache"
    return "malformed-hub-answer" if isinstance(error, (transport.HTTPError, OSError)) else None


def transport_package() -> Any:
    """The HTTP package that huggingface_hub stands on: httpx in its versions 1, httpx2 since."""
    errors: Any = importlib.import_module("huggingface_hub.errors")
    return importlib.import_module(errors.HTTPError.__module__.partition(".")[0])
