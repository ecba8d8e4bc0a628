"""What the command line does, for Python: `tpllint.check`, `tpllint.describe`, `tpllint.diff` and `tpllint.render`.

A target is what the command line takes (a path or a model on the Hub), a `Path`, or a live tokenizer or processor. Each call
starts its own worker process and ends it; for many calls give all targets at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from tpllint import checking, describing, diffing, rendering
from tpllint.config import RESERVED
from tpllint.conversations import MAX_DEPTH, ConversationError, from_json, nests_too_deeply
from tpllint.difference.diff import Diff
from tpllint.errors import RepairableError
from tpllint.finding import Report
from tpllint.names import unknown
from tpllint.pool import Pool
from tpllint.registry import plugin_packs
from tpllint.selection import Selection
from tpllint.severity import Severity
from tpllint.sources.tokenizer import Given, arguments
from tpllint.targets import Request

Conversations: TypeAlias = Sequence[Sequence[Mapping[str, Any]] | Mapping[str, Any]]
"""Conversations: lists of messages, or dicts with `messages` and, beside it, `tools`, `documents`, `add_generation_prompt` and
template variables."""


ABOUT_TOKENS = {"tokenize", "chat_template", "return_dict", "return_tensors", "return_assistant_tokens_mask"}
"""Arguments of apply_chat_template that never reach a template."""


def check(
    *targets: Given,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    severity: Mapping[str, Severity | str] | None = None,
    profile: str = "default",
    expect: Sequence[str] = (),
    requires: Sequence[str] = (),
    variables: Mapping[str, Any] | None = None,
    conversations: Conversations = (),
) -> Report:
    """The findings about chat templates.

    A target is a path (a `.jinja` file, a configuration file, a model folder), a model on the Hub (`org/model`,
    `org/model@revision`), or a tokenizer or processor, which is judged by the files that its `save_pretrained` would write.
    `select`, `ignore` and `severity` take codes, prefixes of codes, names or `ALL`. `profile` is one of default, agent,
    training, security and all; `expect` names what the model has to be able to do (`tpllint.CAPABILITIES`), `requires` the
    engines that its template has to run on, as in `transformers>=4.44`. `variables` are passed to every template.
    `conversations` are examined beside the built-in ones, and have to render. No configuration file is read.

    What cannot be examined is told in `Report.targets`; nothing is raised for it. Raises TypeError where a target is of another
    type, a conversation holds what is not JSON or a list of words is one text, ConversationError where a conversation has not
    the form of one, and RepairableError where a severity is unknown, a variable has a name that belongs to the conversation, no
    worker process can be started or a rule pack is broken.
    """
    selection = Selection(_words("select", select), _words("ignore", ignore), _levels(severity or {}), profile=profile)
    made = _request(conversations, variables)
    request = made._replace(expect=_words("expect", expect), requires=_words("requires", requires))
    asked = checking.Check(request, selection)
    found = arguments(targets)
    with Pool(plugin_packs()) as pool:
        return checking.check(found, pool, asked)


def diff(
    left: Given,
    right: Given,
    *,
    conversations: Conversations = (),
    variables: Mapping[str, Any] | None = None,
    template: str | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
) -> Diff:
    """What a change of chat templates changes for a caller: every canonical conversation through both sides, and the findings.

    Targets, `conversations`, `variables`, `select` and `ignore` are those of `check`. `template` compares only the template of
    that name. A template that only one side has is a change of behaviour; a conversation that both sides refuse is none, in
    whatever words they refuse it. Where only one side declares special tokens, both are rendered with them.

    Raises RepairableError where a side cannot be had, neither has a template, or a limit ended a render, and otherwise what
    `check` raises.
    """
    request = _request(conversations, variables, template)
    asked = checking.Check(request, Selection(_words("select", select), _words("ignore", ignore)))
    one, other = arguments([left, right])
    with Pool(plugin_packs(), hands=diffing.HANDS) as pool:
        return diffing.diff(one, other, pool, diffing.Wanted(asked))


def describe(target: Given, *, template: str | None = None) -> list[Mapping[str, Any]]:
    """The anatomy of a target's templates, each as `tpllint describe --output-format json` shows it under `descriptions`.

    Raises RepairableError where the target cannot be had or has no such template.
    """
    found = arguments([target])
    with Pool() as pool:
        (result,) = describing.describe(found, pool, Request(template=template))
    if result.error:
        raise RepairableError(result.error.kind, result.error.message, result.error.hint)
    return list(result.templates)


def render(
    target: Given,
    messages: Sequence[Mapping[str, Any]],
    *,
    tools: Sequence[Any] | None = None,
    add_generation_prompt: bool = False,
    continue_final_message: bool = False,
    template: str = "default",
    **variables: Any,
) -> str:
    """The prompt that a target's chat template makes of a conversation, as `apply_chat_template(tokenize=False)` makes it.

    Everything that is passed must be JSON: `tools` are schemas, not functions. `template` is the name of the template.

    Raises RepairableError where the target has no such template, cannot be had, or does not render the conversation,
    ConversationError where the messages have not the form of a conversation, TypeError where something is not JSON, the target
    is of another type or an argument speaks of tokens, and ValueError where a message that is continued is to be followed by a
    generation prompt.
    """
    for name in sorted(ABOUT_TOKENS & variables.keys()):
        raise TypeError(f"{name} is no template variable, and render returns text in any case")
    if add_generation_prompt and continue_final_message:
        raise ValueError("add_generation_prompt and continue_final_message exclude each other")
    data = {"messages": messages, "tools": tools, **variables}
    request = _request([data], None, template)
    asked = rendering.Asked(request, generation_prompt=add_generation_prompt, continue_final_message=continue_final_message)
    found = arguments([target])
    with Pool() as pool:
        (result,) = rendering.render(found, pool, asked)
    if result.error:
        raise RepairableError(result.error.kind, result.error.message, result.error.hint)
    (record,) = result.renders
    if record["error"] is not None:
        raise RepairableError("does-not-render", record["error"], "run tpllint check on the target")
    text: str = record["text"]
    return text


def _words(name: str, words: Sequence[str]) -> tuple[str, ...]:
    """Words as a selection has them; a text is a sequence too, of letters. Raises TypeError."""
    if isinstance(words, str):
        raise TypeError(f"{name} must be a list of words, not text; write {name}=[{words!r}]")
    return tuple(words)


def _levels(severity: Mapping[str, Severity | str]) -> dict[str, Severity]:
    """Severities by rule. Raises RepairableError for a level that is none."""
    known = [level.value for level in Severity]
    for rule, level in severity.items():
        if level not in known:
            raise unknown("bad-severity", "severity", str(level), known, f'severity["{rule}"]: ')
    return {rule: Severity(level) for rule, level in severity.items()}


def _variables(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """Template variables that do not stand in for a part of the conversation. Raises RepairableError."""
    for name in variables:
        if name in RESERVED:
            message = f'variables: "{name}" belongs to the conversation'
            raise RepairableError("bad-variable", message, 'pass it in a conversation: {"messages": [...], "tools": [...]}')
        if not str(name).isidentifier():
            message = f'variables: "{name}" is no name of a variable'
            raise RepairableError("bad-variable", message, 'write variables={"enable_thinking": True}')
    return variables


def _request(conversations: Conversations, variables: Mapping[str, Any] | None, template: str | None = None) -> Request:
    """The request as a job carries it. Raises TypeError, ConversationError and RepairableError."""
    named = ((f"conversations[{index}]", _as_json(data)) for index, data in enumerate(conversations))
    return Request(
        conversations=tuple({"name": from_json(name, data).name, "data": data} for name, data in named),
        variables=_as_json(dict(_variables(variables or {}))),
        template=template,
    )


def _as_json(value: Any) -> Any:
    """The value as a template will see it: lists for tuples, and nothing that JSON does not know."""
    if nests_too_deeply(value):
        raise ConversationError(f"a conversation or variable nests deeper than {MAX_DEPTH} levels")
    return json.loads(json.dumps(value))
