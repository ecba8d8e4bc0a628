"""The verb `render`: conversations through a target's templates, as transformers would render them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tpllint.conversations.variations import NO_PROBES, Probes
from tpllint.errors import RepairableError
from tpllint.finding import TargetError
from tpllint.job import Origin
from tpllint.pool import Answers, Order, Pool
from tpllint.reproduction import Rendered, snippet
from tpllint.storage import Resolved
from tpllint.targets import Argument, Request, Target, answered, named, opened, order_for
from tpllint.tokenizing import Token, encode, tokenizer_of

SHOWN_BY_DEFAULT = "user-assistant-user"


@dataclass(frozen=True)
class Prompt:
    """One render: its record in the form of the JSON contract, and what else was asked for about it.

    `origins` cover the text without gaps; they are empty where nobody asked for them.
    """

    record: Mapping[str, Any]
    origins: tuple[Origin, ...] = ()
    tokens: tuple[Token, ...] | None = None
    snippet: str | None = None


@dataclass(frozen=True)
class Renders:
    """Every render of one target, or the error that prevents them.

    `cut_short` names what a limit ended: a render among the others that says nothing about the template.
    """

    target: str
    prompts: tuple[Prompt, ...] = ()
    error: TargetError | None = None
    cut_short: tuple[str, ...] = ()

    @property
    def renders(self) -> tuple[Mapping[str, Any], ...]:
        """The records alone."""
        return tuple(prompt.record for prompt in self.prompts)


@dataclass(frozen=True)
class Asked:
    """What `render` is asked for. `generation_prompt` None follows each conversation: on, unless the assistant spoke last.

    `every` means all canonical conversations beside the request's own, with and without generation prompt. `chosen` are the
    only ones, where it is given: each a template, a conversation (canonical, the request's own, or made for the `probes`), and
    whether there is a generation prompt. Beside the prompts: `origins`, the message that each part came from; `token_ids`;
    `snippets`, programs that reproduce them.
    """

    request: Request = field(default_factory=Request)
    every: bool = False
    names: tuple[str, ...] = ()
    generation_prompt: bool | None = None
    continue_final_message: bool = False
    chosen: tuple[tuple[str, str, bool], ...] | None = None
    probes: Probes = NO_PROBES
    origins: bool = False
    token_ids: bool = False
    snippets: bool = False


def render(targets: Sequence[Argument], pool: Pool, asked: Asked) -> list[Renders]:
    """Render each target; one that cannot be opened does not stop the others."""
    return rendered(opened(targets, asked.request._replace(tokenizer=asked.token_ids)), pool, asked)


def rendered(found: Sequence[Target], pool: Pool, asked: Asked) -> list[Renders]:
    """The renders of targets that are open."""

    def order(target: Target, resolved: Resolved) -> Order:
        return order_for(target, resolved, asked.request, (), want="renders", selection=_selection(asked))

    return [_renders(target, answers, asked) for target, answers in answered(found, pool, order)]


def refused(targets: Sequence[Argument], error: RepairableError) -> list[Renders]:
    """What a run that cannot start says: the same error of every target."""
    told = TargetError(error.kind, error.message, error.hint)
    return [Renders(target, error=told) for target in dict.fromkeys(map(named, targets))]


def _selection(asked: Asked) -> dict[str, Any]:
    names = asked.names or (() if asked.request.conversations else (SHOWN_BY_DEFAULT,))
    return {
        "all": asked.every,
        "chosen": asked.chosen,
        "probes": asked.probes._asdict(),
        "names": list(names),
        "generation_prompt": asked.generation_prompt,
        "continue_final_message": asked.continue_final_message,
        "origins": asked.origins,
    }


def _renders(target: Target, answers: Answers | TargetError, asked: Asked) -> Renders:
    argument = target.argument
    if isinstance(answers, TargetError):
        return Renders(argument, error=answers)
    prompts = [_prompt(argument, message) for message in answers.messages if message["kind"] == "render"]
    try:
        prompts = _with_tokens(target, prompts) if asked.token_ids else prompts
    except RepairableError as error:
        return Renders(argument, error=TargetError(error.kind, error.message, error.hint))
    prompts = [_with_snippet(target, prompt) for prompt in prompts] if asked.snippets else prompts
    cut_short = tuple(step for steps in answers.exhausted.values() for step in steps)
    return Renders(argument, tuple(prompts), cut_short=cut_short)


def _prompt(argument: str, message: Mapping[str, Any]) -> Prompt:
    record = {key: value for key, value in message.items() if key not in ("kind", "origins")}
    origins = tuple(Origin(*origin) for origin in message.get("origins") or ())
    return Prompt({"target": argument, "engine": "transformers", **record}, origins)


def _with_tokens(target: Target, prompts: Sequence[Prompt]) -> list[Prompt]:
    assert target.model is not None
    assert target.resolved is not None
    tokenizer, special = tokenizer_of(target.model), target.resolved.tokens
    texts = dict.fromkeys(prompt.record["text"] for prompt in prompts if prompt.record["text"] is not None)
    encoded = encode(tokenizer, tuple(texts), tuple(special.values.values()) if special.known else ())
    tokens_of: dict[str | None, tuple[Token, ...]] = dict(zip(texts, encoded, strict=True))
    return [_with_ids(prompt, tokens_of.get(prompt.record["text"])) for prompt in prompts]


def _with_ids(prompt: Prompt, tokens: tuple[Token, ...] | None) -> Prompt:
    ids = None if tokens is None else [token.id for token in tokens]
    return replace(prompt, record={**prompt.record, "token_ids": ids}, tokens=tokens)


def _with_snippet(target: Target, prompt: Prompt) -> Prompt:
    if prompt.record["text"] is None or target.model is None or target.resolved is None:
        return prompt
    stored = next(stored for stored in target.resolved.templates if stored.label == prompt.record["template"])
    return replace(prompt, snippet=snippet(Rendered(target.model, target.resolved, stored, prompt.record)))
