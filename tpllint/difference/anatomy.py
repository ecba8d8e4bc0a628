"""What differs between the descriptions of two templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMED = {"roles": "role", "toggles": "name", "variables": "name", "engines": "engine"}
"""Lists of a description whose entries have a name, and where it stands: they are compared by it, not by their order."""


def by_name(description: Mapping[str, Any]) -> dict[str, Any]:
    """A description with each list of named entries as an object of them."""
    return {key: _by_name(key, value) for key, value in description.items()}


def _by_name(key: str, value: Any) -> Any:
    if key in NAMED and isinstance(value, list):
        return {entry[NAMED[key]]: entry for entry in value}
    return by_name(value) if isinstance(value, Mapping) else value


def differences(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What differs between two descriptions, JSON values by name: for the path of each value, both sides of it.

    A side that has no such value has no entry: `{"roles.tool": {"right": "..."}}` was added.
    """
    if left == right:
        return {}
    from deepdiff import DeepDiff  # loads numpy where that is installed

    found: dict[str, dict[str, Any]] = {}
    for changes in DeepDiff(dict(left), dict(right), view="tree").values():
        for change in changes:
            sides = (("left", change.t1), ("right", change.t2))
            path = ".".join(map(str, change.path(output_format="list")))
            found[path] = {side: value for side, value in sides if not _is_absent(value)}
    return dict(sorted(found.items()))


def _is_absent(value: object) -> bool:
    from deepdiff.helper import NotPresent

    return isinstance(value, NotPresent)
