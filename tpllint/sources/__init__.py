"""Doors: from an argument of the command line to the bytes of a model's files."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tpllint.sources.files import ModelFile, ModelFiles, UnreadFile
from tpllint.sources.hub_target import HubTarget, parse_hub_target
from tpllint.sources.local import read_beside, read_local, read_more
from tpllint.sources.stdin import read_stdin

if TYPE_CHECKING:
    from tpllint.sources.hub_weights import Held


def open_target(target: str, *, offline: bool = False, token: str | None = None, more: tuple[str, ...] = ()) -> ModelFiles:
    """The files of one target: `-`, an existing path, or a model on the Hub. Raises RepairableError.

    `more` names files that are read besides, where a model has them.
    """
    if target == "-":
        return read_stdin(sys.stdin.buffer if sys.stdin else None)
    if os.path.lexists(target):
        return read_local(target, more)
    wanted = parse_hub_target(target)
    if wanted is None:
        return read_local(target, more)
    from tpllint.sources.hub import fetch

    return fetch(target, wanted, offline=offline, token=token, more=more)


def with_more(model: ModelFiles, names: tuple[str, ...], *, offline: bool = False, token: str | None = None) -> ModelFiles:
    """The same model with its files of these names, where it has them; from the Hub, of the same commit."""
    if model.from_gguf:
        return model
    if model.commit is None:
        return read_more(model, names)
    from tpllint.sources.hub import fetch

    asked = parse_hub_target(model.target) or HubTarget(model.origin, None)
    return fetch(model.target, asked._replace(revision=model.commit), offline=offline, token=token, more=names)


def file_beside(
    model: ModelFiles, name: str, *, offline: bool = False, token: str | None = None
) -> ModelFile | UnreadFile | None:
    """A further small file of the folder or repository that a model was read from; None where it has none."""
    if model.commit is None:
        return read_beside(model.target, name)
    from tpllint.sources.hub import fetch_file

    return fetch_file(HubTarget(model.origin, model.commit), name, offline=offline, token=token)


def held_by_hub(target: HubTarget, *, offline: bool = False, token: str | None = None) -> Held:
    """What a whole model on the Hub consists of, for somebody else to load. Raises RepairableError."""
    from tpllint.sources.hub_weights import held

    return held(target, offline=offline, token=token)
