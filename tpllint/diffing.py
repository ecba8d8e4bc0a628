"""The verb `diff`: two versions of a model's templates in, what changes for a caller out."""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from tpllint.checking import Check, Examination, examination
from tpllint.conversations import IN_PARTS, Conversation, canonical, from_json
from tpllint.conversations.variations import Probes, variations
from tpllint.difference.anatomy import by_name
from tpllint.difference.diff import Diff, Side, Verdict
from tpllint.difference.matrix import Matrix
from tpllint.difference.outcomes import Key, Outcome, Status
from tpllint.errors import RepairableError
from tpllint.finding import Finding, Report
from tpllint.job import Vocabulary
from tpllint.pool import Answers, Pool
from tpllint.showing import shown
from tpllint.sources import with_more
from tpllint.sources.base_model import NoBaseModel, base_model
from tpllint.sources.files import TOKENIZER
from tpllint.targets import Argument, Request, Target, opened

HANDS = 2
"""The workers that pay for themselves: both sides at once, and no worker serves two strangers."""
MOST_SHOWN = 12
"""Of the examples, so many are traced to the code behind them."""
OF_TIME = ("TimeIsUp", "NotStarted")
MOST_NAMED = 3
MOST_WITNESSES = 20
"""Of the conversations that findings show, so many go through both sides."""


class Wanted(NamedTuple):
    """What a run of `diff` is asked for.

    `shown` is how many examples are traced to the code behind them. With `every`, each conversation that differs is one.
    `token_counts` None counts where the tokenizer is on this machine already, True everywhere.
    """

    check: Check = Check()
    shown: int = MOST_SHOWN
    every: bool = False
    token_counts: bool | None = None


def diff(left: Argument, right: Argument, pool: Pool, wanted: Wanted) -> Diff:
    """Compare two targets by what they do. Raises RepairableError where one of them cannot be had or rendered whole.

    Every canonical conversation, and those of the request, go through each template that both sides have, with and without
    generation prompt. For templates that read content only as lists of parts they are repeated in that form. Where sources
    differ, so do conversations that are made for them: with the variables that either reads, with the words that either looks
    for in messages, and those that findings about either show. A side whose files declare no special tokens is rendered with
    the other's.
    """
    wanted = told_apart(wanted)
    targets = with_tokens([side(argument, wanted.check.request) for argument in (left, right)])
    return compared(targets, examined_sides(targets, pool, wanted.check), pool, wanted)


def compared(targets: Sequence[Target], found: Examination, pool: Pool, wanted: Wanted) -> Diff:
    """Compare two sides that were examined. Raises RepairableError as `diff` does."""
    request = wanted.check.request
    if not any(target.resolved and target.resolved.templates for target in targets):
        message = f"no chat template in {targets[0].argument} and none in {targets[1].argument}"
        raise RepairableError("no-chat-template", message, "run tpllint check on both")
    (before, after), varied = varied_sides(targets, _sides(targets, found), pool, wanted.check)
    own = frozenset(given["name"] for given in request.conversations)
    known = _known(varied.request, varied.probes)
    made = Diff(before, after, known=known, own=own, untried=varied.probes.untried)
    _require_decided(made)
    examples = made.every_example() if wanted.every else made.examples[: wanted.shown]
    counted = [_with_tokenizer(target, wanted) for target in targets] if examples else targets
    asked_for = wanted.token_counts is True
    return made.with_shown(shown(examples, counted, pool, varied.request, varied.probes, counted=asked_for))


def told_apart(wanted: Wanted) -> Wanted:
    """The same with names for the user's conversations that no canonical one has."""
    request = _apart(wanted.check.request)
    return wanted._replace(check=wanted.check._replace(request=request))


def _apart(request: Request) -> Request:

    def renamed(own: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**own, "name": f"./{own['name']}"} if own["name"] in canonical() else own

    return request._replace(conversations=tuple(map(renamed, request.conversations)))


def _require_decided(found: Diff) -> None:
    """Nothing but what was compared speaks for the verdict. Raises RepairableError where prompts were not, and none differs."""
    if found.verdict is Verdict.BEHAVIOURAL:
        return
    if found.undecided:
        message = f"{found.left} and {found.right} cannot be compared: a limit ended {found.undecided[0]}"
        more = f" and {len(found.undecided) - 1} more" if len(found.undecided) > 1 else ""
        raise RepairableError("resource-exhaustion", message + more, "run tpllint check on both")
    for name in found.structures:
        outcomes = [each for each in found.conversations if each.template == name]
        if found.source_changed and outcomes and all(each.status is Status.BOTH_RAISE for each in outcomes):
            why = next((each.left.error for each in outcomes if each.left.error), "there are none")
            message = f"neither {found.left} nor {found.right} renders any conversation ({name}): {why}"
            raise RepairableError("does-not-render", message, "run tpllint check on both")


