"""The smallest witness: less of a conversation, as long as its render still shows what a rule found."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tpllint.analysis.renders import Recipe, Render
from tpllint.conversations import Conversation, canonical

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

MAX_RENDERS = 80
MAX_SECONDS = 2.0
"""What looking for one smaller conversation may take, in time of the processor: evidence must not change with its load."""
MAX_INPUT = 20_000
"""How many characters of JSON a conversation may have that is told with a finding."""
ESSENTIAL = frozenset(("role", "content", "tool_calls", "tool_call_id", "name"))
"""The fields of a message that stay: without them it would be another case."""
TURNS = ("user", "assistant")


def fails_alike(render: Render) -> Callable[[Render], bool]:
    """Whether a render fails as this one does: at the same place, with the same words."""
    error = render.error
    return lambda other: error is not None and other.error == error


def smallest(template: Template, render: Render, holds: Callable[[Render], bool]) -> Render:
    """The render of the smallest conversation that was found for which `holds` is true; `render` where there is none.

    Messages are left out where the rest is still an ordinary chat, then tools, variables and fields that play no part.
    """
    recipe, ends, tries = render.recipe, time.process_time() + MAX_SECONDS, MAX_RENDERS
    if recipe is None or not holds(render):
        return render
    best, waiting = render, _smaller(recipe.conversation)
    while tries and time.process_time() < ends:
        tries -= 1
        conversation = next(waiting, None)
        if conversation is None:
            break
        if not _is_ordinary(conversation, recipe):
            continue
        made = template.render_again(recipe._replace(conversation=conversation))
        if made.limited:
            break
        if holds(made):
            best, waiting = made, _smaller(conversation)
    return best


def replayed(template: Template, recipe: Recipe) -> dict[str, Any] | None:
    """What a conversation file has to hold to make the render again; None where its name says it, or it is too long."""
    conversation = recipe.conversation
    if conversation in template.own_conversations or conversation == canonical().get(conversation.name):
        return None
    passed = {"tools": conversation.tools, "documents": conversation.documents}
    told = {
        "messages": list(conversation.messages),
        **{name: value for name, value in passed.items() if value is not None},
        **dict(recipe.tokens),
        **conversation.variables,
        "add_generation_prompt": recipe.generation_prompt,
    }
    try:
        return told if len(json.dumps(told)) <= MAX_INPUT else None
    except (TypeError, ValueError, RecursionError):  # what a rule made up may be no JSON
        return None


def _is_ordinary(conversation: Conversation, recipe: Recipe) -> bool:
    """Whether a part of a conversation is in order wherever the whole of it was."""
    rest, whole = conversation.messages, recipe.conversation.messages
    if not rest or (recipe.generation_prompt and _ends_with_an_answer(rest) and not _ends_with_an_answer(whole)):
        return False
    if _first_turn(rest) != _first_turn(whole):
        return False
    return (_has_calls_for_results(rest) or not _has_calls_for_results(whole)) and (_alternates(rest) or not _alternates(whole))


def _ends_with_an_answer(messages: Sequence[Mapping[str, Any]]) -> bool:
    return messages[-1].get("role") == "assistant"


def _first_turn(messages: Sequence[Mapping[str, Any]]) -> Any:
    """The role that speaks first, the operator aside."""
    return next((role for message in messages if (role := message.get("role")) not in ("system", "developer")), None)


def _has_calls_for_results(messages: Sequence[Mapping[str, Any]]) -> bool:
    called = False
    for message in messages:
        called = called or bool(message.get("tool_calls"))
        if message.get("role") == "tool" and not called:
            return False
    return True


def _alternates(messages: Sequence[Mapping[str, Any]]) -> bool:
    roles = (message.get("role") for message in messages)
    return not any(role == following and role in TURNS for role, following in pairwise(roles))


def _smaller(conversation: Conversation) -> Iterator[Conversation]:
    """The same with a part left out, large parts first."""
    messages = conversation.messages
    yield from (conversation.first(count) for count in range(1, len(messages)))
    for size in (2, 1):
        for start in range(len(messages) - size):
            yield replace(conversation, messages=[*messages[:start], *messages[start + size :]])
    if conversation.tools is not None:
        yield replace(conversation, tools=None)
    if conversation.documents is not None:
        yield replace(conversation, documents=None)
    for name in conversation.variables:
        yield replace(conversation, variables=_without(conversation.variables, name))
    yield from (replace(conversation, tools=fewer) for fewer in _fewer(conversation.tools or ()))
    for index, message in enumerate(messages):
        for lesser in _lesser(message):
            yield replace(conversation, messages=[*messages[:index], lesser, *messages[index + 1 :]])
    tools = conversation.tools or ()
    for index, tool in enumerate(tools):
        for lesser in _with_fewer_parameters(tool):
            yield replace(conversation, tools=[*tools[:index], lesser, *tools[index + 1 :]])


def _lesser(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A message with a field, a call or a part of its content left out."""
    yield from (_without(message, key) for key in message if key not in ESSENTIAL)
    for key in ("tool_calls", "content"):
        if isinstance(message.get(key), list):
            yield from ({**message, key: fewer} for fewer in _fewer(message[key]))


def _with_fewer_parameters(tool: Any) -> Iterator[Any]:
    function = _object(tool, "function")
    parameters = _object(function, "parameters")
    properties = _object(parameters, "properties")
    for name in properties if len(properties) > 1 else ():
        rest = {**parameters, "properties": _without(properties, name)}
        if isinstance(rest.get("required"), list):
            rest["required"] = [required for required in rest["required"] if required != name]
        yield {**tool, "function": {**function, "parameters": rest}}


def _object(holder: Any, key: str) -> dict[str, Any]:
    """The object under a key; an empty one where there is none."""
    found = holder.get(key) if isinstance(holder, dict) else None
    return found if isinstance(found, dict) else {}


def _fewer(items: Sequence[Any]) -> Iterator[list[Any]]:
    """A list with one of its several items left out."""
    if len(items) > 1:
        yield from ([*items[:index], *items[index + 1 :]] for index in range(len(items)))


def _without(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != key}
