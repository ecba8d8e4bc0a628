"""The verb `describe`: the anatomy of a target's templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tpllint.errors import RepairableError
from tpllint.finding import TargetError
from tpllint.pool import Answers, Pool
from tpllint.targets import Argument, Request, Target, named, no_template, opened, order_for


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
    results: list[Described | None] = []
    orders = []
    for target in found:
        if target.resolved is None:
            results.append(Described(target.argument, error=target.error))
        elif not target.resolved.templates:
            results.append(Described(target.argument, error=no_template(target.argument, target.resolved.facts)))
        else:
            results.append(None)
            selection = {"coverage": coverage}
            orders.append(order_for(target, target.resolved, request, (), want="description", selection=selection))
    answers = iter(pool.run(orders))
    return [done or _described(target.argument, next(answers)) for done, target in zip(results, found, strict=True)]


def refused(targets: Sequence[Argument], error: RepairableError) -> list[Described]:
    """What a run that cannot start says: the same error of every target."""
    told = TargetError(error.kind, error.message, error.hint)
    return [Described(target, error=told) for target in dict.fromkeys(map(named, targets))]


def _described(argument: str, answers: Answers) -> Described:
    if answers.ended:
        message = f"{argument} could not be described: {answers.ended}"
        return Described(argument, error=TargetError("resource-exhaustion", message, "run tpllint check on it"))
    crash = next((message for message in answers.messages if message["kind"] == "crash"), None)
    if crash:
        raise RuntimeError(crash["traceback"])
    records = (message for message in answers.messages if message["kind"] == "description")
    return Described(argument, tuple(_record(argument, record) for record in records))


def _record(argument: str, message: Mapping[str, Any]) -> dict[str, Any]:
    return {"target": argument, **{key: value for key, value in message.items() if key != "kind"}}
