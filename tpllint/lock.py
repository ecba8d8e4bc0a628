"""The lock file: by target and template the signatures of what was accepted, so that a later check can tell what changed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import tpllint
from tpllint.errors import RepairableError
from tpllint.job import Locked
from tpllint.signatures import LENGTH
from tpllint.sources.local import model_folder
from tpllint.sources.own_file import FormError, own_bytes, own_json

FILE = "tpllint.lock"
"""In the working directory, where nobody names another."""
RULE = "template-changed-since-lock"
SCHEMA = "tpllint-lock-v1"
MAX_BYTES = 8_000_000
SIGNATURE = re.compile(rf"[0-9a-f]{{{LENGTH}}}")
PAIR = re.compile(rf"[0-9a-f]{{{LENGTH}}} [0-9a-f]{{{LENGTH}}}")
"""The signature of a conversation and that of its prompts, in one line of the file."""
BROKEN = "restore it, or remove it and lock again"

Templates = Mapping[str, Locked]
"""What is locked of one target, by the label of each template."""


class Entry(NamedTuple):
    """A target by what a lock has it: it is held to that alone, whatever else of its folder is locked or checked."""

    target: str


class Lock(NamedTuple):
    """What a lock file holds, by target; `path` is as the user named the file."""

    path: str
    targets: Mapping[str, Templates] = {}

    def of(self, target: str) -> Templates:
        """What is locked of a target. Raises RepairableError where that is nothing."""
        found = self.targets.get(key_of(target))
        if found is None:
            folder = model_folder(files_of(target)[0])
            raise RepairableError("not-locked", f"{target} is not in {self.path}", self._lock_it(folder or target))
        return found

    def entries(self) -> tuple[Entry, ...]:
        """Everything that is locked. Raises RepairableError where that is nothing: a gate must not pass for want of targets."""
        if not self.targets:
            raise RepairableError("not-locked", f"{self.path} holds no targets", self._lock_it("TARGET"))
        return tuple(map(Entry, self.targets))

    def _lock_it(self, target: str) -> str:
        wanted = f"run tpllint lock {key_of(target)}"
        return wanted if self.path == FILE else f"{wanted} --lock-file {self.path}"

    def folder_for(self, targets: Sequence[str]) -> str | None:
        """The locked model folder that files belong to which are not locked themselves; None where there is none."""
        folder = model_folder(targets[0])
        if folder is None or key_of(" ".join(targets)) in self.targets:
            return None
        return folder if key_of(folder) in self.targets else None

    def with_target(self, target: str, templates: Templates, *, whole: bool) -> Lock:
        """The same with a target locked anew; where that is not the `whole` of it, its other templates stay."""
        key = key_of(target)
        kept = {} if whole else self.targets.get(key, {})
        return self._replace(targets={**self.targets, key: {**kept, **templates}})

    def as_text(self) -> str:
        """The file's text. Raises RepairableError where no lock of that size would be read."""
        targets = {key: {label: _as_json(one) for label, one in held.items()} for key, held in self.targets.items()}
        told = {"schema": SCHEMA, "version": tpllint.__version__, "targets": targets}
        text = json.dumps(told, indent=1, sort_keys=True) + "\n"
        if len(text) > MAX_BYTES:
            raise _too_large(self.path, "would be larger")
        return text


def key_of(target: str) -> str:
    """What a target is known by in a lock: as it was typed, without what makes no other path of it."""
    return target.rstrip("/") if "://" in target else str(PurePosixPath(target))


def files_of(target: str) -> list[str]:
    """The files that were locked together under one name, in its order; what is no such name stands for itself."""
    files, name = [], ""
    for word in target.split(" "):
        name = f"{name} {word}" if name else word
        if model_folder(name) is not None:
            files.append(name)
            name = ""
    return [target] if name or not files else files


def read_lock(path: str) -> Lock:
    """The lock in a file. Raises RepairableError."""
    try:
        return Lock(path, _targets(own_json(_bytes(path))))
    except FileNotFoundError as error:
        raise RepairableError("no-such-path", f"no such file: {path}", "run tpllint lock on the targets first") from error
    except FormError as error:
        raise RepairableError("bad-lock", f"{path} is no lock: {error}", BROKEN) from error


def lock_to_extend(path: str) -> Lock:
    """The lock in a file that need not be there yet. Raises RepairableError."""
    return read_lock(path) if os.path.lexists(path) else Lock(path)


def _as_json(locked: Locked) -> dict[str, Any]:
    return {**locked._asdict(), "conversations": {name: " ".join(pair) for name, pair in locked.conversations.items()}}


def _bytes(path: str) -> bytes:
    """What is in the file. Raises FileNotFoundError, RepairableError."""
    takes = "--lock-file takes a file of tpllint lock"
    return own_bytes(path, MAX_BYTES, takes=takes, too_large=_too_large(path, "is larger"))


def _too_large(path: str, how: str) -> RepairableError:
    return RepairableError("too-large", f"{path} {how} than {MAX_BYTES // 1_000_000} MB", "use several files of --lock-file")


def _targets(loaded: Any) -> dict[str, Templates]:
    fields = _object(loaded, "the file", {"schema", "version", "targets"})
    if fields["schema"] != SCHEMA:
        raise FormError(f'its schema is not "{SCHEMA}"')
    if not isinstance(fields["version"], str):
        raise FormError("its version is no text")
    return {key: _templates(held) for key, held in _object(fields["targets"], "targets").items()}


def _templates(loaded: Any) -> Templates:
    held = _object(loaded, "a target")
    if not held:
        raise FormError("a target has no templates")
    return {label: _template(each) for label, each in held.items()}


def _template(loaded: Any) -> Locked:
    fields = _object(loaded, "a template", {"source", "tokens", "conversations"})
    pairs = _object(fields["conversations"], "conversations").items()
    conversations = {name: _pair(value) for name, value in pairs}
    return Locked(_signature(fields["source"]), _signature(fields["tokens"]), conversations)


def _object(value: Any, what: str, keys: set[str] | None = None) -> dict[str, Any]:
    """A JSON object, of exactly these keys where some are given. Raises FormError."""
    if not isinstance(value, dict):
        raise FormError(f"{what} is no object")
    if keys is not None and value.keys() != keys:
        raise FormError(f"{what} has other keys than {', '.join(sorted(keys))}")
    return value


def _signature(value: Any) -> str:
    if not isinstance(value, str) or not SIGNATURE.fullmatch(value):
        raise FormError(f"a signature is not of {LENGTH} hexadecimal digits")
    return value


def _pair(value: Any) -> tuple[str, str]:
    if not isinstance(value, str) or not PAIR.fullmatch(value):
        raise FormError(f"a conversation has not two signatures of {LENGTH} hexadecimal digits")
    asked, prompts = value.split(" ")
    return asked, prompts
