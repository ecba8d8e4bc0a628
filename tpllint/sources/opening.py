"""Opens files that a stranger may have put there: regular ones only, without waiting, and not outside of a folder.

Between a look at a path and its opening, somebody may put a link or a pipe there. So what is open is looked at again, and
below a folder no link is followed but those that were resolved before.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY
"""A folder whose names may not be listed can be passed through all the same, where the system knows how."""


class OutsideError(Exception):
    """A path leads out of the model's folder."""


class NotRegularError(Exception):
    """What stands there is no regular file."""


def opened(path: Path) -> BinaryIO:
    """A file that the user named: links may lead anywhere. Raises OSError, NotRegularError."""
    _require_regular(os.stat(path))
    return _stream(os.open(path, _FILE))


def opened_inside(path: Path, root: Path) -> BinaryIO:
    """A file of a model's folder. Raises OSError, RuntimeError for a loop of links, NotRegularError, OutsideError.

    The blobs of the Hub's cache, which lie beside its snapshots, are inside.
    """
    real, inside = path.resolve(), root.resolve()
    bases = (inside, inside.parent.parent / "blobs") if inside.parent.name == "snapshots" else (inside,)
    for base in bases:
        if real.is_relative_to(base):
            return opened_below(base, real.relative_to(base).parts)
    raise OutsideError


def opened_below(base: Path, parts: Sequence[str]) -> BinaryIO:
    """The file that names lead to from a folder; a link among them is an OSError. Raises NotRegularError."""
    if not parts:
        raise NotRegularError
    folder = os.open(base, _FOLDER)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        _require_regular(os.stat(parts[-1], dir_fd=folder, follow_symlinks=False))
        return _stream(os.open(parts[-1], _FILE | os.O_NOFOLLOW, dir_fd=folder))
    finally:
        os.close(folder)


def _stream(descriptor: int) -> BinaryIO:
    stream = os.fdopen(descriptor, "rb")
    try:
        _require_regular(os.fstat(descriptor))
    except NotRegularError:
        stream.close()
        raise
    return stream


def _require_regular(status: os.stat_result) -> None:
    """To open a device can already do something, so this is asked before as well."""
    if not stat.S_ISREG(status.st_mode):
        raise NotRegularError
