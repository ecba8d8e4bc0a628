"""What differs between the descriptions of two templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

NAMED = {"roles": "role", "toggles": "name", "variables": "name", "engines": "engine"}
"""Lists of a description whose entries have a name, and where it stands: they are compared by it, not by their order."""


def by_name(description: Mapping[str, Any]) -> dict[str, Any]:
    """A description with each list of named entries as an object of them."""
    return {key: _by_name(key, value) for key, value in description.items()}


def _by_name(key: str, value: Any) -> Any:
    if key in NAMED and isinstance(value, list):
        return {entry[NAMED[key]]: entry for entry in value}
    return by_name(value) if isinstance(value, Mapping) else value


class Change(NamedTuple):
    """A value of a description that is another one on the other side, by the path that leads to it; ABSENT where none is."""

    path: tuple[str, ...]
    left: Any
    right: Any


ABSENT: Any = object()


def changes(left: Mapping[str, Any], right: Mapping[str, Any]) -> tuple[Change, ...]:
    """What differs between two descriptions, JSON values by name, in the order of the paths."""
    if left == right:
        return ()
    from deepdiff import DeepDiff  # takes longer to import than most of a run

    found = (change for kind in DeepDiff(dict(left), dict(right), view="tree").values() for change in kind)
    told = (Change(_path(change), _value(change.t1), _value(change.t2)) for change in found)
    return tuple(sorted(told, key=lambda change: change.path))


def differences(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The same as JSON: for each path both sides of it, without an entry for a side that has no such value.

    `{"roles.tool": {"right": "..."}}` was added.
    """
    found = changes(left, right)
    pairs = {".".join(change.path): (("left", change.left), ("right", change.right)) for change in found}
    return {path: {side: value for side, value in both if value is not ABSENT} for path, both in pairs.items()}


def _path(change: Any) -> tuple[str, ...]:
    return tuple(map(str, change.path(output_format="list")))


def _value(value: Any) -> Any:
    from deepdiff.helper import NotPresent

    return ABSENT if isinstance(value, NotPresent) or value is NotPresent else value
