"""The verb `render`: conversations through a target's templates, as transformers would render them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tpllint.finding import TargetError
from tpllint.pool import Pool
from tpllint.targets import Request, no_template, opened, order_for

SHOWN_BY_DEFAULT = "user-assistant-user"


@dataclass(frozen=True)
class Renders:
    """Every render of one target, in the form of the JSON contract, or the error that prevents them."""

    target: str
    renders: tuple[Mapping[str, Any], ...] = ()
    error: TargetError | None = None


@dataclass(frozen=True)
class Asked:
    """What `render` is asked for. `generation_prompt` None follows each conversation: on, unless the assistant spoke last."""

    request: Request = field(default_factory=Request)
    every: bool = False
    names: tuple[str, ...] = ()
    generation_prompt: bool | None = None
    continue_final_message: bool = False


def render(targets: Sequence[str], pool: Pool, asked: Asked) -> list[Renders]:
    """Render each target; one that cannot be opened does not stop the others."""
    found = opened(targets, asked.request)
    results: list[Renders | None] = []
    orders = []
    for target in found:
        if target.resolved is None:
            results.append(Renders(target.argument, error=target.error))
        elif not target.resolved.templates:
            results.append(Renders(target.argument, error=no_template(target.argument, target.resolved.facts)))
        else:
            results.append(None)
            selection = _selection(asked)
            orders.append(order_for(target, target.resolved, asked.request, (), want="renders", selection=selection))
    answers = iter(pool.run(orders))
    return [done or _renders(target.argument, next(answers)) for done, target in zip(results, found, strict=True)]


def _selection(asked: Asked) -> dict[str, Any]:
    names = asked.names or (() if asked.request.conversations else (SHOWN_BY_DEFAULT,))
    return {
        "all": asked.every,
        "names": list(names),
        "generation_prompt": asked.generation_prompt,
        "continue_final_message": asked.continue_final_message,
    }


def _renders(argument: str, answers: Any) -> Renders:
    if answers.ended:
        message = f"{argument} could not be rendered: {answers.ended}"
        return Renders(argument, error=TargetError("resource-exhaustion", message, "run tpllint check on it"))
    crash = next((message for message in answers.messages if message["kind"] == "crash"), None)
    if crash:
        raise RuntimeError(crash["traceback"])
    records = (message for message in answers.messages if message["kind"] == "render")
    return Renders(argument, tuple(_record(argument, record) for record in records))


def _record(argument: str, message: Mapping[str, Any]) -> dict[str, Any]:
    record = {key: value for key, value in message.items() if key != "kind"}
    return {"target": argument, "engine": "transformers", **record}