def diff_with_base_model(argument: Argument, pool: Pool, wanted: Wanted) -> Diff:
    """Compare the model that a target was made from, on the left, with it. Raises RepairableError as `diff` does, and where no
    one model is told to be the base.
    """
    request = wanted.check.request
    target = side(argument, request)
    assert target.model is not None
    try:
        name = base_model(target.model, offline=request.offline, token=request.token)
    except NoBaseModel as error:
        hint = "name the model to compare with: tpllint diff LEFT RIGHT"
        raise RepairableError("no-base-model", f"{target.argument}: {error}", hint) from error
    return diff(f"hf:{name}", argument, pool, wanted)


def matrix(arguments: Sequence[Argument], pool: Pool, wanted: Wanted) -> Matrix:
    """Compare each of several targets with each. Raises RepairableError as `diff` does."""
    targets = with_tokens([side(argument, wanted.check.request) for argument in arguments])
    for target in targets:
        if not (target.resolved and target.resolved.templates):
            raise RepairableError("no-chat-template", f"no chat template in {target.argument}", "run tpllint check on it")
    found = sides(targets, pool, wanted.check, described=False)
    varied, _ = varied_sides(targets, found, pool, wanted.check)
    return Matrix(tuple(varied))


def side(argument: Argument, request: Request) -> Target:
    """One side, opened by itself: two files of one folder are two sides and not one model. Raises RepairableError."""
    (target,) = opened([argument], request)
    if target.error is not None:
        raise RepairableError(target.error.kind, target.error.message, target.error.hint)
    return target


def with_tokens(targets: Sequence[Target]) -> list[Target]:
    """All of them, with the tokens of the first that declares any where a side's own would be a guess."""
    declared = (target.resolved.tokens for target in targets if target.resolved and target.resolved.tokens.known)
    tokens = next(declared, None)
    return [_with(target, tokens) if tokens else target for target in targets]


def _with(target: Target, tokens: Any) -> Target:
    if target.resolved is None or target.resolved.tokens.known:
        return target
    return target._replace(resolved=target.resolved._replace(tokens=tokens))


def _with_tokenizer(target: Target, wanted: Wanted) -> Target:
    """With the tokenizer that tells how many tokens a prompt has; it is downloaded only for who asks."""
    request, model = wanted.check.request, target.model
    on_this_machine = model is not None and model.commit is None
    if model is None or wanted.token_counts is False or not (on_this_machine or wanted.token_counts):
        return target
    return target._replace(model=with_more(model, (TOKENIZER,), offline=request.offline, token=request.token))


def sides(targets: Sequence[Target], pool: Pool, asked: Check, *, described: bool = True) -> list[Side]:
    """What the workers make of each target, with the description of each template where that is asked for.

    Raises RepairableError where a limit ended a render: no verdict could be right.
    """
    return _sides(targets, examined_sides(targets, pool, asked, described=described))


def examined_sides(targets: Sequence[Target], pool: Pool, asked: Check, *, described: bool = True) -> Examination:
    """The findings about each target, and in the answers of the workers what `sides` are made of."""
    rules = asked.selection.chosen(pool.rules)
    return examination(targets, rules, pool, asked, want="side", selection={"description": described})


def _sides(targets: Sequence[Target], found: Examination) -> list[Side]:
    report, answers = found
    by_target = {part.targets[0].target: part for part in report.by_target()}
    return [_side(target, answer, by_target[target.argument]) for target, answer in zip(targets, answers, strict=True)]


def import_ahead() -> None:
    """Import what will be needed and takes longer than all else in this process, while it waits for its workers."""
    threading.Thread(target=importlib.import_module, args=("deepdiff",), daemon=True).start()


class Varied(NamedTuple):
    """What conversations were made for: the request with those that findings show, and the probes of all sides."""

    request: Request
    probes: Probes


def varied_sides(targets: Sequence[Target], found: Sequence[Side], pool: Pool, asked: Check) -> tuple[Sequence[Side], Varied]:
    """The sides with the outcomes of conversations that are made for them; the same where all have the same sources."""
    tokens = [target.resolved.tokens if target.resolved else None for target in targets]
    if all(one.sources == found[0].sources for one in found) and all(one == tokens[0] for one in tokens):
        return found, Varied(asked.request, Probes())
    probes = functools.reduce(Probes.joined, (one.probes for one in found)).without(asked.request.variables)
    witnesses = tuple(_witnesses([finding for one in found for finding in one.findings]))
    varied = Varied(asked.request._replace(conversations=(*asked.request.conversations, *witnesses)), probes)
    again = asked._replace(request=varied.request)
    _, answers = examination(targets, (), pool, again, want="side", selection={"probes": probes._asdict()})
    return [_with_more(one, answer) for one, answer in zip(found, answers, strict=True)], varied


