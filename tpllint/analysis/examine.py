"""What a worker does with one job: runs rules over the templates, or renders conversations."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from tpllint.analysis.environment import CLOCK
from tpllint.analysis.job_templates import checked_templates, templates_of
from tpllint.analysis.limits import Deadline, LimitReached
from tpllint.analysis.model import Model, View
from tpllint.analysis.renders import Render, error_text, shown
from tpllint.analysis.suppressions import MARK, suppressions
from tpllint.analysis.template import Template
from tpllint.analysis.tokenizer import Tokenizer
from tpllint.analysis.witness import replayed, smallest
from tpllint.conversations import IN_PARTS, Conversation, canonical
from tpllint.conversations.variations import Probes, variations
from tpllint.job import Job
from tpllint.markers import common_prefix, common_suffix
from tpllint.rule import Fix, OwnFile, Problem, Related, Rule
from tpllint.severity import Severity
from tpllint.span import Place, position_at

SECURITY = "security"
MAX_PROBLEMS = 10
"""Of one rule about one template; the last one says how many more there are."""
MAX_COUNTED = 1000
MAX_TEXT = 2000
MAX_RELATED = 20
MAX_TRACEBACK = 20_000
EXCERPT = 200
"""How many characters of a prompt are shown."""
SHARED = 40
"""How many characters stand around what differs between two prompts."""

Send = Callable[[dict[str, Any]], None]
Check = Callable[[Template], Iterator[Problem]]


def examine(
    job: Job, rules: Sequence[Rule], send: Send, before_executing: Callable[[Sequence[Template]], None] = lambda _: None
) -> None:
    """Run the rules, what needs no execution first, and send each problem as soon as it is known.

    Of copies that transformers does not load only the security rules speak: another engine or converter may take them. What
    else is asked of the templates is done by `before_executing`, when the rules that execute nothing have spoken.
    """
    deadline = Deadline()
    every = templates_of(job, deadline)
    templates = tuple(template for template, variant in zip(every, job.templates, strict=True) if variant.checked)
    model = Model(templates, job.storage, tuple(_views(job, every)), job.locked)
    questions: dict[str, list[tuple[str, str]]] = {}
    for template in templates:
        for message in suppressions(template):
            send(message)
    _check_model(model, (rule for rule in rules if rule.static), send)
    vetting = [rule for rule in rules if rule.category == SECURITY]
    copies = tuple(model.copies())
    for executes in (False, True):
        if executes:
            before_executing(templates)
        for template in (*templates, *copies):
            for rule, check in _checks(vetting if template in copies else rules, executes=executes):
                asked = partial(_told, job, rule, check, template)
                _run(rule, asked if executes else partial(_in_time, template, asked), template, send)
                _note_questions(rule, template.tokenizer, job, questions)
    _check_model(model, (rule for rule in rules if not rule.static), send)
    undecided = {template.label: why for template in templates if (why := template.undecided) is not None}
    send({"kind": "done", "exhausted": _exhausted((*templates, *copies)), "undecided": undecided, "questions": questions})


def _checks(rules: Sequence[Rule], *, executes: bool) -> Iterator[tuple[Rule, Check]]:
    """What the rules check in a template before it is executed, or after."""
    for rule in rules:
        if not executes and type(rule).check_source is not Rule.check_source:
            yield rule, rule.check_source
        if rule.static is not executes:
            yield rule, rule.check_template


def _in_time(template: Template, check: Callable[[], Iterator[Problem]]) -> Iterator[Problem]:
    """What a check says that renders nothing, and so has no other clock; raises TimeIsUp, and not while something is sent."""
    iterator = check()
    while True:
        with template.running():
            problem = next(iterator, None)
        if problem is None:
            return
        yield problem


def _note_questions(rule: Rule, tokenizer: Tokenizer, job: Job, questions: dict[str, list[tuple[str, str]]]) -> None:
    """Keep what a rule has asked; nothing is looked up for what nobody will be told."""
    asked = tokenizer.questions()
    if asked is not None and not (rule.severity is Severity.INFO and rule.name in job.quiet):
        questions.setdefault(rule.name, []).extend(asked)


def _check_model(model: Model, rules: Iterable[Rule], send: Send) -> None:
    for rule in rules:
        _run(rule, partial(rule.check_model, model), None, send, blamed=next(iter(model.templates), None))


def _told(job: Job, rule: Rule, check: Check, template: Template) -> Iterator[Problem]:
    """A rule's problems, without the infos that nobody is told: to find the place of each would take the most time of all.

    Where comments speak to tpllint all of them count: one that covers an info is in use.
    """
    quiet = rule.name in job.quiet and MARK not in template.text
    if quiet and (rule.only_infos or (rule.for_named_engines and not job.requires)):
        return
    for problem in check(template):
        if not (quiet and (problem.severity or rule.severity) is Severity.INFO):
            yield problem


def _views(job: Job, templates: Sequence[Template]) -> Iterator[View]:
    for view in job.views:
        loaded, shadowed = (tuple(templates[index] for index in indices) for indices in (view.templates, view.shadowed))
        yield View(view.loader, loaded, shadowed, named=view.named, error=view.error, certain=view.certain)


def _run(
    rule: Rule,
    check: Callable[[], Iterable[Problem]],
    template: Template | None,
    send: Send,
    *,
    blamed: Template | None = None,
) -> None:
    """Send what a check says. A limit that ends it is told of its template, or of the one that is `blamed`."""
    blamed = template or blamed
    name = template.label if template else None
    try:
        iterator = iter(check())
        for problem in islice(iterator, MAX_PROBLEMS):
            send({"kind": "problem", "rule": rule.name, **_as_json(problem, problem.template or template)})
        more = sum(1 for _ in islice(iterator, MAX_COUNTED))
        if more:
            send({"kind": "more", "rule": rule.name, "template": name, "count": more})
    except (Exception, LimitReached) as error:
        ended = isinstance(error, LimitReached | MemoryError) or (template and isinstance(error, RecursionError))
        if blamed and ended:
            blamed.exhausted[f"checking {rule.name}"] = str(error) or type(error).__name__
        else:
            send({"kind": "crash", "rule": rule.name, "traceback": told_traceback()})


def told_traceback() -> str:
    """The traceback of what is being handled; an exception may quote megabytes of a template."""
    told = traceback.format_exc(limit=-20)
    return told if len(told) <= MAX_TRACEBACK else f"{told[: MAX_TRACEBACK // 2]}\n...\n{told[-MAX_TRACEBACK // 2 :]}"


def _as_json(problem: Problem, template: Template | None) -> dict[str, Any]:
    place = [*problem.at, *problem.at] if problem.at else _place(problem, template)
    where = {"template": template.label if template else None, "file": problem.file, "place": place}
    related = (_related(one, one.template or template) for one in problem.related[:MAX_RELATED])
    return {
        "message": problem.message[:MAX_TEXT],
        "help": problem.help[:MAX_TEXT],
        "severity": problem.severity,
        "engine": problem.engine,
        **_evidence(problem, template),
        **where,
        **_fix(problem.fix, template),
        "related": [told for told in related if told and {key: told[key] for key in where} != where],
    }


def _fix(fix: Fix | None, template: Template | None) -> dict[str, Any]:
    """What is offered to repair a problem; no fix that writes more into a template than anybody would read."""
    if isinstance(fix, OwnFile):
        return {"own_file": True}
    if fix is None or template is None or sum(len(edit.text) for edit in fix.edits) > MAX_TEXT:
        return {}
    edits = [[_lines(edit.place, template), edit.text] for edit in fix.edits]
    return {"rewrite": {"edits": edits, "loses": fix.loses, "gains": fix.gains}}


def _evidence(problem: Problem, template: Template | None) -> dict[str, Any]:
    """The conversation that a person should look at, and its prompt around what a rule shows in it."""
    render, shows = problem.render, problem.shows
    if render is None or render.recipe is None or template is None:
        return {"conversation": None, "excerpt": None, "usual": None, "input": None}
    witness = smallest(template, render, problem.holds) if problem.holds else render
    if witness is not render and isinstance(shows, tuple) and render.text is not None:
        shows = render.text[shows[0] : shows[1]]
    recipe = witness.recipe or render.recipe
    return {
        "conversation": recipe.conversation.name,
        **_excerpts(witness.text, shows, problem.usual),
        "input": replayed(template, recipe),
    }


def _excerpts(text: str | None, shows: str | tuple[int, int] | None, usual: str | None) -> dict[str, str | None]:
    """What is shown of a prompt and, where it is held against another one, of both from where they part."""
    if text is None:
        return {"excerpt": None, "usual": None}
    if usual is None:
        return {"excerpt": _window(text, shown(text, shows)[1]), "usual": None}
    start = common_prefix(text, usual)
    end = common_suffix(text[start:], usual[start:])
    return {"excerpt": _parting(text, start, len(text) - end), "usual": _parting(usual, start, len(usual) - end)}


def _parting(text: str, start: int, end: int) -> str:
    """The part of a prompt in which it differs from another one, between a little of what they share."""
    first, last = max(start - SHARED, 0), min(end, start + EXCERPT) + SHARED
    return f"{'... ' if first else ''}{text[first:last]}{' ...' if last < len(text) else ''}"


def _window(text: str, end: int) -> str:
    """The part of a prompt that a person needs to see: around what ends there."""
    stop = min(max(end + EXCERPT // 4, EXCERPT), len(text))
    start = max(stop - EXCERPT, 0)
    return f"{'... ' if start else ''}{text[start:stop]}{' ...' if stop < len(text) else ''}"


def _related(related: Related, template: Template | None) -> dict[str, Any] | None:
    place = [*related.at, *related.at] if related.at else _place(related, template)
    if place is None:
        return None
    label = template.label if template else None
    return {"message": related.message[:MAX_TEXT], "template": label, "file": related.file, "place": place}


def _place(told: Problem | Related, template: Template | None) -> list[int] | None:
    """Lines and columns of a place that a rule gave, or of the code that wrote what it shows."""
    if template is None:
        return None
    place = told.place
    if place is None and told.render is not None:
        if isinstance(told, Problem) and told.lost:
            place = template.place_of_loss(told.render, told.lost, told.about)
        else:
            place = template.place_of(told.render, told.shows)
    return _lines(place, template)


def _lines(place: Place | None, template: Template) -> list[int] | None:
    """Line, column, end line and end column."""
    if place is None:
        return None
    start, end = position_at(template.text, place.start), position_at(template.text, place.end)
    return [start.line, start.column, end.line, end.column]


def render_all(job: Job, send: Send) -> None:
    """Render what the job asks for with every template, and send each result."""
    templates = checked_templates(job, Deadline())
    for template in templates:
        for conversation, flag in _wanted(job, template):
            if job.selection.get("continue_final_message"):
                result, flag = template.continued(conversation), False
            else:
                result = template.render_conversation(conversation, generation_prompt=flag)
            record = _render_as_json(template, conversation, flag, result)
            if job.selection.get("origins"):
                record["origins"] = _origins(template, result)
            send({"kind": "render", **record, "continue_final_message": bool(job.selection.get("continue_final_message"))})
    send({"kind": "done", "exhausted": _exhausted(templates), "undecided": {}})


def _exhausted(templates: Iterable[Template]) -> dict[str, dict[str, str]]:
    return {template.label: template.exhausted for template in templates if template.exhausted}


def describe_all(job: Job, send: Send) -> None:
    """Describe every template."""
    for template in checked_templates(job, Deadline()):
        described = template.description.as_json()
        if job.selection.get("coverage"):
            described["coverage"] = template.coverage
        send({"kind": "description", **described})
    send({"kind": "done", "exhausted": {}, "undecided": {}})


def _origins(template: Template, result: Render) -> list[list[Any]]:
    """Whose each part of a prompt is, and the code that wrote it; nothing where the second compilation cannot tell."""
    pieces = template.tracing.written(result) or ()
    return [[piece.start, piece.end, piece.message, piece.during, _lines(piece.place, template)] for piece in pieces]


def _wanted(job: Job, template: Template) -> Iterator[tuple[Conversation, bool]]:
    if (chosen := job.selection.get("chosen")) is not None:
        made = variations(Probes(**job.selection["probes"]))
        every = {conversation.name: conversation for conversation in (*every_conversation(template), *made)}
        yield from ((every[name], flag) for label, name, flag in chosen if label == template.label and name in every)
        return
    if job.selection.get("all"):
        for conversation in (*canonical().values(), *template.own_conversations):
            yield conversation, False
            yield conversation, True
        return
    named = [canonical()[name] for name in job.selection.get("names", ())]
    for conversation in (*named, *template.own_conversations):
        yield conversation, _flag(conversation, job.selection.get("generation_prompt"))


def every_conversation(template: Template) -> Iterator[Conversation]:
    """All canonical conversations and the user's own, for a template that reads only lists of parts once more in that form."""
    every = (*canonical().values(), *template.own_conversations)
    yield from every
    if template.anatomy.reads_parts_only:
        yield from (replace(found.in_parts(), name=f"{found.name}{IN_PARTS}") for found in every)


def _flag(conversation: Conversation, asked: bool | None) -> bool:
    if asked is not None:
        return asked
    if conversation.generation_prompt is not None:
        return conversation.generation_prompt
    return not conversation.messages or conversation.messages[-1].get("role") != "assistant"


def _render_as_json(template: Template, conversation: Conversation, flag: bool, result: Render) -> dict[str, Any]:
    inputs = template.inputs(conversation)
    return {
        "template": template.label,
        "conversation": conversation.name,
        "add_generation_prompt": flag,
        "clock": CLOCK.isoformat(),
        "inputs": {
            "messages": list(inputs.messages),
            "tools": inputs.tools,
            "documents": inputs.documents,
            "variables": dict(inputs.variables),
        },
        "text": result.text,
        "error": None if result.error is None else error_text(result.error),
    }
