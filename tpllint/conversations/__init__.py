"""The canonical conversations, and the loader of a user's own.

Every text in a canonical conversation is a sentinel: a word that no template contains and that says who wrote it. Files
hold an object of conversations by name; a string under "tools" names an entry of tool_sets.json.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

GROUPS = ("basic", "roles", "content", "tools", "reasoning", "images")
FIELDS = ("messages", "tools", "documents", "add_generation_prompt")
"""What an object says of a conversation itself; every other key is a template variable."""
TOOL_LOOPS = ("tool-loop", "tool-loop-string-arguments")
"""The same call with its arguments as an object and as a string: templates take one, the other or both."""
NESTS = (dict, list, tuple)
IN_PARTS = " (in parts)"
"""What the name of a conversation ends with where a comparison takes it in the form of lists of parts."""
MISSING: Any = object()
"""In place of a message's field: it is not there at all."""
MAX_DEPTH = 100
"""How deep a user's conversation or variable may nest; it is copied and sent to another process level by level."""
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Conversation:
    """Messages, and what else is passed with them; `None` for tools or documents means that none were given.

    `generation_prompt` is what the conversation asks for itself; None leaves the choice to the caller. `keeps_null` leaves
    content that is null in place, as transformers before 5.23 and other engines do.
    """

    name: str
    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Any] | None = None
    documents: Sequence[Any] | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    generation_prompt: bool | None = None
    keeps_null: bool = False

    def in_parts(self) -> Conversation:
        """The same conversation with every string content as a list of one text part."""
        return replace(self, messages=[_in_parts(message) for message in self.messages])

    def first(self, count: int) -> Conversation:
        """The conversation as it was after so many messages."""
        return replace(self, messages=self.messages[:count])

    def with_message(self, index: int, **fields: Any) -> Conversation:
        """The same conversation with other fields in one message; MISSING takes a field away."""
        messages = list(self.messages)
        changed = {**messages[index], **fields}
        messages[index] = {key: value for key, value in changed.items() if value is not MISSING}
        return replace(self, messages=messages)

    def with_variables(self, **variables: Any) -> Conversation:
        """The same conversation passed together with these template variables."""
        return replace(self, variables={**self.variables, **variables})

    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads this from; a variable that is named like a part of the conversation is left out."""
        parts = {"tools": self.tools, "documents": self.documents, "add_generation_prompt": self.generation_prompt}
        given = {name: part for name, part in parts.items() if part is not None}
        variables = {name: value for name, value in self.variables.items() if name not in FIELDS}
        return {**variables, "messages": list(self.messages), **given}


class ConversationError(ValueError):
    """A conversation file does not have the form of a conversation; the message says what was expected."""


def _in_parts(message: Mapping[str, Any]) -> Mapping[str, Any]:
    content = message.get("content")
    return {**message, "content": [{"type": "text", "text": content}]} if isinstance(content, str) else message


@functools.cache
def canonical() -> Mapping[str, Conversation]:
    """All canonical conversations by name, in the order of the files."""
    tool_sets = _read("tool_sets")
    return {
        name: Conversation(name, entry["messages"], _tools(entry.get("tools"), tool_sets), None, entry.get("variables", {}))
        for group in GROUPS
        for name, entry in _read(group).items()
    }


def group(name: str) -> Iterator[Conversation]:
    """The canonical conversations of one file."""
    return (canonical()[entry] for entry in _read(name))


@functools.cache
def _read(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def _tools(value: Any, tool_sets: Mapping[str, Any]) -> Any:
    return tool_sets[value] if isinstance(value, str) else value


def from_json(name: str, data: Any) -> Conversation:
    """A user's conversation: a list of messages, or an object with "messages" and, beside it, "tools", "documents",
    "add_generation_prompt" and template variables under their own names. Raises ConversationError.
    """
    if nests_too_deeply(data):
        raise ConversationError(f"it nests deeper than {MAX_DEPTH} levels")
    entry = {"messages": data} if isinstance(data, list) else data
    if not isinstance(entry, dict) or not isinstance(entry.get("messages"), list):
        raise ConversationError('expected a list of messages, or an object with a list under "messages"')
    if not all(isinstance(message, dict) for message in entry["messages"]):
        raise ConversationError('every message must be an object with a "role"')
    variables = {key: value for key, value in entry.items() if key not in FIELDS}
    flag = entry.get("add_generation_prompt")
    if flag is not None and not isinstance(flag, bool):
        raise ConversationError('"add_generation_prompt" must be true or false')
    tools, documents = (_list_or_none(entry, key) for key in ("tools", "documents"))
    return Conversation(name, entry["messages"], tools, documents, variables, flag)


def nests_too_deeply(data: Any) -> bool:
    """Whether JSON data has more levels than MAX_DEPTH; what holds itself has endlessly many."""
    level = {id(data): data}
    for _ in range(MAX_DEPTH):
        held = [part.values() if isinstance(part, dict) else part for part in level.values() if isinstance(part, NESTS)]
        level = {id(part): part for parts in held for part in parts}
        if not level:
            return False
    return True


def _list_or_none(entry: Mapping[str, Any], key: str) -> list[Any] | None:
    value = entry.get(key)
    if value is not None and not isinstance(value, list):
        raise ConversationError(f'"{key}" must be a list')
    return value
