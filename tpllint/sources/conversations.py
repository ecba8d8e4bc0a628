"""The door for conversation files: one conversation or several, in the forms of rows, as JSON or JSON lines, plain or gzipped.

Regular files only, size-capped: what is to be rendered for its own sake is short, and all of it is sent to a worker.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tpllint.conversations import ConversationError, from_json
from tpllint.conversations.rows import Prompt, RowError, parsed, prompt, readable
from tpllint.errors import RepairableError
from tpllint.sources.opening import NotRegularError, opened
from tpllint.sources.rows import NotJsonError, SeveralValuesError, is_list_of_rows, text_of, unpacked, value_in

MAX_CONVERSATION_BYTES = 8_000_000
MAX_CONVERSATIONS = 200
HINT = "name a file of JSON or JSON lines"
FORMS = (
    'write a list of messages, an object with "messages", an OpenAI request, ShareGPT turns, pairs of texts, '
    'or a prompt with "completion" or with "chosen" and "rejected"'
)
SMALLER = "give fewer or shorter conversations; tpllint data takes sets of any size"


class _Row(NamedTuple):
    """A row, and where it is: the path, with a line or an index behind it where the file is JSON lines or a list."""

    place: str
    value: Any


def read_conversations(path: str) -> tuple[Mapping[str, Any], ...]:
    """The conversations in a file, each as {"name": ..., "data": what `from_json` reads}. Raises RepairableError.

    The name is the path; where the file has several rows, it is the row's place.
    """
    rows = _rows(path)
    found = tuple(one for row in rows for one in _conversations(row, path if len(rows) == 1 else row.place))
    _require_few(path, found)
    return found


def read_prompts(path: str) -> tuple[tuple[str, Prompt], ...]:
    """The prompts in a file, one in each row, with their names: the row's place. Raises RepairableError."""
    found = _rows(path)
    _require_few(path, found)
    return tuple((row.place, _prompt(row)) for row in found)


def _prompt(row: _Row) -> Prompt:
    try:
        read = prompt(row.value)
        from_json(row.place, read.data)
        return read
    except (RowError, ConversationError) as error:
        raise _none(row.place, error) from error


def _conversations(row: _Row, name: str) -> Iterator[Mapping[str, Any]]:
    """Those of one row, which are two where it has two endings."""
    try:
        for part, data in readable(row.value):
            full = f"{name} ({part})" if part else name
            from_json(full, data)
            yield {"name": full, "data": data}
    except (RowError, ConversationError) as error:
        raise _none(row.place, error) from error


def _none(place: str, error: Exception) -> RepairableError:
    why = str(error).removeprefix("no conversation: ")
    return RepairableError("bad-conversation", f"{place} is not a conversation: {why}", FORMS)


def _rows(path: str) -> Sequence[_Row]:
    data = _bytes(path)
    try:
        text = text_of(data)
        if not text.strip():
            raise RepairableError("bad-conversation", f"{path} is empty", FORMS)
        return _rows_in(path, text)
    except NotJsonError as error:
        raise RepairableError("bad-conversation", f"{path} is not usable JSON: {error}", FORMS) from error


def _rows_in(path: str, text: str) -> Sequence[_Row]:
    """The rows in one JSON value or in JSON lines; an empty list is an empty conversation. Raises NotJsonError."""
    try:
        value = value_in(text)
    except SeveralValuesError:
        return _rows_by_line(path, text)
    if not value or not is_list_of_rows(value):
        return [_Row(path, value)]
    _require_few(path, value)
    return [_Row(f"{path}[{index}]", row) for index, row in enumerate(value)]


def _rows_by_line(path: str, text: str) -> Sequence[_Row]:
    lines = [_Row(f"{path}:{number}", line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    _require_few(path, lines)
    return [_parsed(line) for line in lines]


def _parsed(line: _Row) -> _Row:
    try:
        return line._replace(value=parsed(line.value))
    except RowError as error:
        raise _none(line.place, error) from error


def _require_few(path: str, found: Sequence[Any]) -> None:
    if len(found) > MAX_CONVERSATIONS:
        raise RepairableError("too-large", f"{path} has more than {MAX_CONVERSATIONS} conversations", SMALLER)


def _bytes(path: str) -> bytes:
    try:
        with opened(Path(path)) as stream:
            packed = os.fstat(stream.fileno()).st_size
            data = unpacked(path, stream, MAX_CONVERSATION_BYTES + 1) if packed <= MAX_CONVERSATION_BYTES else None
    except FileNotFoundError as error:
        raise RepairableError("no-such-path", f"no such file: {path}", HINT) from error
    except NotRegularError as error:
        raise RepairableError("not-a-file", f"not a regular file: {path}", HINT) from error
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        message = f"{path} cannot be read: {reason}"
        raise RepairableError("unusable-path", message, "check the path and its permissions") from error
    if data is None or len(data) > MAX_CONVERSATION_BYTES:
        raise RepairableError("too-large", f"{path} is larger than {MAX_CONVERSATION_BYTES // 1_000_000} MB", SMALLER)
    return data
