"""Doors: from an argument of the command line to the bytes of a model's files."""

from __future__ import annotations

import os
import sys

from tpllint.sources.files import ModelFiles
from tpllint.sources.local import read_local
from tpllint.sources.stdin import read_stdin


def open_target(target: str, *, offline: bool = False, token: str | None = None) -> ModelFiles:
    """The files of one target: `-`, an existing path, or a model on the Hub. Raises RepairableError."""
    if target == "-":
        return read_stdin(sys.stdin.buffer)
    if os.path.lexists(target):
        return read_local(target)
    from tpllint.sources import hub

    wanted = hub.parse_hub_target(target)
    return read_local(target) if wanted is None else hub.fetch(target, wanted, offline=offline, token=token)
