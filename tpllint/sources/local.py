"""The door for files and folders on this machine: regular files only, size-capped, nothing outside a model's folder."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from tpllint.errors import RepairableError
from tpllint.sources.files import (
    CONFIGURATIONS,
    JSON_FILES,
    MAX_FILES,
    TEMPLATE,
    TEMPLATE_FOLDER,
    TOKENIZER,
    ModelFile,
    ModelFiles,
    UnreadFile,
    companions,
    is_readable,
    max_bytes,
    root_and_name,
)
from tpllint.sources.gguf import Metadata, read_metadata
from tpllint.sources.gguf_files import gguf_file, is_gguf, with_gguf
from tpllint.sources.opening import NotRegularError, OutsideError, opened, opened_inside
from tpllint.tokenizer_head import Head, read_head

MAX_LISTED = 1000
"""How many names of one folder are listed."""
MAX_FOLDERS = 20
"""In how many of its folders names are listed."""

MAX_SORTED = 10_000
"""Of how many named templates the first are read."""
UNOPENED = (OSError, RuntimeError, NotRegularError, OutsideError)

KNOWN_FILES = "a .jinja or .gguf file, tokenizer_config.json, chat_template.json, processor_config.json or a model folder"


def read_local(target: str, more: tuple[str, ...] = ()) -> ModelFiles:
    """The files of a path the user named; `more` are names of files to read from its folder besides.

    Raises RepairableError where it cannot be read or is no kind of target.
    """
    path = Path(target)
    if not target:
        raise RepairableError("no-such-path", "an empty target", f"name {KNOWN_FILES}, or org/model for a model on the Hub")
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise RepairableError(
            "no-such-path",
            f"no such file or folder: {target}",
            "check the path, or write org/model for a model on the Hub",
        ) from None
    except (OSError, ValueError) as error:
        raise _unusable(target, error) from error
    if stat.S_ISDIR(mode):
        return _folder(target, path, more)
    if not stat.S_ISREG(mode):
        raise RepairableError("not-a-file", f"not a regular file: {target}", f"name {KNOWN_FILES}")
    if is_gguf(path.name):
        return _gguf_file(target, path)
    if not is_readable(path.name):
        raise RepairableError("unknown-kind", f"not a kind of file tpllint reads: {target}", f"name {KNOWN_FILES}")
    return _file(target, path, more)


def read_more(model: ModelFiles, names: tuple[str, ...]) -> ModelFiles:
    """The same model with files of these names from its folder; one that cannot be read is among the unread."""
    if model.folder is None:
        return model
    more = _gathered(model.target, Path(model.folder), names, frozenset())
    return model._replace(files={**model.files, **more.files}, unread=(*model.unread, *more.unread))


def read_beside(target: str, name: str) -> ModelFile | UnreadFile | None:
    """A file of this name in the folder that a path names, or beside the file that it names; None where there is none."""
    path = Path(target)
    return _read(path if path.is_dir() else path.parent, name, trusted=False)


def model_folder(target: str) -> str | None:
    """The model folder that a path names a file of, by the names transformers reads; None for anything else, such as a URL."""
    if not os.path.lexists(target):
        return None
    path = PurePosixPath(target)
    if path.name in (*CONFIGURATIONS, TEMPLATE):
        return f"{path.parent}/"
    in_folder = path.parent.name == TEMPLATE_FOLDER and path.suffix == ".jinja"
    return f"{path.parent.parent}/" if in_folder else None


def _folder(target: str, path: Path, more: tuple[str, ...]) -> ModelFiles:
    try:
        names = [*JSON_FILES, TEMPLATE, *_additional(path), *more]
    except OSError as error:
        raise _unusable(target, error) from error
    model = _gathered(target, path, names, frozenset())._replace(listing=_listing(path))
    return with_gguf(model, model.listing, lambda name: _shown(path / name), lambda name: _inside(path, name))


def _gguf_file(target: str, path: Path) -> ModelFiles:
    try:
        with opened(path) as stream:
            return gguf_file(target, _shown(path), read_metadata(stream))
    except NotRegularError:
        raise RepairableError("not-a-file", f"not a regular file: {target}", f"name {KNOWN_FILES}") from None
    except OSError as error:
        raise _unusable(target, error) from error


def _inside(root: Path, name: str) -> Metadata | None:
    """The head of a GGUF file in a folder; None where there is none that can be read."""
    with contextlib.suppress(*UNOPENED), opened_inside(root / name, root) as stream:
        return read_metadata(stream)
    return None


def _listing(root: Path) -> tuple[str, ...]:
    """What lies in a model's folder and in the folders right below it; what cannot be listed counts as not there."""
    found: list[str] = []
    for folder in (root, *_below(root)):
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            names = (Path(entry.path).relative_to(root).as_posix() for entry in itertools.islice(entries, MAX_LISTED))
            found += sorted(names)
    return tuple(found)


