"""What stands for a template in a lock: signatures of its source, its tokens, each conversation and the prompts made of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from tpllint.analysis.environment import CLOCK
from tpllint.analysis.examine import MAX_TEXT, Send, every_conversation
from tpllint.analysis.job_templates import checked_templates
from tpllint.analysis.limits import Deadline
from tpllint.analysis.renders import Inputs, Render, context_of, error_text
from tpllint.analysis.template import Template
from tpllint.conversations import IN_PARTS, Conversation, canonical
from tpllint.job import Job, Locked
from tpllint.signatures import signature, steady

RAISES = "raises"


class Signed(NamedTuple):
    """A conversation, its signature, and that of what a template makes of it; None where a limit ended a render."""

    conversation: Conversation
    asked: str
    prompts: str | None


class SinceLock(NamedTuple):
    """How a template differs from what is locked of it: its source, its tokens, its prompts.

    `compared` counts the conversations that are the same ones in the lock. `changed` are those of them that give other prompts,
    `cut_short` those of which a limit ended a render, so that nothing is known. `missed` names what is not compared although it
    should be: what is locked and is not there or another one by now, and what is built in and was not locked.
    """

    source: bool
    tokens: bool
    compared: int
    changed: tuple[Conversation, ...]
    cut_short: tuple[Conversation, ...]
    missed: tuple[str, ...]


def since(template: Template, locked: Locked) -> SinceLock:
    """How a template differs from what is locked of it."""
    known = locked.conversations
    shared: list[Signed] = []
    others: list[Signed] = []
    for one in signed(template):
        (shared if one.asked == known.get(one.conversation.name, ("", ""))[0] else others).append(one)
    return SinceLock(
        _of_source(template) != locked.source,
        _of_tokens(template) != locked.tokens,
        len(shared),
        tuple(one.conversation for one in shared if one.prompts not in (None, known[one.conversation.name][1])),
        tuple(one.conversation for one in shared if one.prompts is None),
        _missed(known, shared, others),
    )


def _missed(known: Iterable[str], shared: Sequence[Signed], others: Sequence[Signed]) -> tuple[str, ...]:
    """Of what is locked, by name, and of what is built in, all that is not among the `shared`."""
    compared = {one.conversation.name for one in shared}
    here = [one.conversation.name for one in others]
    built_in = [name for name in here if name.removesuffix(IN_PARTS) in canonical()]
    return tuple(dict.fromkeys((*built_in, *(name for name in known if name not in compared))))


def sign_all(job: Job, send: Send) -> None:
    """Tell the signatures of every template."""
    for template in checked_templates(job, Deadline()):
        conversations = [[one.conversation.name, one.asked, one.prompts] for one in signed(template)]
        of_files = {"source": _of_source(template), "tokens": _of_tokens(template)}
        told = {"template": template.label, **of_files, "conversations": conversations, "renders_none": _renders_none(template)}
        send({"kind": "signatures", **told})
    send({"kind": "done", "exhausted": {}, "undecided": {}})


def _renders_none(template: Template) -> str | None:
    """Why nothing comes of any conversation; None where something does."""
    first: Render | None = None
    for conversation in every_conversation(template):
        for flag in (False, True):
            render = template.render_conversation(conversation, generation_prompt=flag)
            if render.text:
                return None
            first = first or render
    return "every prompt is empty" if first is None or first.error is None else error_text(first.error)[:MAX_TEXT]


def signed(template: Template) -> Iterator[Signed]:
    """Each conversation that a comparison takes, with its signatures."""
    for conversation in every_conversation(template):
        yield Signed(conversation, _of_conversation(template, conversation), _of_prompts(template, conversation))


def _of_source(template: Template) -> str:
    return signature(template.source)


def _of_tokens(template: Template) -> str:
    return signature(json.dumps(dict(template.tokens), sort_keys=True))


def _of_conversation(template: Template, conversation: Conversation) -> str:
    """Of all that is passed to the template beside the special tokens, which belong to the model."""
    variables = {**conversation.variables, **template.variables}
    inputs = Inputs(conversation.messages, conversation.tools, conversation.documents, variables)
    passed = {**context_of(inputs, generation_prompt=False), "strftime_now": CLOCK.isoformat(), **variables}
    return signature(json.dumps(dict(sorted(passed.items()))))


def _of_prompts(template: Template, conversation: Conversation) -> str | None:
    """Of both prompts, without and with the generation prompt."""
    renders = [template.render_conversation(conversation, generation_prompt=flag) for flag in (False, True)]
    return None if any(render.limited for render in renders) else signature(*map(_of_render, renders))


def _of_render(render: Render) -> str:
    """One that raises is like every other one that raises, whatever the words."""
    return RAISES if render.text is None else signature(steady(render.text))
