"""The verb `describe`: the anatomy of a target's templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tpllint.errors import RepairableError
from tpllint.finding import TargetError
from tpllint.pool import Answers, Order, Pool
from tpllint.storage import Resolved
from tpllint.targets import Argument, Request, Target, answered, named, opened, order_for


@dataclass(frozen=True)
class Described:
    """Every template of one target, in the form of the JSON contract, or the error that prevents it."""

    target: str
    templates: tuple[Mapping[str, Any], ...] = ()
    error: TargetError | None = None


def describe(targets: Sequence[Argument], pool: Pool, request: Request, *, coverage: bool = False) -> list[Described]:
    """Describe each target; one that cannot be opened does not stop the others."""
    return described(opened(targets, request), pool, request, coverage=coverage)


def described(found: Sequence[Target], pool: Pool, request: Request, *, coverage: bool = False) -> list[Described]:
    """The anatomy of targets that are open."""

    def order(target: Target, resolved: Resolved) -> Order:
        return order_for(target, resolved, request, (), want="description", selection={"coverage": coverage})

    return [_described(target.argument, answers) for target, answers in answered(found, pool, order)]


def refused(targets: Sequence[Argument], error: RepairableError) -> list[Described]:
    """What a run that cannot start says: the same error of every target."""
    told = TargetError(error.kind, error.message, error.hint)
    return [Described(target, error=told) for target in dict.fromkeys(map(named, targets))]


def _described(argument: str, answers: Answers | TargetError) -> Described:
    if isinstance(answers, TargetError):
        return Described(argument, error=answers)
    records = (message for message in answers.messages if message["kind"] == "description")
    return Described(argument, tuple(_record(argument, record) for record in records))


def _record(argument: str, message: Mapping[str, Any]) -> dict[str, Any]:
    return {"target": argument, **{key: value for key, value in message.items() if key != "kind"}}
