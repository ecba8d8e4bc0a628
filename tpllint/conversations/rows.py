"""Rows of training and evaluation data, in the forms that people keep them in, as conversations.

Known are: an object with "messages" (also the body of an OpenAI request, and a line of a batch of them), a bare list of
messages, pairs of a question and an answer, ShareGPT turns, and the lists of preference and prompt-completion data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tpllint.conversations import FIELDS, MAX_DEPTH, Conversation, nests_too_deeply

HOLDERS = ("messages", "conversations", "conversation")
"""The fields that hold a whole conversation, by what comes first."""
ENDINGS = ("completion", "chosen", "rejected")
"""The fields that hold how a conversation goes on, or all of it where there is no "prompt"."""
SPEAKERS = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "system": "system",
    "tool": "tool",
    "tool_response": "tool",
    "observation": "tool",
    "function_response": "tool",
    "function": "tool",
    "function_call": "assistant",
    "tool_call": "assistant",
}
"""Who speaks in a ShareGPT turn, by its "from"."""
CALLERS = ("function_call", "tool_call")
KWARGS = "chat_template_kwargs"
RESERVED = frozenset((*FIELDS, "strftime_now"))
"""What "chat_template_kwargs" does not set."""
HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""One half of a character that JSON writes in two; where the other half is missing the text has no bytes."""
SHAPE = 'no conversation: an object with "messages", a list of messages, of pairs or of turns was expected'

Part = tuple[str, Conversation]
"""A conversation, and the field that tells it from the others of its row; empty where it is the only one."""


class RowError(ValueError):
    """A row is no conversation; the message says why."""


def parsed(line: str) -> Any:
    """The JSON value in a line. Raises RowError."""
    try:
        data = json.loads(line)
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at")
        raise RowError(f"not JSON: {what[:1].lower()}{what[1:]} at column {error.pos + 1}") from error
    except RecursionError as error:
        raise RowError(f"it nests deeper than {MAX_DEPTH} levels") from error
    except ValueError as error:  # an integer longer than Python converts
        raise RowError("not usable JSON: it holds a number of thousands of digits") from error
    brackets = line.count("[") + line.count("{")
    if brackets > MAX_DEPTH and nests_too_deeply(data):
        raise RowError(f"it nests deeper than {MAX_DEPTH} levels")
    if "\\u" in line and HALF.search(line) and _has_halves(data):
        raise RowError("it holds half of a surrogate pair, which no tokenizer takes")
    return data


def _has_halves(data: Any) -> bool:
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def conversations(row: Any, field: str | None = None) -> tuple[Part, ...]:
    """The conversations of a row, most often one. `field` names where it is, with a dot between levels. Raises RowError."""
    if isinstance(row, list):
        _require_no_field(row, field)
        return (("", _conversation({}, _messages(row))),)
    if not isinstance(row, dict):
        raise RowError(SHAPE)
    if field is not None:
        return tuple(_of_object(*_under(row, field)))
    body = row.get("body")
    if isinstance(body, dict) and not any(name in row for name in HOLDERS):
        row = body  # a line of a batch of requests
    return tuple(_of_object(row, row))


def readable(row: Any) -> Iterator[tuple[str, Any]]:
    """The conversations of a row as `from_json` reads them, each beside the field that tells it from the others.

    Other than in a set of data, what stands beside "messages" is the template's, under its own name: somebody wrote the row for
    this template. Only a request to a server, which names a model, has settings there. Raises RowError.
    """
    if isinstance(row, list):
        yield "", _messages(row)
    elif isinstance(row, dict) and row.get("messages") is not None and not isinstance(row.get("model"), str):
        yield "", _with_variables(row)
    else:
        yield from ((part, conversation.as_json()) for part, conversation in conversations(row))


class Prompt(NamedTuple):
    """What a model is asked, as `from_json` reads it, and what it should answer; None where a row does not tell."""

    data: Mapping[str, Any]
    answer: str | None = None


def prompt(row: Any) -> Prompt:
    """The one prompt of a row: all of its messages, or of prompt-completion data its "prompt". Raises RowError."""
    if not isinstance(row, dict) or row.get("completion") is None or row.get("prompt") is None:
        data, *others = (data for _, data in readable(row))
        if others:
            raise RowError("it has several endings, of which none is the answer")
        return Prompt({"messages": data} if isinstance(data, list) else data)
    asked, completion = _messages(row["prompt"]), _messages(row["completion"])
    answer = completion[0].get("content") if len(completion) == 1 else None
    if not isinstance(answer, str) or not answer.strip():
        raise RowError('its "completion" is not one message with a text')
    beside = {name: value for name, value in row.items() if name not in ("name", "prompt", "completion", KWARGS)}
    return Prompt({**beside, **_variables(row), **_lists(row), "messages": asked}, answer)


def _with_variables(row: Mapping[str, Any]) -> dict[str, Any]:
    beside = {name: value for name, value in row.items() if name != KWARGS}
    return {**beside, **_variables(row), **_lists(row), "messages": _messages(row["messages"])}


def _require_no_field(row: Any, field: str | None) -> None:
    if field is not None:
        raise RowError(f"not an object with {field}")


