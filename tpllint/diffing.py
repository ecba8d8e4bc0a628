"""The verb `diff`: two versions of a model's templates in, what changes for a caller out."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from tpllint.checking import Check, examined
from tpllint.describing import described
from tpllint.difference import Compared, Diff, Outcome, differences
from tpllint.errors import RepairableError
from tpllint.finding import Finding
from tpllint.pool import Pool
from tpllint.rendering import Asked, Renders, rendered
from tpllint.storage import Resolved
from tpllint.targets import Argument, Request, Target, opened

Outcomes: TypeAlias = Mapping[tuple[str, str, bool], Outcome]
"""By template, conversation and generation prompt."""


def diff(left: Argument, right: Argument, pool: Pool, asked: Check) -> Diff:
    """Compare two targets by what they do. Raises RepairableError where one of them cannot be had or rendered whole.

    Every canonical conversation, and those of the request, go through each template that both sides have, with and without
    generation prompt. For templates that read content only as lists of parts they are repeated in that form. A side whose
    files declare no special tokens is rendered with the other's.
    """
    rules = asked.selection.chosen(pool.rules)
    before, after = _with_tokens(_side(left, asked.request), _side(right, asked.request))
    if not _sources(before) and not _sources(after):
        message = f"no chat template in {before.argument} and none in {after.argument}"
        raise RepairableError("no-chat-template", message, "run tpllint check on both")
    reports, outcomes, anatomies = [], [], []
    for target in (before, after):  # one after the other: a worker serves only one of two strangers
        reports.append(examined([target], rules, pool, asked))
        outcomes.append(_rendered(target, pool, asked.request))
        anatomies.append(_anatomy(target, pool, asked.request))
    old, new = _sources(before), _sources(after)
    return Diff(
        before.argument,
        after.argument,
        source_changed=old != new,
        templates_added=_missing(new, old),
        templates_removed=_missing(old, new),
        conversations=tuple(_compared(*outcomes)),
        added=_unsaid(reports[1].findings, reports[0].findings),
        removed=_unsaid(reports[0].findings, reports[1].findings),
        anatomy=differences(*anatomies),
        crashes=tuple(crash for report in reports for crash in report.crashes),
    )


def _side(argument: Argument, request: Request) -> Target:
    """One side, opened by itself: two files of one folder are two sides and not one model."""
    (target,) = opened([argument], request)
    if target.error is not None:
        raise RepairableError(target.error.kind, target.error.message, target.error.hint)
    return target


def _with_tokens(left: Target, right: Target) -> tuple[Target, Target]:
    """Both, one with the tokens of the other where its own are placeholders: their difference would be a guess."""
    if left.resolved is None or right.resolved is None or left.resolved.tokens.known is right.resolved.tokens.known:
        return left, right
    if left.resolved.tokens.known:
        return left, right._replace(resolved=right.resolved._replace(tokens=left.resolved.tokens))
    return left._replace(resolved=left.resolved._replace(tokens=right.resolved.tokens)), right


def _sources(target: Target) -> dict[str, str]:
    resolved: Resolved | None = target.resolved
    return {stored.label: stored.source for stored in resolved.templates} if resolved else {}


def _missing(names: Iterable[str], known: Container[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in known)


def _unsaid(findings: Sequence[Finding], others: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings that are not among the others, wherever either stand."""
    said = set(map(_said, others))
    return tuple(finding for finding in findings if _said(finding) not in said)


def _said(finding: Finding) -> tuple[str, str, str | None]:
    return finding.rule, finding.message, finding.template


def _rendered(target: Target, pool: Pool, request: Request) -> Outcomes:
    if not _sources(target):
        return {}
    (result,) = rendered([target], pool, Asked(request, every=True, in_parts=True))
    _require_whole(result)
    return dict(map(_outcome, result.renders))


def _anatomy(target: Target, pool: Pool, request: Request) -> dict[str, Mapping[str, Any]]:
    """The description of each template, by its name."""
    if not _sources(target):
        return {}
    (found,) = described([target], pool, request)
    return {template["template"]: dict(_of_the_template(template)) for template in found.templates}


def _of_the_template(description: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """A description without what it says of its target."""
    return ((key, told) for key, told in description.items() if key not in ("target", "storage"))


def _require_whole(result: Renders) -> None:
    """What a limit ended was not compared: no verdict could be right."""
    if result.error is not None:
        raise RepairableError(result.error.kind, result.error.message, result.error.hint)
    if result.cut_short:
        message = f"{result.target} cannot be compared: a limit ended {', '.join(result.cut_short)}"
        raise RepairableError("resource-exhaustion", message, "run tpllint check on it")


def _outcome(record: Mapping[str, Any]) -> tuple[tuple[str, str, bool], Outcome]:
    key = record["template"], record["conversation"], record["add_generation_prompt"]
    return key, Outcome(record["text"], record["error"])


def _compared(left: Outcomes, right: Outcomes) -> Iterator[Compared]:
    """What both sides rendered; a form of content that only one of them needs shows as a failure in the other form."""
    return (Compared(*key, left[key], right[key]) for key in left if key in right)
