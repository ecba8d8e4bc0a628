"""Writes what a fix makes of a model's files: all of it or nothing, and no file that has become another one meanwhile.

A new file appears before an old one changes, so that a template is never nowhere. Each appears whole, by its name alone: no
link is followed below the model's folder, and nothing that has a second name is written.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import PurePosixPath

from tpllint.errors import RepairableError
from tpllint.repairs import FileChange

FOLDER = os.O_RDONLY | os.O_DIRECTORY
EXISTING = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
PERMISSIONS = "check the folder and its permissions; nothing was changed"
AGAIN = "nothing was changed; run again"


@dataclass(frozen=True)
class _Place:
    """A change and where it happens: a name in an open folder. `made` is the name of what is to stand there, until it does."""

    change: FileChange
    folder: int
    name: str
    made: str | None


def write(folder: str, changes: Sequence[FileChange]) -> None:
    """Make of the files below a folder what they are to be. Raises RepairableError, and then nothing has changed."""
    with ExitStack() as stack:
        places = [_prepared(folder, change, stack) for change in changes]
        for place in places:
            with _told(place.change):
                _require_unchanged(place)
        with _undone() as begun:
            for place in sorted(places, key=_turn):
                begun.append(place)
                with _told(place.change):
                    _put_in_place(place)


def _turn(place: _Place) -> int:
    """New files first, and what is deleted last."""
    return 0 if place.change.before is None else 1 if place.change.after is not None else 2


@contextlib.contextmanager
def _told(change: FileChange) -> Iterator[None]:
    """What the system refuses, as an error that names the file."""
    try:
        yield
    except OSError as error:
        kind = "no-permission" if isinstance(error, PermissionError) else "unusable-path"
        reason = (error.strerror or str(error)).lower()
        raise RepairableError(kind, f"{change.shown} cannot be written: {reason}", PERMISSIONS) from error


def _prepared(root: str, change: FileChange, stack: ExitStack) -> _Place:
    """The place of a change, with what is to stand there written beside it; it goes when the stack ends."""
    with _told(change):
        path = PurePosixPath(change.name)
        folder = _opened(root, path.parent.name, change, stack)
        place = _Place(change, folder, path.name, None if change.after is None else f".{secrets.token_hex(8)}.tpllint")
        like = _require_unchanged(place)
        if place.made is not None and change.after is not None:
            stack.callback(_removed, folder, place.made)
            _write_new(folder, place.made, change.after, like)
        return place


def _opened(root: str, inner: str, change: FileChange, stack: ExitStack) -> int:
    """The folder that a file is in, made where there is none; a link below the model's own is none."""
    outer = os.open(root, FOLDER)
    stack.callback(os.close, outer)
    if not inner:
        return outer
    if change.before is None:
        with contextlib.suppress(FileExistsError):
            os.mkdir(inner, dir_fd=outer)
            stack.callback(_emptied, outer, inner)
    if not stat.S_ISDIR(os.stat(inner, dir_fd=outer, follow_symlinks=False).st_mode):
        message = f"{change.shown} cannot be written: {inner} is a link or no folder"
        raise RepairableError("unusable-path", message, "make it a folder of the model's own; nothing was changed")
    folder = os.open(inner, FOLDER | os.O_NOFOLLOW, dir_fd=outer)
    stack.callback(os.close, folder)
    return folder


def _removed(folder: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _emptied(folder: int, name: str) -> None:
    """Take a folder away that was made for nothing."""
    with contextlib.suppress(OSError):
        os.rmdir(name, dir_fd=folder)


def _write_new(folder: int, name: str, data: bytes, like: os.stat_result | None) -> None:
    """A new file that is on the disk, with the owner and the permissions of another one."""
    with os.fdopen(os.open(name, NEW, 0o666, dir_fd=folder), "wb") as stream:
        stream.write(data)
        stream.flush()
        if like is not None:
            with contextlib.suppress(PermissionError):
                os.fchown(stream.fileno(), like.st_uid, like.st_gid)
            os.fchmod(stream.fileno(), stat.S_IMODE(like.st_mode))
        os.fsync(stream.fileno())


def _require_unchanged(place: _Place) -> os.stat_result | None:
    """What stands in the place is what was read: a file of one name that may be written, or nothing. Raises RepairableError."""
    change = place.change
    try:
        status = os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
    except FileNotFoundError:
        status = None
    if status is None or change.before is None:
        if status is not None or change.before is not None:
            raise _changed(change)
        return None
    _require_own(change, status)
    with os.fdopen(os.open(place.name, EXISTING, dir_fd=place.folder), "rb") as stream:
        _require_own(change, os.fstat(stream.fileno()))
        if stream.read(len(change.before) + 1) != change.before:
            raise _changed(change)
    return status


def _require_own(change: FileChange, status: os.stat_result) -> None:
    """A file can be replaced: it is one, and no other name leads to it. Raises RepairableError."""
    if stat.S_ISLNK(status.st_mode):
        raise RepairableError(
            "not-a-file", f"{change.shown} is a link, and is not written", "fix what it leads to; nothing was changed"
        )
    if not stat.S_ISREG(status.st_mode):
        raise RepairableError("not-a-file", f"{change.shown} is not a regular file, and is not written", PERMISSIONS)
    if status.st_nlink > 1:
        message = f"{change.shown} has more than one name (hard links), and is not written"
        raise RepairableError("not-a-file", message, "put a copy of its own in its place; nothing was changed")


def _changed(change: FileChange) -> RepairableError:
    return RepairableError("changed-meanwhile", f"{change.shown} has changed since it was read, and is not written", AGAIN)


@contextlib.contextmanager
def _undone() -> Iterator[list[_Place]]:
    """Where a change fails or is interrupted, what was changed is taken back, the last one first."""
    begun: list[_Place] = []
    try:
        yield begun
    except BaseException:
        for place in reversed(begun):
            if _is_done(place):
                _take_back(place)
        raise


def _is_done(place: _Place) -> bool:
    """Whether what was to stand in a place stands there, and nothing that others have made of it."""
    try:
        with os.fdopen(os.open(place.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place.folder), "rb") as stream:
            return place.change.after is not None and stream.read(len(place.change.after) + 1) == place.change.after
    except FileNotFoundError:
        return place.change.after is None
    except OSError:
        return False


def _put_in_place(place: _Place) -> None:
    """Let a file appear, change or go. A file that has become another one stays. Raises RepairableError, OSError."""
    _require_unchanged(place)
    if place.made is None:
        os.unlink(place.name, dir_fd=place.folder)
    elif place.change.before is None:
        _appear(place, place.made)
    else:
        os.replace(place.made, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
    with contextlib.suppress(OSError):  # not every file system keeps folders that way
        os.fsync(place.folder)


def _appear(place: _Place, made: str) -> None:
    """Give a new file its name, which nothing else may have got meanwhile."""
    try:
        os.link(made, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder, follow_symlinks=False)
    except FileExistsError:
        raise _changed(place.change) from None
    except OSError:  # a file system without links
        _require_unchanged(place)
        os.rename(made, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)


def _take_back(place: _Place) -> None:
    """Put what was there before into its place again, as far as the system lets."""
    with contextlib.suppress(OSError):
        if place.change.before is None:
            os.unlink(place.name, dir_fd=place.folder)
            return
        name = f".{secrets.token_hex(8)}.tpllint"
        status = None if place.made is None else os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
        _write_new(place.folder, name, place.change.before, status)
        os.replace(name, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
