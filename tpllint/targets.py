"""From an argument to a job: opens a target, resolves what is stored in it, and says what a worker shall do with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from tpllint.errors import RepairableError
from tpllint.finding import TargetError
from tpllint.job import Job
from tpllint.lock import Entry, Lock, Templates, files_of
from tpllint.names import unknown
from tpllint.pool import Answers, Order, Pool
from tpllint.replies import Generated
from tpllint.sources import open_target
from tpllint.sources.base_model import NoBaseModel, base_model
from tpllint.sources.files import LOCAL, TEMPLATE, TOKENIZER, ModelFile, ModelFiles, merged
from tpllint.sources.local import model_folder, read_local
from tpllint.storage import Resolved, loaded, resolve, variants, with_base_model, without_base_model
from tpllint.storage.reading import DEFAULT, Stored, Unreadable, text_of

FIRST_BATCH = 8
"""Targets; each batch holds twice as many as the one before, so that the first are told of soon."""
BATCH_TARGETS = 64
BATCH_BYTES = 32_000_000
"""Of files. What is parsed from them takes a few times as much, and two batches may overlap."""
UNUSABLE = ("unreadable", "unread", "damaged-gguf", "gguf-without-template")
"""The kinds of facts that say why a file yields no template."""

Argument: TypeAlias = str | ModelFiles | Entry
"""What names a target on the command line or in a lock, or the files of one that was read already."""


class Request(NamedTuple):
    """What the user passed beside the targets.

    `conversations` are a user's own, each as {"name": ..., "data": parsed JSON}. `template` keeps only the template of that
    name; `chat_template` is the path of a template to use with each target's tokens. `expect` are capabilities, `requires`
    the engines that a template has to run on. With `tokenizer`, each target's tokenizer.json is read as well; with
    `base_model`, what a GGUF file was made from. With a `lock`, each target has to be in it. `generated` is what the model
    of the one target said, by the label of the template that it was asked through: then it is judged, and nothing else.
    """

    conversations: tuple[Mapping[str, Any], ...] = ()
    variables: Mapping[str, Any] = {}
    template: str | None = None
    chat_template: str | None = None
    offline: bool = False
    token: str | None = None
    expect: tuple[str, ...] = ()
    tokenizer: bool = False
    base_model: bool = False
    requires: tuple[str, ...] = ()
    lock: Lock | None = None
    generated: Mapping[str, Generated] | None = None


class Target(NamedTuple):
    """One argument: its files and what they amount to, or why they could not be had.

    `locked` is what the request's lock holds of the templates that are asked for; None without a lock.
    """

    argument: str
    origin: str
    resolved: Resolved | None
    error: TargetError | None = None
    model: ModelFiles | None = None
    locked: Templates | None = None


def named(argument: Argument) -> str:
    """The argument as a report shows it."""
    return argument if isinstance(argument, str) else argument.target


def opened(arguments: Sequence[Argument], request: Request) -> list[Target]:
    """Open and resolve every target, in the arguments' order; an error is kept with its target, not raised.

    Several files of one model folder are one target: which of its templates wins depends on all of them.
    """
    return [target for target in _in_turn(distinct(arguments), request) if target]


def distinct(arguments: Iterable[Argument]) -> list[Argument]:
    """The arguments, each name once."""
    return list({named(argument): argument for argument in arguments}.values())


class Batch(NamedTuple):
    """Some targets that are open at the same time, and how many arguments they stand for."""

    targets: tuple[Target, ...]
    arguments: int


def batches(arguments: Sequence[Argument], request: Request) -> Iterator[Batch]:
    """The targets of distinct arguments, opened only so many at a time that their files take no lasting memory."""
    targets: list[Target] = []
    count, size, wanted = 0, 0, FIRST_BATCH
    for target in _in_turn(arguments, request):
        count += 1
        if target is not None:
            targets.append(target)
            size += _size(target)
        if len(targets) >= wanted or size >= BATCH_BYTES:
            yield Batch(tuple(targets), count)
            targets, count, size, wanted = [], 0, 0, min(2 * wanted, BATCH_TARGETS)
    if count:
        yield Batch(tuple(targets), count)


def _in_turn(arguments: Sequence[Argument], request: Request) -> Iterator[Target | None]:
    """For each argument its target, once its turn comes; None where an earlier one of the same folder stands for it."""
    folders: dict[str, list[Argument]] = {}
    for argument in arguments:
        folders.setdefault(_folder(argument), []).append(argument)
    found: dict[str, Target] = {}
    for argument in arguments:
        found |= _together(folders.pop(_folder(argument), ()), request)
        yield found.pop(named(argument), None)


def _folder(argument: Argument) -> str:
    name = named(argument)
    return name if isinstance(argument, Entry) else model_folder(name) or name


def _together(arguments: Sequence[Argument], request: Request) -> dict[str, Target]:
    """The targets of one folder's arguments, by the argument in whose place each stands: what failed, and the rest as one."""
    names = [named(argument) for argument in arguments]
    if request.lock is not None and names and (folder := request.lock.folder_for(names)):
        return {names[0]: _whole_model(folder, " ".join(names), request)}
    each = {named(argument): _opened(argument, request) for argument in arguments}
    brought = {name: files for name, files in each.items() if isinstance(files, ModelFiles)}
    targets = {name: target for name, target in each.items() if isinstance(target, Target)}
    if brought:
        targets[next(iter(brought))] = _resolved(merged(list(brought.values())), request)
    return targets


