"""Which model a GGUF file was made from, as the model card beside it or its own head tells."""

from __future__ import annotations

from tpllint.errors import RepairableError
from tpllint.sources import file_beside
from tpllint.sources.files import ModelFile, ModelFiles
from tpllint.sources.hub_target import parse_hub_target
from tpllint.sources.model_card import CARD, base_models


class NoBaseModel(Exception):
    """No one model is told to be the base; the message is a clause that says why."""


def base_model(model: ModelFiles, *, offline: bool = False, token: str | None = None) -> str:
    """The id on the Hub of the model that this one was made from. Raises NoBaseModel, and RepairableError as the doors do."""
    named = base_models(_card(model, offline, token)) or tuple(_in_its_head(model))
    if not named:
        raise NoBaseModel("neither a model card beside the file nor the file itself names its base_model")
    if len(named) > 1:
        raise NoBaseModel(f"it was made from several models: {', '.join(named)}")
    return named[0]


def _card(model: ModelFiles, offline: bool, token: str | None) -> ModelFile | None:
    read = file_beside(model, CARD, offline=offline, token=token)
    return read if isinstance(read, ModelFile) else None


def _in_its_head(model: ModelFiles) -> dict[str, None]:
    """The models whose addresses the head of the GGUF file gives, in order."""
    found: dict[str, None] = {}
    for address in model.base_models:
        try:
            target = parse_hub_target(address)
        except RepairableError:  # an address of something else
            continue
        if target is not None:
            found[target.repository] = None
    return found