def _with_more(one: Side, answers: Answers) -> Side:
    """A side with the outcomes of conversations that were made for it.

    Those that ran out of time are undecided; what takes more memory or calls itself deeper than allowed is refused each time.
    """
    crash = next((message for message in answers.messages if message["kind"] == "crash"), None)
    if crash is not None:
        raise RuntimeError(crash["traceback"])
    every = [outcome for message in _told(answers) for outcome in message["outcomes"]]
    cut_short = frozenset(name for name, *_, limit in every if limit in OF_TIME)
    outcomes = {key: outcome for key, outcome in _outcomes(answers) if key[1] not in cut_short}
    lost = () if answers.ended is None else (f"the rest of those that are made for the two ({answers.ended})",)
    return replace(one, outcomes={**one.outcomes, **outcomes}, undecided=(*sorted(cut_short), *lost))


def _witnesses(findings: Iterable[Finding]) -> Iterator[Mapping[str, Any]]:
    """The conversations that findings were made from and show, each once."""
    told: list[Mapping[str, Any]] = []
    for finding in findings:
        made = finding.evidence.input
        if made is not None and made not in told and len(told) < MOST_WITNESSES:
            told.append(made)
            yield {"name": f"shows {finding.rule} ({len(told)})", "data": dict(made)}


def _side(target: Target, answers: Answers, report: Report) -> Side:
    sources = {stored.label: stored.source for stored in target.resolved.templates} if target.resolved else {}
    _require_whole(target, answers, frozenset(sources))
    told = [message for message in answers.messages if message["kind"] == "description"]
    probes = map(_probes, (message for message in answers.messages if message["kind"] == "probes"))
    return Side(
        target.argument,
        sources,
        dict(_outcomes(answers)),
        {message["template"]: _description(message, target) for message in told},
        report.findings,
        report.crashes,
        functools.reduce(Probes.joined, probes, Probes()),
    )


def _probes(message: Mapping[str, Any]) -> Probes:
    variables = {name: tuple(values) for name, values in message["variables"].items()}
    return Probes(variables, tuple(map(tuple, message["words"])), tuple(message["roles"]), message["documents"])


def _description(message: Mapping[str, Any], target: Target) -> dict[str, Any]:
    """What a worker says of a template, and whether the model stops at the end of its answers."""
    told = by_name({key: value for key, value in message.items() if key not in ("kind", "template")})
    terminator = (told.get("terminator") or {}).get("text")
    return {**told, "stops_at_terminator": _stops_at(terminator, target.resolved.vocabulary if target.resolved else None)}


def _stops_at(terminator: str | None, vocabulary: Vocabulary | None) -> bool | None:
    """Whether generation ends at a token; None where files do not tell its id or where the model stops."""
    if not terminator or vocabulary is None or vocabulary.stops is None or terminator not in vocabulary.ids:
        return None
    return vocabulary.ids[terminator] in vocabulary.stops


def _require_whole(target: Target, answers: Answers, templates: frozenset[str]) -> None:
    """Every template has been rendered with every conversation, and no limit has ended a render."""
    told = _told(answers)
    if {message["template"] for message in told} != templates:
        crash = next((message for message in answers.messages if message["kind"] == "crash" and not message["rule"]), None)
        if crash is not None:
            raise RuntimeError(crash["traceback"])
        reason = answers.ended or "it was not rendered whole"
        raise _cut_short(target, f"the analysis ended early: {reason}")
    limited = [f"rendering {outcome[0]}" for message in told for outcome in message["outcomes"] if outcome[4]]
    if limited:
        names = list(dict.fromkeys(limited))
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        raise _cut_short(target, f"a limit ended {', '.join(names[:MOST_NAMED])}{more}")


def _cut_short(target: Target, why: str) -> RepairableError:
    return RepairableError("resource-exhaustion", f"{target.argument} cannot be compared: {why}", "run tpllint check on it")


def _told(answers: Answers) -> list[dict[str, Any]]:
    return [message for message in answers.messages if message["kind"] == "outcomes"]


def _outcomes(answers: Answers) -> Iterator[tuple[Key, Outcome]]:
    for message in _told(answers):
        for name, flag, text, error, _ in message["outcomes"]:
            yield (message["template"], name, flag), Outcome(text, error)


def _known(request: Request, probes: Probes) -> dict[str, Conversation]:
    """Every conversation by the name that workers use for it."""
    every = [*canonical().values(), *(from_json(own["name"], own["data"]) for own in request.conversations)]
    in_parts = {f"{found.name}{IN_PARTS}": found.in_parts() for found in every}
    return {found.name: found for found in (*every, *variations(probes))} | in_parts
