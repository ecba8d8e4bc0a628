"""What a row loses on its way: texts of its messages that are not in the prompt, and answers that are not trained on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tpllint.analysis.masks import empty_turns
from tpllint.analysis.renders import REASONING_FIELDS, Render
from tpllint.conversations import Conversation
from tpllint.conversations.rows import RowError, parsed
from tpllint.markers import THINKING

MAX_UNITS = 100
SHOWN = 40
MOSTLY = 0.3
"""The share of a text's lines that makes it changed instead of dropped."""

Told = tuple[str, str, str, int | None]
"""The kind of problem, its severity, what is said, and the index of the message that it is about."""


def texts(message: Mapping[str, Any]) -> Iterator[str]:
    """Every text of a message that can stand in a prompt: its content, its reasoning, and the arguments of its calls."""
    yield from contents(message)
    for name in REASONING_FIELDS:
        if isinstance(reasoning := message.get(name), str):
            yield reasoning
    for call in calls(message):
        yield from _leaves(call.get("arguments"))


def contents(message: Mapping[str, Any]) -> Iterator[str]:
    """The texts of a message's content."""
    content = message.get("content")
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            text = part.get("text") if isinstance(part, dict) else part
            if isinstance(text, str):
                yield text
    elif isinstance(content, dict):
        yield from _leaves(content)


def calls(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The functions that a message calls, in either of the forms of a call."""
    held = message.get("tool_calls")
    for call in held if isinstance(held, list) else ():
        if isinstance(call, dict):
            function = call.get("function", call)
            if isinstance(function, dict):
                yield function


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)


def dropped(conversation: Conversation, prompt: str) -> Iterator[Told]:
    """The texts of a conversation that its prompt does not have. A text that also stands elsewhere counts as there."""
    messages = conversation.messages
    for index, message in enumerate(messages):
        for text in contents(message):
            if text.strip() not in prompt:
                yield from _lost(text, index, messages, prompt)
        if "tool_calls" in message:
            yield from _lost_calls(index, message, prompt)
        for name in REASONING_FIELDS:
            reasoning = message.get(name)
            if isinstance(reasoning, str) and reasoning.strip() not in prompt and kept(reasoning, prompt) < 1:
                yield _lost_reasoning(index, messages)
                break
    tools = conversation.tools
    if tools and (names := [*_names(tools)]) and not any(name in prompt for name in names):
        yield "drops-content", "error", f"none of its tools is in the prompt: {excerpt(', '.join(names))}", None


def _names(tools: Sequence[Any]) -> Iterator[str]:
    for tool in tools:
        function = tool.get("function", tool) if isinstance(tool, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if isinstance(name, str):
            yield name


def _lost(text: str, index: int, messages: Sequence[Mapping[str, Any]], prompt: str) -> Iterator[Told]:
    """What is told of a text that is not in the prompt as it stands."""
    answer = text
    if messages[index].get("role") == "assistant" and THINKING.search(text):
        *reasoning, answer = THINKING.split(text)
        if any(kept(part, prompt) < 1 for part in reasoning):
            yield _lost_reasoning(index, messages)
    share = kept(answer, prompt)
    if share < MOSTLY:
        yield "drops-content", "error", f"the text of {shown(index, messages[index])} is not in the prompt", index
    elif share < 1:
        said = f"part of the text of {shown(index, messages[index])} is not in the prompt, or not as it was written"
        yield "drops-content", "warning", said, index


def kept(text: str, prompt: str) -> float:
    """The share of a text that is in a prompt; escaped as in JSON, in other cases or with other blanks is in it as well."""
    bare = text.strip()
    if bare in prompt or any(json.dumps(bare, ensure_ascii=flag)[1:-1] in prompt for flag in (False, True)):
        return 1.0
    if bare.lower() in prompt.lower():
        return 1.0
    units = _units(bare)
    return sum(unit in prompt for unit in units) / len(units)


def _units(text: str) -> list[str]:
    """The lines of a text; of one line, its words in threes. There is at least one."""
    lines = [stripped for line in text.splitlines()[:MAX_UNITS] if (stripped := line.strip())]
    words = text.split(maxsplit=3 * MAX_UNITS)
    if len(lines) > 1 or len(words) < 6:
        return lines or [text]
    return [" ".join(words[at : at + 3]) for at in range(0, min(len(words), 3 * MAX_UNITS), 3)]


def _lost_calls(index: int, message: Mapping[str, Any], prompt: str) -> Iterator[Told]:
    """What is not in the prompt of the calls of a message: one problem tells of all of them."""
    for call in calls(message):
        name, arguments = call.get("name"), call.get("arguments")
        if isinstance(name, str) and name not in prompt:
            said = f"the call of {excerpt(name)} in {shown(index, message)} is not in the prompt"
            yield "drops-content", "error", said, index
            return
        lost = next((text for text in _argument_texts(arguments, prompt) if kept(text, prompt) < 1), None)
        if lost is not None:
            said = f"an argument of the call in {shown(index, message)} is not in the prompt: {excerpt(lost)}"
            yield "drops-content", "error", said, index
            return


def _argument_texts(arguments: Any, prompt: str) -> Iterator[str]:
    """The texts that a prompt should have of arguments; a string most often holds JSON, which may be written anew."""
    if isinstance(arguments, str):
        if kept(arguments, prompt) == 1:
            return
        try:
            yield from _leaves(parsed(arguments))
        except RowError:
            yield arguments
    else:
        yield from _leaves(arguments)


def _lost_reasoning(index: int, messages: Sequence[Mapping[str, Any]]) -> Told:
    """To leave out the reasoning of earlier turns is usual; to leave out that of the last one is not."""
    is_last = all(message.get("role") != "user" for message in messages[index + 1 :])
    said = f"the reasoning of {shown(index, messages[index])} is not in the prompt"
    return "drops-reasoning", "warning" if is_last else "info", said, index


def unmarked(conversation: Conversation, render: Render) -> Iterator[Told]:
    """The answers that the generation markers leave out of what is trained on."""
    messages, text = conversation.messages, render.text or ""
    if not any(message.get("role") == "assistant" and _says(message) for message in messages):
        return
    if not any(text[start:end].strip() for start, end in render.spans):
        yield "masked-empty", "error", "nothing of this row is trained on: no answer is between generation markers", None
        return
    for index in empty_turns(conversation, render):
        said = f"{shown(index, messages[index])} is not trained on: it is not between generation markers"
        yield "masked-empty", "warning", said, index


def _says(message: Mapping[str, Any]) -> bool:
    return bool(message.get("tool_calls")) or any(text.strip() for text in contents(message))


def shown(index: int, message: Mapping[str, Any]) -> str:
    """A message, as a problem names it."""
    return f"messages[{index}] ({str(message.get('role'))[:SHOWN]})"


def excerpt(text: str) -> str:
    """The beginning of a text, in quotes."""
    return json.dumps(text if len(text) <= SHOWN else text[:SHOWN] + "...", ensure_ascii=False)
