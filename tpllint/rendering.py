"""The verb `render`: conversations through a target's templates, as transformers would render them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tpllint.finding import TargetError
from tpllint.pool import Pool
from tpllint.targets import Argument, Request, Target, opened, order_for

SHOWN_BY_DEFAULT = "user-assistant-user"


@dataclass(frozen=True)
class Renders:
    """Every render of one target, in the form of the JSON contract, or the error that prevents them.

    `cut_short` names what a limit ended: a render among the others that says nothing about the template.
    """

    target: str
    renders: tuple[Mapping[str, Any], ...] = ()
    error: TargetError | None = None
    cut_short: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What `render` is asked for. `generation_prompt` None follows each conversation: on, unless the assistant spoke last.

    `every` means all canonical conversations beside the request's own, with and without generation prompt; `in_parts` adds them
    with content as lists of parts, for a template that reads only that.
    """

    request: Request = field(default_factory=Request)
    every: bool = False
    names: tuple[str, ...] = ()
    generation_prompt: bool | None = None
    continue_final_message: bool = False
    in_parts: bool = False


def render(targets: Sequence[Argument], pool: Pool, asked: Asked) -> list[Renders]:
    """Render each target; one that cannot be opened does not stop the others."""
    return rendered(opened(targets, asked.request), pool, asked)


def rendered(found: Sequence[Target], pool: Pool, asked: Asked) -> list[Renders]:
    """The renders of targets that are open."""
    results: list[Renders | None] = []
    orders = []
    for target in found:
        if target.resolved is None:
            results.append(Renders(target.argument, error=target.error))
        elif not target.resolved.templates:
            results.append(Renders(target.argument, error=_nothing(target.argument, target.resolved.facts)))
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
        "in_parts": asked.in_parts,
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
    cut_short = tuple(step for steps in answers.exhausted.values() for step in steps)
    return Renders(argument, tuple(_record(argument, record) for record in records), cut_short=cut_short)


def _record(argument: str, message: Mapping[str, Any]) -> dict[str, Any]:
    record = {key: value for key, value in message.items() if key != "kind"}
    return {"target": argument, "engine": "transformers", **record}


def _nothing(argument: str, facts: Sequence[Any]) -> TargetError:
    unusable = next((fact for fact in facts if fact.file), None)
    message = f"{unusable.file} {unusable.detail}" if unusable else f"no chat template in {argument}"
    return TargetError("no-chat-template", message, "run tpllint check on it for more")
