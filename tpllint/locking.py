"""The verb `lock`: what a target's templates are, and what they make of every conversation, as signatures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tpllint.finding import TargetError
from tpllint.job import Locked
from tpllint.pool import Answers, Order, Pool
from tpllint.quoting import listed, quoted
from tpllint.storage import Resolved
from tpllint.targets import Argument, Request, Target, answered, opened, order_for


class Signatures(NamedTuple):
    """What there is to lock of one target, or the error that prevents it."""

    target: str
    templates: Mapping[str, Locked] = {}
    error: TargetError | None = None


def lock(targets: Sequence[Argument], pool: Pool, request: Request) -> list[Signatures]:
    """Sign each target; one that cannot be opened does not stop the others."""

    def order(target: Target, resolved: Resolved) -> Order:
        return order_for(target, resolved, request, (), want="signatures")

    return [_signatures(target, answers) for target, answers in answered(opened(targets, request), pool, order)]


def _signatures(target: Target, answers: Answers | TargetError) -> Signatures:
    if isinstance(answers, TargetError):
        return Signatures(target.argument, error=answers)
    told = [message for message in answers.messages if message["kind"] == "signatures"]
    cut_short = [name for message in told for name, _, prompts in message["conversations"] if prompts is None]
    if cut_short:
        return Signatures(target.argument, error=_cut_short(target.argument, list(dict.fromkeys(cut_short))))
    barren = next((message for message in told if message["renders_none"] is not None), None)
    if barren is not None:
        return Signatures(target.argument, error=_barren(target.argument, barren["template"], barren["renders_none"]))
    return Signatures(target.argument, {message["template"]: _locked(message) for message in told})


def _locked(message: Mapping[str, Any]) -> Locked:
    conversations = {name: (asked, prompts) for name, asked, prompts in message["conversations"]}
    return Locked(message["source"], message["tokens"], conversations)


def _barren(target: str, template: str, why: str) -> TargetError:
    """That what would be locked are no prompts, and would be found unchanged for as long as there are none."""
    message = f"{target} cannot be locked: its template {quoted(template)} renders no conversation: {why}"
    return TargetError("renders-nothing", message, "run tpllint check on it")


def _cut_short(target: str, names: Sequence[str]) -> TargetError:
    message = f"{target} cannot be locked: a limit ended rendering {listed(names)}"
    return TargetError("resource-exhaustion", message, "run tpllint check on it")