def _below(root: Path) -> list[Path]:
    with contextlib.suppress(OSError), os.scandir(root) as entries:
        below = (entry for entry in itertools.islice(entries, MAX_LISTED) if entry.is_dir(follow_symlinks=False))
        return sorted(Path(entry.path) for entry in below)[:MAX_FOLDERS]
    return []


def _file(target: str, path: Path, more: tuple[str, ...]) -> ModelFiles:
    """The named file, and its folder's configuration for the special tokens."""
    root, name = root_and_name(path)
    neighbours = [other for other in companions(name) if _small(root / other)]
    model = _gathered(target, root, [*neighbours, name, *more], frozenset({name}))
    unread = {file.name: file for file in model.unread}
    if name in unread and unread[name].reason.startswith("cannot be opened"):
        raise RepairableError("no-permission", f"{target} {unread[name].reason}", "check the file's permissions")
    return model


def _small(path: Path) -> bool:
    return path.is_file() and path.stat().st_size <= max_bytes(path.name)


def _additional(root: Path) -> list[str]:
    folder = root / TEMPLATE_FOLDER
    if not folder.is_dir():
        return []
    found = (f"{TEMPLATE_FOLDER}/{entry.name}" for entry in folder.iterdir() if entry.suffix == ".jinja")
    return sorted(itertools.islice(found, MAX_SORTED))


def _gathered(target: str, root: Path, names: Iterable[str], focus: frozenset[str]) -> ModelFiles:
    files: dict[str, ModelFile] = {}
    unread: list[UnreadFile] = []
    for number, name in enumerate(dict.fromkeys(names)):
        read = _read(root, name, trusted=name in focus) if number < MAX_FILES else _beyond(root, name)
        if isinstance(read, ModelFile):
            files[name] = read
        elif read is not None:
            unread.append(read)
    return ModelFiles(target, files, focus, unread=tuple(unread), folder=str(root), head=_head(root))


def _beyond(root: Path, name: str) -> UnreadFile:
    return UnreadFile(name, _shown(root / name), f"is beyond the first {MAX_FILES} files")


def _head(root: Path) -> Head | None:
    """What a model's tokenizer.json begins with; None where it has none."""
    path = root / TOKENIZER
    try:
        if not os.path.lexists(path):
            return None
        with opened_inside(path, root) as stream:
            return read_head(stream)
    except UNOPENED:
        return Head()


def _read(root: Path, name: str, *, trusted: bool) -> ModelFile | UnreadFile | None:
    """One file, None where there is none. `trusted`: the user named it, so a link may lead anywhere."""
    path = root / PurePosixPath(name)
    shown = _shown(path)
    try:
        if not os.path.lexists(path):
            return None
        with opened(path) if trusted else opened_inside(path, root) as stream:
            return _read_whole(stream, name, shown)
    except OutsideError:
        return UnreadFile(name, shown, "is a link to a place outside the model's folder")
    except NotRegularError:
        return UnreadFile(name, shown, "is not a regular file")
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, for pathlib before Python 3.13
        return UnreadFile(name, shown, f"cannot be opened: {_reason(error)}")


def _read_whole(stream: BinaryIO, name: str, shown: str) -> ModelFile | UnreadFile:
    limit = max_bytes(name)
    data = stream.read(limit + 1)
    if len(data) > limit:
        return UnreadFile(name, shown, f"is larger than {limit // 1_000_000} MB")
    return ModelFile(name, shown, data)


def _shown(path: Path) -> str:
    """Relative to the working directory, as findings print it."""
    try:
        text = os.path.relpath(path)
    except OSError:  # the working directory itself is gone
        return path.as_posix()
    return Path(text).as_posix() if not text.startswith("..") else path.as_posix()


def _reason(error: Exception) -> str:
    if isinstance(error, RuntimeError):  # its own words hold the whole path
        return os.strerror(errno.ELOOP).lower()
    return (getattr(error, "strerror", None) or str(error)).lower()


def _unusable(target: str, error: OSError | ValueError) -> RepairableError:
    kind = "no-permission" if isinstance(error, PermissionError) else "unusable-path"
    return RepairableError(kind, f"{target} cannot be opened: {_reason(error)}", "check the path and its permissions")
