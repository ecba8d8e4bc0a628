"""The configuration: `[tool.tpllint]` in a pyproject.toml, or a tpllint.toml.

It is looked for from the working directory upwards, never beside a target: a stranger's model does not configure its own
check. A file decides what is told, and rule folders are programs, so one that was found has to belong to the user or to root.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tpllint import capabilities, portability
from tpllint.errors import RepairableError
from tpllint.names import unknown
from tpllint.rule import PROFILES, RuleInfo
from tpllint.selection import PathIgnores, require_rule
from tpllint.severity import Severity

OWN_FILE = "tpllint.toml"
PROJECT_FILE = "pyproject.toml"
MAX_BYTES = 1_000_000
MAX_DEPTH = 50
ROOT = 0
"""Whoever is root decides everything on this machine anyway."""
RESERVED = ("messages", "tools", "documents", "add_generation_prompt")
"""What a conversation brings; no template variable can have these names."""


class Config(NamedTuple):
    """What a configuration file says; paths are absolute or relative to the working directory."""

    file: str | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: Mapping[str, Severity] = {}
    profile: str = "default"
    fail_on: Severity = Severity.ERROR
    per_path: PathIgnores = PathIgnores()
    conversations: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    expect: tuple[str, ...] = ()
    variables: Mapping[str, Any] = {}
    requires: tuple[str, ...] = ()
    baseline: str | None = None

    def require_rules(self, known: Sequence[RuleInfo]) -> None:
        """Raise RepairableError for a word that fits no rule: only the workers know them all."""
        lists: list[tuple[str, Iterable[str]]] = [("select", self.select), ("ignore", self.ignore), ("severity", self.severity)]
        lists += [(f'per-path-ignores."{glob}"', words) for glob, words in self.per_path.globs.items()]
        for key, words in lists:
            for word in words:
                require_rule(word, known, f"{self.file}: {key}: ")


def discovered(folder: str, user: int) -> Config:
    """The configuration that holds in a folder for a user: the nearest one upwards, tpllint.toml first."""
    for place in (Path(folder), *Path(folder).parents):
        for name in (OWN_FILE, PROJECT_FILE):
            path = os.path.join(place, name)
            if os.path.isfile(path):
                found = _read(path, folder)
                if found is not None:
                    _require_owner(path, found.file, user)
                    return found
    return Config()


def named(path: str, folder: str) -> Config:
    """The configuration in a file that the user named; `folder` is the working directory."""
    if not os.path.isfile(path):
        raise RepairableError("no-such-path", f"no such file: {path}", "--config takes a tpllint.toml or a pyproject.toml")
    found = _read(os.path.abspath(path), folder)
    if found is None:
        raise RepairableError("bad-config", f"{path} has no [tool.tpllint]", "add the table, or name another file")
    return found


def _require_owner(path: str, shown: str | None, user: int) -> None:
    """Raise RepairableError for a file, or a link to one, of a user who is neither this one nor root."""
    if not {os.lstat(path).st_uid, os.stat(path).st_uid} <= {user, ROOT}:
        hint = f"if you trust it, run with --config {shown}; if not, with --no-config"
        raise RepairableError("foreign-config", f"{shown} belongs to another user and would decide what is told", hint)


def _read(path: str, here: str) -> Config | None:
    """A file's configuration; None for a pyproject.toml that has none."""
    shown = os.path.relpath(path, here)
    data = _bytes(path, shown)
    if os.path.basename(path) != PROJECT_FILE:
        return _Table(shown, path, here).config(_toml(shown, data))
    if b"tpllint" not in data:  # tomllib takes longer to import than this to look
        return None
    tool = _toml(shown, data).get("tool")
    table = tool.get("tpllint") if isinstance(tool, dict) else None
    if table is None:
        return None
    if not isinstance(table, dict):
        raise _wrong(shown, "tool.tpllint", "a table", table)
    return _Table(shown, path, here).config(table)


