"""What the command line does, for Python: `tpllint.check(...)`, `tpllint.describe(...)` and `tpllint.render(...)`.

Each call starts its own worker process and ends it; for many calls give all targets at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tpllint import checking, describing, rendering
from tpllint.conversations import from_json
from tpllint.errors import RepairableError
from tpllint.finding import Report
from tpllint.pool import Pool
from tpllint.registry import plugin_packs
from tpllint.selection import Selection
from tpllint.severity import Severity
from tpllint.targets import Request


def check(
    *targets: str,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    severity: Mapping[str, Severity] | None = None,
    profile: str = "default",
    expect: Sequence[str] = (),
    variables: Mapping[str, Any] | None = None,
) -> Report:
    """The findings about chat templates.

    A target is a path (a `.jinja` file, a configuration file, a model folder) or a model on the Hub (`org/model`,
    `org/model@revision`). What cannot be examined is told in `Report.targets`; nothing is raised for it. No
    configuration file is read.
    """
    selection = Selection(tuple(select), tuple(ignore), dict(severity or {}), profile=profile)
    asked = checking.Check(Request(variables=dict(variables or {}), expect=tuple(expect)), selection)
    with Pool(plugin_packs()) as pool:
        return checking.check(targets, pool, asked)


def describe(target: str, *, template: str | None = None) -> list[Mapping[str, Any]]:
    """The anatomy of a target's templates, each as `tpllint describe --output-format json` shows it under `descriptions`.

    Raises RepairableError where the target cannot be had or has no such template.
    """
    with Pool() as pool:
        (result,) = describing.describe([target], pool, Request(template=template))
    if result.error:
        raise RepairableError(result.error.kind, result.error.message, result.error.hint)
    return list(result.templates)


def render(
    target: str,
    messages: Sequence[Mapping[str, Any]],
    *,
    tools: Sequence[Any] | None = None,
    add_generation_prompt: bool = False,
    template: str = "default",
    **variables: Any,
) -> str:
    """The prompt that a target's chat template makes of a conversation, as `apply_chat_template(tokenize=False)` makes it.

    Raises RepairableError where the target has no such template, cannot be had, or does not render the conversation, and
    ConversationError where the messages have not the form of a conversation.
    """
    data = {"messages": list(messages), "tools": None if tools is None else list(tools), **variables}
    from_json("conversation", data)
    request = Request(conversations=({"name": "conversation", "data": data},), template=template)
    with Pool() as pool:
        (result,) = rendering.render([target], pool, rendering.Asked(request, generation_prompt=add_generation_prompt))
    if result.error:
        raise RepairableError(result.error.kind, result.error.message, result.error.hint)
    (record,) = result.renders
    if record["error"] is not None:
        raise RepairableError("does-not-render", record["error"], "run tpllint check on the target")
    text: str = record["text"]
    return text