def _under(row: Mapping[str, Any], field: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The object that has a field, named as it is or by a path with dots, and what stands there as an object that holds it."""
    around: Any = row
    *path, last = (field,) if field in row else tuple(field.split("."))
    for name in path:
        around = around.get(name) if isinstance(around, dict) else None
    if not isinstance(around, dict) or last not in around:
        raise RowError(f"it has no field {field}")
    held = around[last]
    return (held, held) if isinstance(held, dict) else (around, {"messages": held})


def _of_object(row: Mapping[str, Any], held: Mapping[str, Any]) -> Iterator[Part]:
    holder = next((name for name in HOLDERS if held.get(name) is not None), None)
    if holder is not None:
        messages = _messages(held[holder])
        yield "", _conversation(row, _with_system(row, messages) if holder != "messages" else messages)
        return
    endings = [name for name in ENDINGS if held.get(name) is not None]
    prompt = held.get("prompt")
    if not endings and prompt is None:
        raise RowError(SHAPE)
    if isinstance(prompt, str) or any(isinstance(row[name], str) for name in endings):
        raise RowError("its prompt or its answer is plain text: no chat template is applied to that")
    begun = [] if prompt is None else _messages(prompt)
    if not endings:
        yield "", _conversation(row, begun)
    for name in endings:
        yield name if name != "completion" else "", _conversation(row, [*begun, *_messages(row[name])])


def _conversation(row: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> Conversation:
    if not messages:
        raise RowError("it has no messages")
    variables, lists, flag = _variables(row), _lists(row), row.get("add_generation_prompt")
    tools, documents = lists.get("tools"), lists.get("documents")
    return Conversation("row", messages, tools, documents, variables, flag if isinstance(flag, bool) else None)


def _variables(row: Mapping[str, Any]) -> dict[str, Any]:
    """What "chat_template_kwargs" sets."""
    if row.get(KWARGS) is None:
        return {}
    held = _unpacked(row[KWARGS], f'"{KWARGS}" is')
    if not isinstance(held, dict):
        raise RowError(f'"{KWARGS}" is not an object')
    return {name: value for name, value in held.items() if name not in RESERVED}


def _lists(row: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Those of "tools" and "documents" that a row has."""
    return {name: _listed(row, name) for name in ("tools", "documents") if row.get(name) is not None}


def _listed(row: Mapping[str, Any], name: str) -> list[Any]:
    held = _unpacked(row[name], f'"{name}" is')
    if not isinstance(held, list):
        raise RowError(f'"{name}" is not a list')
    return held


def _unpacked(value: Any, what: str) -> Any:
    """The value, or the JSON that a string holds: tables have no column for what each row shapes differently."""
    if not isinstance(value, str):
        return value
    try:
        return parsed(value) if value.strip() else []
    except RowError as error:
        raise RowError(f"{what} text: {error}") from error


def _with_system(row: Mapping[str, Any], messages: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """With the system prompt that ShareGPT rows keep beside the turns."""
    system = row.get("system")
    if not isinstance(system, str) or not system or (messages and messages[0].get("role") == "system"):
        return messages
    return [{"role": "system", "content": system}, *messages]


def _messages(held: Any) -> list[Mapping[str, Any]]:
    """The messages in any of the forms of a list. Raises RowError."""
    held = _unpacked(held, "its messages are")
    if not isinstance(held, list):
        raise RowError("its messages are no list")
    first = held[0] if held else {}
    if isinstance(first, list):
        return list(_each(held, _of_pair, list, "a pair"))
    if not isinstance(first, dict):
        raise RowError(SHAPE)
    if "role" not in first and "from" in first:
        return list(_each(held, _of_turn, dict, "a turn"))
    for index, message in enumerate(held):
        if not isinstance(message, dict):
            raise RowError(f"messages[{index}] is no object")
    return held


def _each(
    held: list[Any], read: Callable[[Any], Iterator[Mapping[str, Any]]], kind: type, what: str
) -> Iterator[Mapping[str, Any]]:
    for index, item in enumerate(held):
        if not isinstance(item, kind):
            raise RowError(f"number {index} of its list is not {what}")
        yield from read(item)


def _of_pair(pair: list[Any]) -> Iterator[Mapping[str, Any]]:
    if len(pair) != 2 or not all(text is None or isinstance(text, str) for text in pair):
        raise RowError("a pair is not the text of a question and the text of an answer, or null")
    for role, text in zip(("user", "assistant"), pair, strict=True):
        if text is not None:
            yield {"role": role, "content": text}


def _of_turn(turn: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    speaker, value = turn.get("from"), turn.get("value")
    if not isinstance(speaker, str) or not (value is None or isinstance(value, str)):
        raise RowError('a turn is not an object with a text under "from" and under "value"')
    call = _called(value) if speaker in CALLERS else None
    if call is not None:
        yield {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": call}]}
    else:
        yield {"role": SPEAKERS.get(speaker, speaker), "content": value}


def _called(value: str | None) -> Mapping[str, Any] | None:
    """The tool call that a turn's text is; None where it is another text."""
    try:
        call = parsed(value or "")
    except RowError:
        return None
    return call if isinstance(call, dict) and isinstance(call.get("name"), str) and "arguments" in call else None
