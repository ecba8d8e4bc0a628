"""What a webhook of the Hub tells: which pull requests of which model are to be reviewed, if any.

The payload is that of the Hub's webhooks, version 3. The names and texts in it are those of strangers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from tpllint.errors import RepairableError
from tpllint.reviewing import MARKER
from tpllint.sources.hub_target import HUB_ID

MAX_PAYLOAD = 1_000_000
"""How many characters of a payload are read, more than the longest comment takes."""
MOST_PULL_REQUESTS = 20
"""How many pull requests one event may name: a push changes one, as a rule."""

_VERSION = 3
_ACTIONS = ("create", "update")
_REF = re.compile(r"refs/pr/([1-9][0-9]{0,8})")
_NUMBERS = range(1, 1_000_000_000)


class Proposed(NamedTuple):
    """Pull requests of a model that have been opened, discussed or changed; `repository` is a name as the Hub allows it."""

    repository: str
    numbers: tuple[int, ...]


class Ignored(NamedTuple):
    """An event after which nothing is to be reviewed, and why; the reason may quote a stranger."""

    reason: str


def parse(payload: str) -> Proposed | Ignored:
    """What an event asks for. Raises RepairableError for what no webhook of the Hub sends."""
    told = _loaded(payload)
    match told:
        case {"event": {"action": str(action), "scope": str(scope)}, "repo": {"type": str(kind), "name": str(name)}}:
            pass
        case _:
            raise _malformed("it tells no event, or no repository")
    if _object(told, "webhook").get("version", _VERSION) != _VERSION:
        raise _malformed(f"it is not of version {_VERSION}")
    if kind != "model":
        return Ignored(f"not a model but a {kind}")
    named = HUB_ID.fullmatch(name)
    if named is None or named["repository"] != name:
        raise _malformed("the name of its repository is not one of the Hub")
    if action not in _ACTIONS:
        return Ignored(f"the action is {action}")
    if _within(scope, "discussion"):
        return _discussed(told, name, is_new=(action, scope) == ("create", "discussion"))
    if _within(scope, "repo.content"):
        return _pushed(told, name)
    return Ignored(f"the event is about {scope}")


def _loaded(payload: str) -> dict[str, Any]:
    if len(payload) > MAX_PAYLOAD:
        raise _malformed(f"it has more than {MAX_PAYLOAD:,} characters")
    try:
        told = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise _malformed("it is not JSON") from error
    if not isinstance(told, dict):
        raise _malformed("it is not a JSON object")
    return told


def _within(scope: str, wanted: str) -> bool:
    return scope == wanted or scope.startswith(f"{wanted}.")


def _discussed(told: Mapping[str, Any], name: str, *, is_new: bool) -> Proposed | Ignored:
    match _object(told, "discussion"):
        case {"num": int(number), "isPullRequest": bool(proposes), "status": str(status)} if (
            type(number) is int and number in _NUMBERS
        ):
            pass
        case _:
            raise _malformed("it tells no discussion")
    if not proposes:
        return Ignored("the discussion is not a pull request")
    if status != "open":
        return Ignored(f"the pull request is {status}")
    # A review answers no review, not even its own. A proposal cannot be kept from review by what its first comment holds.
    if not is_new and MARKER in str(_object(told, "comment").get("content")):
        return Ignored("the comment is a review")
    return Proposed(name, (int(number),))


def _pushed(told: Mapping[str, Any], name: str) -> Proposed | Ignored:
    changed = told.get("updatedRefs")
    if not isinstance(changed, list):
        return Ignored("the event names no changed refs")
    found = [_REF.fullmatch(str(each.get("ref"))) for each in changed if isinstance(each, dict) and each.get("newSha")]
    numbers = tuple(dict.fromkeys(int(ref[1]) for ref in found if ref))
    if len(numbers) > MOST_PULL_REQUESTS:
        raise _malformed(f"it names more than {MOST_PULL_REQUESTS} pull requests")
    return Proposed(name, numbers) if numbers else Ignored("no pull request has changed")


def _object(told: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = told.get(key)
    return found if isinstance(found, dict) else {}


def _malformed(why: str) -> RepairableError:
    hint = "pass on unchanged what a webhook of the Hub sends"
    return RepairableError("malformed-payload", f"the payload of the webhook cannot be used: {why}", hint)
