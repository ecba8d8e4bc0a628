"""The verb of `check --generate`: a template that passes its check is proved by the model that it belongs to.

The model answers some prompts in a process of its own; what it wrote goes to a worker, where the rules of the category
generation judge it. Reference answers are scored under the template, and under templates that are wrong in one thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tpllint.asking import Asked, Spoken, speak
from tpllint.checking import Check, examined
from tpllint.errors import RepairableError
from tpllint.finding import Report, TargetError
from tpllint.generation.talker import Heard, Talker, Tell
from tpllint.pool import Pool
from tpllint.severity import Severity
from tpllint.targets import Argument, Target, distinct, opened

SECURITY = "security"


class Wanted(NamedTuple):
    """What a run with the model is asked for: a check, and what to ask the model."""

    check: Check
    asked: Asked


def generated(
    targets: Sequence[Argument], pool: Pool, wanted: Wanted, talker: Talker, tell: Tell, heard: Heard | None = None
) -> Iterator[Report]:
    """Check each target; where nothing stands against it, load its model, let it answer, and report on that as well.

    Raises RepairableError where no worker can be started.
    """
    rules = wanted.check.selection.chosen(pool.rules)
    for target in opened(distinct(targets), wanted.check.request):
        report = examined([target], rules, pool, wanted.check)
        reason = why_not(report)
        if reason:
            yield _noted(report, f"the model was not asked: {reason}")
            continue
        try:
            spoken = speak(target, pool, wanted.check.request, wanted.asked, talker, tell, heard)
        except RepairableError as error:
            yield _failed(report, error)
            continue
        yield _with_verdict(report, target, pool, wanted.check, spoken)


def why_not(report: Report) -> str:
    """What stands against letting the model speak through a template; nothing where nothing does.

    No weights are loaded for a template that fails its check for safety, or that does not render.
    """
    if any(target.error for target in report.targets):
        return "there is nothing to check"
    if not all(target.fully_analysed for target in report.targets):
        return "the template could not be looked at whole"
    if any(found.category == SECURITY and found.severity is Severity.ERROR for found in report.findings):
        return "the template may do harm"
    undecided = [reason for _, reason in report.undecided()]
    return undecided[0] if undecided else ""


def _with_verdict(report: Report, target: Target, pool: Pool, check: Check, spoken: Spoken) -> Report:
    """The report with what the rules say of the answers, and how they came about."""
    request = check.request._replace(conversations=spoken.conversations, generated=spoken.generated)
    judged = examined([target], check.selection.chosen(pool.rules), pool, Check(request, check.selection))
    whole = all(result.fully_analysed for result in judged.targets)
    both = Report(
        tuple(result._replace(fully_analysed=result.fully_analysed and whole) for result in report.targets),
        (*report.findings, *judged.findings),
        (*report.skipped, *judged.skipped),
        (*report.crashes, *judged.crashes),
        (*report.rules, *judged.rules),
    )
    return _noted(both, spoken.summary)


def _noted(report: Report, note: str) -> Report:
    targets = tuple(
        target._replace(note=note if target.note is None else f"{target.note}; {note}") for target in report.targets
    )
    return report._replace(targets=targets)


def _failed(report: Report, error: RepairableError) -> Report:
    """The findings of the check stay; that the model could not be asked is an error of the target."""
    told = TargetError(error.kind, error.message, error.hint)
    return report._replace(targets=tuple(target._replace(error=told) for target in report.targets))
