"""The verb `check`: targets in, a report out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

from tpllint.capabilities import require_known
from tpllint.errors import RepairableError
from tpllint.finding import Crash, Evidence, Finding, RelatedPlace, Report, Skipped, TargetError, TargetResult, joined
from tpllint.lock import RULE as LOCKED
from tpllint.pool import Answers, Order, Pool
from tpllint.portability import TRANSFORMERS, required
from tpllint.questions import Asking
from tpllint.remembered import Remembered
from tpllint.rule import Edit, Fix, OwnFile, Rewrite, RuleInfo
from tpllint.selection import Selection
from tpllint.severity import Severity
from tpllint.snippet import Snippet, snippet
from tpllint.sources.files import LOCAL
from tpllint.span import Place, Position, Span, offset_at
from tpllint.storage import Resolved
from tpllint.storage.reading import Stored
from tpllint.suppression import Suppressions
from tpllint.targets import FIRST_BATCH, Argument, Request, Target, batches, distinct, named, order_for

EXHAUSTION = "resource-exhaustion"
INCOMPLETE = "not-fully-analysed"
DRIFT = "gguf-template-drift"
WHOLE_FILE = Span(Position(1, 1), Position(1, 1))
"""The place of a problem that has none inside its file."""
NOT_WHOLE = ("unread", "unreadable", "damaged-gguf")
"""The kinds of facts about files that were not read whole."""
SHORTEN = "simplify the template: loops, repetition and nesting that grow without bound are what usually ends an analysis"


class Check(NamedTuple):
    """What a run of `check` is asked for."""

    request: Request = Request()
    selection: Selection = Selection()


Progress = Callable[[int, int], None]
"""Hears how many arguments are done, and how many there are."""


def check(targets: Sequence[Argument], pool: Pool, asked: Check, progress: Progress = lambda done, all_: None) -> Report:
    """Examine every target; one that cannot be examined does not stop the others."""
    return joined(checked(targets, pool, asked, progress))


def checked(
    targets: Sequence[Argument], pool: Pool, asked: Check, progress: Progress = lambda done, all_: None
) -> Iterator[Report]:
    """Examine every target, and report on a few at a time, in their order: nothing is kept of those that are reported.

    There is at least one report. Raises RepairableError where no worker can be started; once something has been reported, that
    is an error of each target that is left.
    """
    try:
        require_known(asked.request.expect)
        required(asked.request.requires)
        rules = asked.selection.chosen(pool.rules)
    except RepairableError as error:
        yield refused(targets, error)
        return
    arguments, done = distinct(targets), 0
    remembered = Remembered() if len(arguments) > FIRST_BATCH else Remembered(max_size=0)
    for batch in batches(arguments, asked.request):
        try:
            report = examined(batch.targets, rules, pool, asked, remembered, _from(progress, done, len(arguments)))
        except RepairableError as error:
            if not done:
                raise
            yield refused(arguments[done:], error)
            return
        done += batch.arguments
        progress(done, len(arguments))
        yield report
    if not arguments:
        yield examined((), rules, pool, asked)


def _from(progress: Progress, done: int, all_: int) -> Callable[[int], None]:
    return lambda more: progress(done + more, all_)


def examined(
    found: Sequence[Target],
    rules: Sequence[RuleInfo],
    pool: Pool,
    asked: Check,
    remembered: Remembered | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Report:
    """The report about targets that are open, from these rules; `progress` hears how many of them are done."""
    return examination(found, rules, pool, asked, remembered, progress).report


class Examination(NamedTuple):
    """The report about some targets, and all that workers answered about each."""

    report: Report
    answers: tuple[Answers, ...]


def examination(
    found: Sequence[Target],
    rules: Sequence[RuleInfo],
    pool: Pool,
    asked: Check,
    remembered: Remembered | None = None,
    progress: Callable[[int], None] = lambda done: None,
    **wanted: Any,
) -> Examination:
    """As `examined`, with the answers; `wanted` are the fields of a job that asks for more than findings.

    Where it is known what the model said, the rules that judge that run and no others, else all but them.
    """
    judging = asked.request.generated is not None
    rules = tuple(rule for rule in rules if rule.judges_replies is judging)
    orders, keys = _distinct(found, rules, asked, wanted)
    unasked = frozenset(rule.name for rule in rules if rule.slow and not asked.selection.asks_for(rule))
    asking = Asking(pool, offline=asked.request.offline, token=asked.request.token, unasked=unasked)
    by_key = _answers(orders, keys, asking, remembered or Remembered(max_size=0), progress)
    answers = tuple(by_key[key] if key else Answers() for key in keys)
    said = [_Said(target, answer, pool.rules) for target, answer in zip(found, answers, strict=True)]
    report = _report(said, asked.selection, {rule.name: rule for rule in pool.rules}, {rule.name for rule in rules})
    return Examination(report._replace(rules=tuple(rules)), answers)


def refused(targets: Sequence[Argument], error: RepairableError) -> Report:
    """The report of a run that cannot start: the same error of every target."""
    told = TargetError(error.kind, error.message, error.hint)
    return Report(
        tuple(TargetResult(target, fully_analysed=False, error=told) for target in dict.fromkeys(map(named, targets))), ()
    )


def _distinct(
    found: Sequence[Target], rules: Sequence[RuleInfo], asked: Check, wanted: Mapping[str, Any]
) -> tuple[dict[str, Order], list[str | None]]:
    """One order for all targets that ask the same of the same text, under a key; and for each target the key of its own."""
    orders: dict[str, Order] = {}
    keys: list[str | None] = []
    names = tuple(rule.name for rule in rules)
    quiet = tuple(rule.name for rule in rules if asked.selection.quiet(rule))
    for target in found:
        resolved = target.resolved
        if resolved is None or not (resolved.templates or resolved.facts or target.locked):
            keys.append(None)
            continue
        order = order_for(target, resolved, asked.request, names, quiet=quiet, **wanted)
        key = json.dumps([order.origin, order.encoder, order.job.as_json()], sort_keys=True)
        orders.setdefault(key, order)
        keys.append(key)
    return orders, keys


def _answers(
    orders: Mapping[str, Order],
    keys: Sequence[str | None],
    asking: Asking,
    remembered: Remembered,
    progress: Callable[[int], None],
) -> Mapping[str, Answers]:
    """The answers to orders, of before or of the workers and the tokenizer."""
    known = {key: answers for key in orders if (answers := remembered.get(key)) is not None}
    fresh = [key for key in orders if key not in known]
    alike = Counter(keys)
    done = len(keys) - sum(alike[key] for key in fresh)

    def on_done(index: int) -> None:
        nonlocal done
        done += alike[fresh[index]]
        progress(done)

    given = asking.run([orders[key] for key in fresh], on_done)
    for key, answers in zip(fresh, given, strict=True):
        remembered.keep(key, answers)
    return known | dict(zip(fresh, given, strict=True))


class _Said:
    """What a worker answered about one target, in the words of the report."""

    def __init__(self, target: Target, answers: Answers, rules: Sequence[RuleInfo]) -> None:
        self.target = target
        self._answers = answers
        self._rules = {rule.name: rule for rule in rules}
        self._crashed = [message for message in answers.messages if message["kind"] == "crash"]
        self._suppressions = Suppressions(answers.messages if target.origin == LOCAL else (), self._rules)

    def result(self) -> TargetResult:
        """The target's line in the report."""
        names = tuple(stored.label for stored in self.target.resolved.templates) if self.target.resolved else ()
        whole = not (self.target.error or self._answers.ended or self._answers.exhausted or self._crashed or self._unread())
        note = self.target.model.note if self.target.model else None
        return TargetResult(self.target.argument, names, whole, self.target.error or self._not_compared(), note=note)

    def _not_compared(self) -> TargetError | None:
        """Why what is locked of the target could not be compared: a gate must not pass for want of an answer."""
        if self.target.locked is None:
            return None
        limits = (why for steps in self._answers.exhausted.values() for step, why in steps.items() if step.endswith(LOCKED))
        why = self._answers.ended or next(limits, None)
        message = f"{self.target.argument} cannot be compared with what is locked of it: {why}"
        return None if why is None else TargetError("resource-exhaustion", message, SHORTEN)

    def crashes(self) -> Iterator[Crash]:
        """Rules that raised."""
        for message in self._crashed:
            yield Crash(message["rule"], self.target.argument, message["traceback"])

    def skipped(self) -> Iterator[Skipped]:
        """The rules that have no verdict: for no plain chat renders, nobody answered them, or no base model is at hand."""
        for template, why in self._answers.undecided.items():
            for rule in self._rules.values():
                if rule.needs_a_chat:
                    yield Skipped(rule.name, self.target.argument, f"{why} ({template})")
        for fact in self.target.resolved.facts if self.target.resolved else ():
            if fact.kind == "no-base-model":
                yield Skipped(DRIFT, self.target.argument, fact.detail, alone=True)
        for name, why in self._answers.unanswered.items():
            yield Skipped(name, self.target.argument, why, alone=True)

    def findings(self, chosen: Set[str]) -> Iterator[tuple[Finding, bool]]:
        """Everything that was found, unfiltered, and whether a comment in the template suppresses it."""
        for message in self._problems():
            yield self._finding(message), self._suppressions.cover(message)
        for message in self._suppressions.unused(lambda rule, template: rule.name in chosen and self._judged(rule, template)):
            yield self._finding(message), self._suppressions.cover(message)

    def _problems(self) -> Iterator[Mapping[str, Any]]:
        for message in self._answers.messages:
            if message["kind"] == "problem":
                yield message
            elif message["kind"] == "more":
                yield self._more(message)
        if self._answers.ended:
            reason = f"the analysis ended early: {self._answers.ended}"
            for rule in (EXHAUSTION, INCOMPLETE):
                yield {"rule": rule, "message": reason, "help": SHORTEN}
        for template, steps in self._untold().items():
            reason = f"the analysis of this template is not complete: a limit ended {', '.join(steps)}"
            yield {"rule": INCOMPLETE, "template": template, "message": reason, "help": SHORTEN}

    def _judged(self, rule: RuleInfo, template: str) -> bool:
        """Whether a rule that ran has said all it has to say about a template."""
        answers = self._answers
        if answers.ended or template in answers.exhausted or template in answers.undecided:
            return False
        return not any(message["kind"] in ("crash", "more") and message["rule"] == rule.name for message in answers.messages)

    def with_snippets(self, finding: Finding) -> Finding:
        """The same, with the lines of the files that it points into."""
        related = tuple(place._replace(snippet=self._snippet(place.path, place.span)) for place in finding.related)
        return finding._replace(snippet=self._snippet(finding.path, finding.span), related=related)

    def _snippet(self, path: str, span: Span | None) -> Snippet | None:
        if span is None or span == WHOLE_FILE:
            return None
        files = self.target.resolved.files if self.target.resolved else ()
        file = next((file for file in reversed(files) if file.shown == path), None)
        return None if file is None else snippet(file.lined, span)

    def _untold(self) -> dict[str, dict[str, str]]:
        """The templates that reached a limit after the rule that tells of limits had run."""
        told = {message.get("template") for message in self._answers.messages if message.get("rule") == INCOMPLETE}
        return {name: steps for name, steps in self._answers.exhausted.items() if name not in told}

    def _unread(self) -> bool:
        resolved = self.target.resolved
        return resolved is not None and any(fact.kind in NOT_WHOLE for fact in resolved.facts)

    def _more(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        rule = self._rules[message["rule"]]
        text = f"and {message['count']} more of {rule.name}"
        return {**message, "message": text, "help": "repair the ones that are shown first"}

    def _finding(self, message: Mapping[str, Any]) -> Finding:
        rule = self._rules[message["rule"]]
        path, span = self._place(message)
        return Finding(
            code=rule.code,
            rule=rule.name,
            category=rule.category,
            severity=Severity(message.get("severity") or rule.severity),
            message=message["message"],
            help=message["help"],
            target=self.target.argument,
            template=message.get("template"),
            path=path,
            span=span,
            evidence=Evidence(
                message.get("conversation"),
                message.get("excerpt"),
                message.get("engine") or TRANSFORMERS,
                usual=message.get("usual"),
                input=message.get("input"),
            ),
            related=tuple(self._related(message)),
            fix=self._fix(message),
        )

    def _fix(self, message: Mapping[str, Any]) -> Fix | None:
        if message.get("own_file"):
            return OwnFile()
        rewrite, stored = message.get("rewrite"), self._stored(message.get("template"))
        if rewrite is None or stored is None:
            return None
        edits = tuple(Edit(_offsets(stored.source, place), text) for place, text in rewrite["edits"])
        return Rewrite(edits, rewrite["loses"], rewrite["gains"])

    def _related(self, message: Mapping[str, Any]) -> Iterator[RelatedPlace]:
        for related in message.get("related", ()):
            path, span = self._place(related)
            if span is not None:
                yield RelatedPlace(path, span, related["message"])

    def _place(self, message: Mapping[str, Any]) -> tuple[str, Span | None]:
        stored = self._stored(message.get("template"))
        span = _span(message.get("place"))
        if message.get("file") is not None:
            return self._shown(message["file"]), span or WHOLE_FILE
        if stored is None:
            return self.target.argument, None
        return stored.file.shown, span and stored.span_in_file(span.start, span.end)

    def _shown(self, name: str) -> str:
        """The path that findings print for a file, which a rule may have named by its path in the model."""
        files = self.target.resolved.files if self.target.resolved else ()
        return next((file.shown for file in files if file.name == name), name)

    def _stored(self, name: str | None) -> Stored | None:
        resolved: Resolved | None = self.target.resolved
        if resolved is None:
            return None
        if name is None:
            return next(iter(resolved.templates), None)
        return next((stored for stored in resolved.stored if stored.label == name), None)


def _span(place: Sequence[int] | None) -> Span | None:
    """A place as a worker sends it: line, column, end line, end column."""
    if place is None:
        return None
    line, column, end_line, end_column = place
    return Span(Position(line, column), Position(end_line, end_column))


def _offsets(text: str, place: Sequence[int]) -> Place:
    line, column, end_line, end_column = place
    return Place(offset_at(text, Position(line, column)), offset_at(text, Position(end_line, end_column)))


def _report(said: Sequence[_Said], selection: Selection, rules: Mapping[str, RuleInfo], chosen: set[str]) -> Report:
    findings: list[Finding] = []
    results: list[TargetResult] = []
    for one in said:
        told: dict[bool, dict[Finding, None]] = {False: {}, True: {}}
        for finding, is_suppressed in one.findings(chosen):
            rule = rules[finding.rule]
            finding = finding._replace(severity=selection.level(rule, finding.severity))
            if rule.name in chosen and selection.shows(rule, finding.severity, finding.path, local=one.target.origin == LOCAL):
                told[is_suppressed][finding] = None
        findings += map(one.with_snippets, _numbered(sorted(told[False], key=_order)))
        results.append(one.result()._replace(suppressed=len(told[True])))
    crashes = tuple(crash for one in said for crash in one.crashes())
    skipped = tuple(one for each in said for one in each.skipped() if one.rule in chosen)
    ran = tuple(rule for rule in rules.values() if rule.name in chosen)
    return Report(tuple(results), tuple(findings), skipped, crashes, ran)


def _numbered(findings: Sequence[Finding]) -> Iterator[Finding]:
    """The same, with those that say the same of the same template told apart by their number."""
    seen: Counter[str] = Counter()
    for finding in findings:
        yield finding._replace(repetition=seen[finding.fingerprint])
        seen[finding.fingerprint] += 1


def _order(finding: Finding) -> tuple[str, str, int, int, str, str]:
    start = finding.span.start if finding.span else Position(0, 0)
    return finding.path, finding.template or "", start.line, start.column, finding.code, finding.message
