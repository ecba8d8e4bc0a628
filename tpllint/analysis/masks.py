"""The assistant mask of a prompt: what transformers marks for training, held against what the conversation says.

`render.spans` are the spans that transformers masks, `render.blocks` the same with what each block of the template wrote: both
come with every render. `misaligned(render)` returns the runs of blocks whose span is not what they wrote. `words_of(message)`
are the texts of a message that a mask should hold, and `find_turns` tells where in a prompt they stand.

Undecided is silent: a message whose words the template changes or leaves out is in no mask and counts for nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tpllint.analysis.environment import MAX_KEPT, GeneratedBlock
from tpllint.analysis.renders import REASONING_FIELDS, Render
from tpllint.conversations import Conversation
from tpllint.markers import THINKING

ASSISTANT = ("assistant", "model")


class Words(NamedTuple):
    """A text of a message. `kind` is "content", "reasoning", "tool call" or "argument"."""

    kind: str
    text: str


class Found(NamedTuple):
    """Where a text of a message stands in a prompt."""

    message: int
    kind: str
    start: int
    end: int

    def within(self, render: Render) -> bool:
        """Whether the mask holds all of it."""
        return any(start <= self.start and self.end <= end for start, end in render.spans)

    def touched(self, render: Render) -> bool:
        """Whether the mask holds any of it."""
        return any(start < self.end and self.start < end for start, end in render.spans)


def empty_turns(conversation: Conversation, render: Render) -> tuple[int, ...]:
    """The indices of the assistant messages that have words in the prompt, none of which is in the mask."""
    masked = [(render.text or "")[start:end] for start, end in render.spans]
    touched: dict[int, bool] = {}
    for found in find_turns(conversation, render):
        if conversation.messages[found.message].get("role") in ASSISTANT:
            words = (render.text or "")[found.start : found.end]
            is_touched = found.touched(render) or any(words in text for text in masked)  # a short word may stand twice
            touched[found.message] = touched.get(found.message, False) or is_touched
    return tuple(message for message, is_touched in touched.items() if not is_touched)


def misaligned(render: Render) -> Iterator[GeneratedBlock]:
    """The runs of generation blocks for which transformers marks other text than they wrote."""
    text = render.text or ""
    for block in render.blocks:
        if text[block.start : block.end][:MAX_KEPT] != block.text or block.end > len(text):
            yield block


def find_turns(conversation: Conversation, render: Render) -> Iterator[Found]:
    """The texts of all messages in the order of the conversation, as far as they stand in the prompt word for word."""
    text, at = render.text or "", 0
    for index, message in enumerate(conversation.messages):
        reached = at
        for words in words_of(message):
            start = text.find(words.text, at)
            if start >= 0:
                end = start + len(words.text)
                yield Found(index, words.kind, start, end)
                reached = max(reached, end)
        at = reached


def words_of(message: Mapping[str, Any]) -> Iterator[Words]:
    """The texts of a message without the blanks around them: reasoning, content, the names and text arguments of its calls.

    Reasoning between tags in a text counts as reasoning, since templates take such texts apart.
    """
    reasoning = next((message[key] for key in REASONING_FIELDS if isinstance(message.get(key), str)), "")
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    texts = (part.get("text") if isinstance(part, Mapping) else part for part in parts)
    yield from (Words("reasoning", text) for text in _stripped(reasoning))
    for text in texts:
        *thoughts, said = THINKING.split(text) if isinstance(text, str) else (text,)
        yield from (Words("reasoning", thought) for each in thoughts for thought in _stripped(each))
        yield from (Words("content", answer) for answer in _stripped(said))
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        yield from _words_of_call(call)


def _words_of_call(call: Any) -> Iterator[Words]:
    function = call.get("function", call) if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        return
    yield from (Words("tool call", text) for text in _stripped(function.get("name")))
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            return
    values = arguments.values() if isinstance(arguments, Mapping) else ()
    yield from (Words("argument", text) for value in values for text in _stripped(value))


def _stripped(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.strip():
        yield value.strip()
