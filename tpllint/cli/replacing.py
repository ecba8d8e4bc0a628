"""Files that a command writes: each appears whole or not at all, and none takes the place of what a target is read from."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import TextIO

from tpllint.sources.files import JSON_FILES, TEMPLATE, TEMPLATE_FOLDER, TOKENIZER, is_readable, root_and_name
from tpllint.sources.gguf_files import is_gguf
from tpllint.sources.model_card import CARD

NAMES = (TEMPLATE, TOKENIZER, CARD, *JSON_FILES)
"""Of files in a model's root that a command may read; beside them it reads GGUF files and named templates."""


@contextlib.contextmanager
def replaced(path: str) -> Iterator[TextIO]:
    """A text that becomes the file of this name, with the permissions of the one before; where it fails, that one stays."""
    place = os.path.realpath(path)
    made = os.path.join(os.path.dirname(place), f".{os.urandom(8).hex()}.tpllint")
    try:
        with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "w", encoding="utf-8") as stream:
            if os.path.exists(place):
                os.fchmod(stream.fileno(), stat.S_IMODE(os.stat(place).st_mode))
            yield stream
        os.replace(made, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(made)
        raise


def reader_of(path: str, targets: Iterable[str]) -> str | None:
    """The first of these targets that is read from the file of this path, or would be if it were there; None where none is."""
    written = _Written(path)
    return next((target for target in targets if written.leads_to(target) or written.is_of_model(target)), None)


class _Written:
    """A path that is to be written, by the file and the folders that it leads to."""

    def __init__(self, path: str) -> None:
        self._place = os.path.realpath(path)
        self._file = _identity(path)
        self._folders = {folder for place in {os.path.abspath(path), self._place} for folder in _folders(place)}

    def leads_to(self, target: str) -> bool:
        """Whether both paths are of one file, which need not be there."""
        if self._file is not None:
            return _identity(target) == self._file
        return os.path.realpath(target) == self._place

    def is_of_model(self, target: str) -> bool:
        """Whether a target on this machine is a model that the file is of, or a file of such a model."""
        root = _root(target)
        return root is not None and (_identity(root) in self._folders or self._is_linked_from(root))

    def _is_linked_from(self, root: str) -> bool:
        """Whether a file of the model leads here by a link."""
        return self._file is not None and any(_identity(os.path.join(root, name)) == self._file for name in NAMES)


def _folders(path: str) -> Iterator[tuple[int, int]]:
    """The folders whose models the file of a path would be of, by its name."""
    folder, name = os.path.split(path)
    above, last = os.path.split(folder)
    wanted = (
        (folder, name in NAMES or is_gguf(name)),
        (above, last == TEMPLATE_FOLDER and PurePosixPath(name).suffix == ".jinja"),
    )
    found = (_identity(each) for each, is_of_model in wanted if is_of_model)
    return (identity for identity in found if identity is not None)


def _root(target: str) -> str | None:
    """The folder of the model that a target on this machine is, or is a file of; None for anything else."""
    if os.path.isdir(target):
        return target
    is_file_of_model = (is_readable(target) or is_gguf(target)) and os.path.isfile(target)
    return str(root_and_name(PurePosixPath(target))[0]) if is_file_of_model else None


def _identity(path: str) -> tuple[int, int] | None:
    """What tells a file or folder from all others, whatever its name is; None where there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
