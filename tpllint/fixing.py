"""The verb of `check --fix`: which fixes hold what they promise, and what becomes of the files; it writes none.

A fix is tried first. It is applied where the finding is gone and every conversation gives the prompt that it gave before, but
for what the rule said would change. The next one is tried on what came of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from tpllint.checking import Check, examined
from tpllint.difference.diff import Side
from tpllint.difference.outcomes import Outcome
from tpllint.diffing import sides
from tpllint.errors import RepairableError
from tpllint.finding import Finding, Report, TargetError
from tpllint.pool import Pool
from tpllint.quoting import quoted
from tpllint.repairs import FileChange, Refused, changes, plain, repaired
from tpllint.rule import Rewrite
from tpllint.selection import Selection
from tpllint.severity import Severity
from tpllint.signatures import steady
from tpllint.sources.files import CONFIG, ModelFiles
from tpllint.storage import Resolved, view_of
from tpllint.storage.views import BASE_MODEL, View
from tpllint.targets import Argument, Request, Target, batches, distinct, opened

MOST = 50
"""Fixes of one target."""
Fixable: TypeAlias = Callable[[Report], Report]
"""Leaves of a report what is told of it, which is what may be fixed."""


class Refusal(NamedTuple):
    """A fix that is not applied, and a clause that says why."""

    finding: Finding
    why: str


class Fixed(NamedTuple):
    """What fixing makes of a target; no file is written yet.

    `folder` is the one on this machine that the names of the changed files lead from; None for a model on the Hub. `applied`
    and `refused` are the findings that offered a fix, those of `applied` in the order in which they were repaired. `error` is
    why the target could not be had.
    """

    target: str
    folder: str | None = None
    changes: tuple[FileChange, ...] = ()
    applied: tuple[Finding, ...] = ()
    refused: tuple[Refusal, ...] = ()
    error: TargetError | None = None


def everything(report: Report) -> Report:
    """Where nothing is known already, everything may be fixed."""
    return report


def fixes(target: Argument, pool: Pool, asked: Check) -> Fixed:
    """What becomes of one target. `asked.selection` chooses the findings; raises RepairableError where it cannot be had."""
    (found,) = opened([target], _whole(asked.request))
    if found.error is not None:
        raise RepairableError(found.error.kind, found.error.message, found.error.hint)
    return _fixed(found, pool, asked, everything)


def every_fix(targets: Sequence[Argument], pool: Pool, asked: Check, fixable: Fixable = everything) -> Iterator[Fixed]:
    """What becomes of each target in which there is anything to fix, or why that cannot be told."""
    rules = asked.selection.chosen(pool.rules)
    whole = asked._replace(request=_whole(asked.request))
    for batch in batches(distinct(targets), whole.request):
        report = examined(batch.targets, rules, pool, whole)
        offering = {finding.target for finding in fixable(report).findings if finding.fix is not None}
        for target in batch.targets:
            if target.error is not None:
                yield Fixed(target.argument, error=target.error)
            elif target.argument in offering:
                yield _fixed(target, pool, asked, fixable)


def _whole(request: Request) -> Request:
    """The same without what narrows a target to some of its templates, or adds to it what is none of its own."""
    return request._replace(template=None, chat_template=None, lock=None, base_model=False)


def _fixed(target: Target, pool: Pool, asked: Check, fixable: Fixable) -> Fixed:
    now, applied = target, list[Finding]()
    while True:
        refused = []
        for finding in _offering(now, pool, asked, fixable) if len(applied) < MOST else ():
            try:
                now = _tried(now, finding, pool, asked.request)
                applied.append(finding)
                break
            except Refused as error:
                refused.append(Refusal(finding, str(error)))
        else:
            assert target.model is not None
            assert now.model is not None
            made = changes(target.model, now.model)
            return Fixed(target.argument, target.model.folder, made, tuple(applied), tuple(refused))


def _offering(target: Target, pool: Pool, asked: Check, fixable: Fixable) -> list[Finding]:
    """The findings that the user is told, of the templates that were asked for, and that offer a fix."""
    rules, request = asked.selection.chosen(pool.rules), _whole(asked.request)
    findings = fixable(examined([target], rules, pool, asked._replace(request=request))).findings
    offering = (finding for finding in findings if finding.fix is not None and _is_of(finding, asked.request.template, target))
    return sorted(offering, key=_turn)


def _turn(finding: Finding) -> bool:
    """What is in tokenizer_config.json comes first: once there is a file nobody loads it, and it would be left behind."""
    return not finding.path.endswith(CONFIG)


def _is_of(finding: Finding, template: str | None, target: Target) -> bool:
    if template is None or finding.template == template:
        return True
    stored = target.resolved.stored if target.resolved else ()
    return any(one.label == finding.template and one.name == template for one in stored)


def _tried(target: Target, finding: Finding, pool: Pool, request: Request) -> Target:
    """The target after a fix that holds what it promises. Raises Refused."""
    before = _State(target)
    (found,) = opened([repaired(before.model, before.resolved, finding)], _whole(request))
    after = _State(found)
    _require_loaded_alike(before, after, finding)
    asked = Check(_whole(request), Selection(asked=(finding.rule,)))
    try:
        old, new = sides([target, found._replace(argument=f"{found.argument} (repaired)")], pool, asked, described=False)
    except RepairableError as error:
        raise Refused(f"what it would change cannot be told: {error.message}") from error
    _require_prompts(before, after, old, new, finding)
    _require_repaired(old, new, finding)
    return found


class _State:
    """A target that is open: its files, and what they amount to. Raises Refused for one that is not."""

    def __init__(self, target: Target) -> None:
        if target.model is None or target.resolved is None:
            raise Refused("its files could not be read any more")
        self.model: ModelFiles = target.model
        self.resolved: Resolved = target.resolved

    def loaded(self, loader: str) -> dict[str, str]:
        """By their names the sources of the templates that a loader takes, whether or not the model tells that it has one."""
        return {stored.name: plain(stored.source) for stored in view_of(self.model, loader).templates}

    def label(self, name: str, source: str) -> str:
        """That of the template of this name and source among those that rules look at. Raises Refused."""
        for stored in self.resolved.templates:
            if stored.name == name and plain(stored.source) == source:
                return stored.label
        raise Refused(f"the template {quoted(name)} would not be loaded any more")


def _views(resolved: Resolved) -> list[View]:
    return [view for view in resolved.views if view.loader != BASE_MODEL]


def _require_loaded_alike(before: _State, after: _State, finding: Finding) -> None:
    """Each loader takes templates of the same names, and only those that are rewritten say something else. Raises Refused."""
    rewritten = _rewritten(before.resolved, finding)
    for view in _views(before.resolved):
        then = view_of(after.model, view.loader)
        if then.error != view.error:
            raise Refused(f"loading the {view.loader} would raise: {then.error}")
        if not view.templates and then.templates:
            raise Refused(f"the {view.loader}, which loads no template now, would load {then.templates[0].file.name}")
        held, holds = before.loaded(view.loader), after.loaded(view.loader)
        kept = all(name in holds and (source == holds[name] or (name, source) in rewritten) for name, source in held.items())
        if not kept or held.keys() != holds.keys() or view.named != then.named:
            raise Refused(f"the {view.loader} would load something else than now")


def _rewritten(resolved: Resolved, finding: Finding) -> set[tuple[str, str]]:
    """Name and source of the templates that a fix is to change; none for one that only moves them."""
    if not isinstance(finding.fix, Rewrite):
        return set()
    return {(stored.name, plain(stored.source)) for stored in resolved.stored if stored.label == finding.template}


def _require_prompts(before: _State, after: _State, old: Side, new: Side, finding: Finding) -> None:
    """Every template that a loader takes gives the prompts that the fix promises. Raises Refused."""
    rewritten = _rewritten(before.resolved, finding)
    for view in _views(before.resolved):
        holds = after.loaded(view.loader)
        for stored in view.templates:
            source = plain(stored.source)
            labels = before.label(stored.name, source), after.label(stored.name, holds[stored.name])
            promised = finding.fix if isinstance(finding.fix, Rewrite) and (stored.name, source) in rewritten else Rewrite(())
            _require_promise(old, new, labels, promised)


def _require_promise(old: Side, new: Side, labels: tuple[str, str], fix: Rewrite) -> None:
    label, label_after = labels
    for (template, name, flag), outcome in old.outcomes.items():
        if template == label and not _keeps(outcome, new.outcomes.get((label_after, name, flag)), fix, flag):
            which = "with" if flag else "without"
            raise Refused(f"it would change the prompt of {name} {which} generation prompt in another way than it should")


def _keeps(before: Outcome, after: Outcome | None, fix: Rewrite, flag: bool) -> bool:
    """Whether a prompt has become what a fix promised; where there is none, for the same reason as before."""
    if after is None or before.text is None or after.text is None:
        return after is not None and after.text is None and steady(before.error or "") == steady(after.error or "")
    if not before.text.startswith(fix.loses):
        return False
    return steady(after.text) == steady(before.text.removeprefix(fix.loses) + (fix.gains if flag else ""))


def _require_repaired(old: Side, new: Side, finding: Finding) -> None:
    """The finding is gone, and no rule has more to say than before, unless that is information. Raises Refused."""
    if new.crashes and len(new.crashes) > len(old.crashes):
        raise Refused(f"the rule {new.crashes[0].rule} would raise")
    before, after = (Counter(found.rule for found in side.findings) for side in (old, new))
    if after[finding.rule] >= before[finding.rule]:
        raise Refused("it would not repair what was found")
    worse = _counted(new) - _counted(old)
    if worse:
        raise Refused(f"it would bring about {min(worse)}")


def _counted(side: Side) -> Counter[str]:
    return Counter(finding.rule for finding in side.findings if finding.severity is not Severity.INFO)