def _whole_model(folder: str, names: str, request: Request) -> Target:
    """The model of some of its files, all of which decide on what was locked: templates, tokens and which template wins."""
    model = _opened(folder, request)
    if isinstance(model, Target):
        return model._replace(argument=names)
    return _resolved(model._replace(target=names), request, folder)


def _size(target: Target) -> int:
    return sum(len(file.data) for file in target.model.files.values()) if target.model else 0


def _opened(argument: Argument, request: Request) -> ModelFiles | Target:
    if isinstance(argument, ModelFiles):
        return argument
    try:
        more = (TOKENIZER,) if request.tokenizer else ()
        names = files_of(argument.target) if isinstance(argument, Entry) else [argument]
        return merged([open_target(name, offline=request.offline, token=request.token, more=more) for name in names])
    except RepairableError as error:
        return _failed(named(argument), error)


def _resolved(model: ModelFiles, request: Request, locked_as: str | None = None) -> Target:
    """A target of these files; `locked_as` is what a lock has it by, where that is not its name."""
    try:
        resolved = resolve(model)
        if request.base_model and model.from_gguf:
            resolved = _compared(model, resolved, request)
        narrowed = _narrowed(model.target, resolved, request)
        locked = _locked(locked_as or model.target, narrowed, request)
        return Target(model.target, model.origin, narrowed, model=model, locked=locked)
    except RepairableError as error:
        return _failed(model.target, error)


def _locked(target: str, resolved: Resolved, request: Request) -> Templates | None:
    """What is locked of a target; where the user chose a template, nothing of the others. Raises RepairableError."""
    if request.lock is None:
        return None
    locked = request.lock.of(target)
    if request.template is None and request.chat_template is None:
        return locked
    chosen = {stored.label for stored in resolved.templates}
    return {label: one for label, one in locked.items() if label in chosen}


def _compared(model: ModelFiles, resolved: Resolved, request: Request) -> Resolved:
    """With the templates of the model that a GGUF file was made from, or with the reason why they are not at hand."""
    try:
        name = base_model(model, offline=request.offline, token=request.token)
        base = resolve(open_target(f"hf:{name}", offline=request.offline, token=request.token))
    except NoBaseModel as error:
        return without_base_model(resolved, str(error))
    except RepairableError as error:
        return without_base_model(resolved, error.message)
    if not base.views[0].templates:
        return without_base_model(resolved, f"its base model {name} has no chat template that a tokenizer loads")
    return with_base_model(resolved, base)


