"""The verb `describe`: the anatomy of a target's templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tpllint.errors import RepairableError
from tpllint.finding import TargetError
from tpllint.pool import Answers, Order, Pool
from tpllint.portability import required
from tpllint.storage import Resolved
from tpllint.storage.reading import Stored
from tpllint.storage.views import View
from tpllint.targets import Argument, Request, Target, answered, named, opened, order_for


@dataclass(frozen=True)
class Described:
    """Every template of one target, in the form of the JSON contract, or the error that prevents it."""

    target: str
    templates: tuple[Mapping[str, Any], ...] = ()
    error: TargetError | None = None


def describe(targets: Sequence[Argument], pool: Pool, request: Request, *, coverage: bool = False) -> list[Described]:
    """Describe each target; one that cannot be opened does not stop the others. Raises RepairableError for unknown engines."""
    required(request.requires)
    return described(opened(targets, request), pool, request, coverage=coverage)


def described(found: Sequence[Target], pool: Pool, request: Request, *, coverage: bool = False) -> list[Described]:
    """The anatomy of targets that are open."""

    def order(target: Target, resolved: Resolved) -> Order:
        return order_for(target, resolved, request, (), want="description", selection={"coverage": coverage})

    return [_described(target, answers) for target, answers in answered(found, pool, order)]


def refused(targets: Sequence[Argument], error: RepairableError) -> list[Described]:
    """What a run that cannot start says: the same error of every target."""
    told = TargetError(error.kind, error.message, error.hint)
    return [Described(target, error=told) for target in dict.fromkeys(map(named, targets))]


def _described(target: Target, answers: Answers | TargetError) -> Described:
    if isinstance(answers, TargetError):
        return Described(target.argument, error=answers)
    note = None if target.model is None else target.model.note
    told = {"target": target.argument, "note": note, "storage": _storage(target)}
    records = (message for message in answers.messages if message["kind"] == "description")
    return Described(target.argument, tuple({**told, **_without_kind(record)} for record in records))


def _without_kind(message: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key != "kind"}


def _storage(target: Target) -> dict[str, Any] | None:
    """What each loader has of a model; None where only a part of the model was named, for one template alone, and for GGUF."""
    resolved, model = target.resolved, target.model
    if resolved is None or not resolved.views or model is None or model.focus or model.from_gguf:
        return None
    told: dict[str, Any] = {"tokenizer": None, "processor": None}
    told |= {view.loader: _view(view) for view in resolved.views}
    unreadable = [f"{fact.file} {fact.detail}" for fact in resolved.facts if fact.kind in ("unreadable", "unread")]
    return {**told, "unreadable": unreadable}


def _view(view: View) -> dict[str, Any]:
    plain, with_tools = (view.chosen(tools=tools) for tools in (False, True))
    return {
        "error": view.error,
        "named": view.named,
        "templates": [_place(stored) for stored in view.templates],
        "chosen": None if plain is None else plain.name,
        "chosen_with_tools": None if with_tools is None else with_tools.name,
        "not_loaded": [{**_place(stored), "same_text": _same_text(view, stored)} for stored in view.shadowed],
    }


def _place(stored: Stored) -> dict[str, Any]:
    return {"name": stored.name, "file": stored.file.name, "template": stored.label}


def _same_text(view: View, shadowed: Stored) -> bool | None:
    """Whether the template of that name that is loaded instead says the same; None where none is loaded."""
    loaded = next((stored for stored in view.templates if stored.name == shadowed.name), None)
    return None if loaded is None else loaded.source == shadowed.source