def _bytes(path: str, shown: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"{shown} cannot be opened: {reason}"
        raise RepairableError("unusable-path", message, "check its permissions, or run with --no-config") from error
    if len(data) > MAX_BYTES:
        raise RepairableError("too-large", f"{shown} is larger than 1 MB", "shorten it, or run with --no-config")
    return data


def _toml(shown: str, data: bytes) -> dict[str, Any]:
    import tomllib

    hint = "repair it, or run with --no-config"
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        message = f"{shown} is not UTF-8: byte {error.start} cannot be decoded"
        raise RepairableError("bad-config", message, hint) from error
    except ValueError as error:
        said = str(error)
        message = f"{shown} is not valid TOML: {said[:1].lower()}{said[1:]}"
        raise RepairableError("bad-config", message, hint) from error
    except RecursionError as error:
        raise RepairableError("bad-config", f"{shown} nests too deeply", hint) from error


class _Table:
    """Reads the table of one file, key by key; anything that is not as it must be raises RepairableError."""

    def __init__(self, shown: str, path: str, here: str) -> None:
        self._shown = shown
        self._folder = os.path.dirname(path)
        self._here = here
        self._readers: Mapping[str, tuple[str, Callable[[str, Any], Any]]] = {
            "select": ("select", self._selected),
            "ignore": ("ignore", self._words),
            "severity": ("severity", self._levels),
            "profile": ("profile", self._profile),
            "fail-on": ("fail_on", self._level),
            "per-path-ignores": ("per_path", self._per_path),
            "conversations": ("conversations", self._paths),
            "rules": ("rules", self._folders),
            "expect": ("expect", self._expected),
            "variables": ("variables", self._variables),
            "requires": ("requires", self._required),
            "baseline": ("baseline", self._path),
        }

    def config(self, table: Mapping[str, Any]) -> Config:
        """What the table says."""
        values: dict[str, Any] = {}
        for key, value in table.items():
            if key not in self._readers:
                raise unknown("bad-config", "key", key, list(self._readers), f"{self._shown}: ")
            name, read = self._readers[key]
            values[name] = read(key, value)
        return Config(file=self._shown, **values)

    def _words(self, key: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise _wrong(self._shown, key, "a list of text", value)
        return tuple(self._text(f"{key}[{index}]", item) for index, item in enumerate(value))

    def _text(self, key: str, value: Any) -> str:
        if not isinstance(value, str):
            raise _wrong(self._shown, key, "text", value)
        if not value.strip() or "\0" in value:
            raise RepairableError("bad-config", f"{self._shown}: {key} is empty text", "write a name, or take it out")
        return value.strip()

    def _items(self, key: str, value: Any) -> Iterator[tuple[str, str, Any]]:
        """The keys of a table, with the whole path that leads to each and what stands there."""
        if not isinstance(value, dict):
            raise _wrong(self._shown, key, "a table", value)
        return ((name, f'{key}."{name}"', item) for name, item in value.items())

    def _selected(self, key: str, value: Any) -> tuple[str, ...]:
        words = self._words(key, value)
        if not words:
            raise RepairableError("bad-config", f"{self._shown}: {key} names no rule", 'leave it out, or write ["ALL"]')
        return words

    def _levels(self, key: str, value: Any) -> dict[str, Severity]:
        return {name: self._level(path, level) for name, path, level in self._items(key, value)}

    def _level(self, key: str, value: Any) -> Severity:
        return Severity(self._one_of([level.value for level in Severity], "severity", key, value))

    def _profile(self, key: str, value: Any) -> str:
        return self._one_of(PROFILES, "profile", key, value)

    def _one_of(self, known: Sequence[str], what: str, key: str, value: Any) -> str:
        if self._text(key, value) not in known:
            raise unknown("bad-config", what, value, known, f"{self._shown}: {key}: ")
        return self._text(key, value)

    def _expected(self, key: str, value: Any) -> tuple[str, ...]:
        words = self._words(key, value)
        capabilities.require_known(words, f"{self._shown}: {key}: ")
        return words

    def _required(self, key: str, value: Any) -> tuple[str, ...]:
        words = self._words(key, value)
        portability.required(words, f"{self._shown}: {key}: ")
        return words

    def _per_path(self, key: str, value: Any) -> PathIgnores:
        globs = {name: self._words(path, words) for name, path, words in self._items(key, value)}
        return PathIgnores(globs, self._folder, self._here)

    def _paths(self, key: str, value: Any) -> tuple[str, ...]:
        """Files as a user would name them from the working directory."""
        return tuple(self._path(key, word) for word in self._words(key, value))

    def _path(self, key: str, value: Any) -> str:
        """One such file."""
        path = os.path.normpath(os.path.join(self._folder, self._text(key, value)))
        return os.path.relpath(path, self._here) if _within(path, self._here) else path

    def _folders(self, key: str, value: Any) -> tuple[str, ...]:
        folders = tuple(os.path.normpath(os.path.join(self._folder, word)) for word in self._words(key, value))
        for folder in folders:
            if not os.path.isdir(folder):
                message = f"{self._shown}: {key}: no such folder: {folder}"
                raise RepairableError("bad-config", message, "name folders of rule files, relative to the configuration file")
        return tuple(dict.fromkeys(folders))

    def _variables(self, key: str, value: Any) -> dict[str, Any]:
        return {name: self._variable(name, path, item) for name, path, item in self._items(key, value)}

    def _variable(self, name: str, key: str, value: Any) -> Any:
        if not name.isidentifier():
            raise RepairableError(
                "bad-config", f"{self._shown}: {key} is no name of a variable", "write enable_thinking = true"
            )
        if name in RESERVED:
            message = f"{self._shown}: {key}: {name} belongs to the conversation"
            raise RepairableError("bad-config", message, "put it in a file and list it under conversations")
        fault = _fault(value, MAX_DEPTH)
        if fault is not None:
            raise RepairableError("bad-config", f"{self._shown}: {key} {fault}", "write what a template can be given in JSON")
        return value


def _within(path: str, folder: str) -> bool:
    return os.path.commonpath((path, folder)) == folder


def _fault(value: Any, depth: int) -> str | None:
    """Why a value is none that a template can be given; None where it is one."""
    if isinstance(value, dict | list):
        inside = value.values() if isinstance(value, dict) else value
        faults = (_fault(item, depth - 1) for item in inside)
        return next((fault for fault in faults if fault), None) if depth else "nests too deeply"
    return None if isinstance(value, str | bool | int | float) else "holds a date or a time"


def _wrong(shown: str, key: str, expected: str, value: Any) -> RepairableError:
    message = f"{shown}: {key} must be {expected}, not {_kind(value)}"
    return RepairableError("bad-config", message, f"write {expected}; docs/configuration.md shows every key")


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "a table"}
    return names.get(type(value), "a date or a time")