def _failed(argument: str, error: RepairableError) -> Target:
    return Target(argument, LOCAL, None, TargetError(error.kind, error.message, error.hint))


def answered(
    found: Sequence[Target], pool: Pool, order: Callable[[Target, Resolved], Order]
) -> Iterator[tuple[Target, Answers | TargetError]]:
    """Each target with what a worker answered to its order, or with the reason why there is no answer.

    Raises RuntimeError, with the worker's traceback, for a defect of tpllint.
    """
    errors = [without_a_template(target) for target in found]
    ready = (target for target, error in zip(found, errors, strict=True) if error is None)
    orders = [order(target, target.resolved) for target in ready if target.resolved]
    answers = iter(pool.run(orders))
    for target, error in zip(found, errors, strict=True):
        yield target, error or _whole(target, next(answers))


def _whole(target: Target, answers: Answers) -> Answers | TargetError:
    crash = next((message for message in answers.messages if message["kind"] == "crash"), None)
    if crash:
        raise RuntimeError(crash["traceback"])
    if answers.ended is None:
        return answers
    message = f"the analysis of {target.argument} ended early: {answers.ended}"
    return TargetError("resource-exhaustion", message, "run tpllint check on it")


def without_a_template(target: Target) -> TargetError | None:
    """Why there is nothing to render in a target; None where there is a template."""
    if target.resolved is None or target.resolved.templates:
        return target.error
    unusable = next((fact for fact in target.resolved.facts if fact.kind in UNUSABLE and fact.detail), None)
    raised = next((f": loading the {view.loader} raises: {view.error}" for view in target.resolved.views if view.error), "")
    message = f"{unusable.file} {unusable.detail}" if unusable else f"no chat template in {target.argument}{raised}"
    return TargetError("no-chat-template", message, "run tpllint check on it for more")


def order_for(target: Target, resolved: Resolved, request: Request, rules: tuple[str, ...], **wanted: Any) -> Order:
    """What a worker is told to do with a target."""
    job = Job(
        templates=variants(resolved),
        tokens=resolved.tokens.values,
        tokens_known=resolved.tokens.known,
        absent_tokens=tuple(sorted(resolved.tokens.absent)),
        storage=resolved.facts,
        rules=rules,
        conversations=request.conversations,
        variables=request.variables,
        expect=request.expect,
        requires=request.requires,
        views=loaded(resolved),
        vocabulary=resolved.vocabulary,
        locked=target.locked,
        generated=request.generated,
        **wanted,
    )
    return Order(target.origin, job, target.model)


def _narrowed(argument: str, resolved: Resolved, request: Request) -> Resolved:
    if request.chat_template is not None:
        given = _given(request.chat_template)
        resolved = resolved._replace(templates=(given,), facts=(), files=(given.file,), views=())
    if request.template is None:
        return resolved
    kept = tuple(stored for stored in resolved.templates if request.template in (stored.name, stored.label))
    if not kept:
        names = [stored.label for stored in resolved.templates]
        raise unknown("no-such-template", "chat template", request.template, names, f"{argument}: ")
    return resolved._replace(templates=kept, views=())


def _given(path: str) -> Stored:
    model = read_local(path)
    file: ModelFile | None = next((file for name, file in model.files.items() if name.endswith(".jinja")), None)
    if file is None or not Path(path).is_file():
        raise RepairableError("unknown-kind", f"not a template: {path}", "--chat-template takes a .jinja file")
    try:
        return Stored(DEFAULT, text_of(file), replace(file, name=TEMPLATE))
    except Unreadable as error:
        raise RepairableError("unreadable", f"{path} {error}", "--chat-template takes a UTF-8 .jinja file") from error
