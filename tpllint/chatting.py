"""The verb `chat`: a conversation with a model through exactly one template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from tpllint.asking import chosen, weights_of
from tpllint.errors import RepairableError
from tpllint.generation.exchange import Answered, Loaded, ToAnswer
from tpllint.generation.talker import Heard, Talker, Tell
from tpllint.pool import Pool
from tpllint.rendering import Asked, rendered
from tpllint.storage.reading import Stored
from tpllint.targets import Request, Target, without_a_template

NAME = "chat"
THOUGHT = re.compile(r"\A.*?</(?:think|thinking|thought|reasoning)>", re.DOTALL)
"""A thought in plain text, whose opening tag may stand in the prompt."""

Message = Mapping[str, Any]


class Chat(NamedTuple):
    """A model that is loaded, and the template that it is spoken to through."""

    target: Target
    template: Stored
    pool: Pool
    request: Request
    talker: Talker
    loaded: Loaded
    max_new_tokens: int

    def prompt(self, messages: tuple[Message, ...]) -> str:
        """What the model is given. Raises RepairableError where the template takes no such messages."""
        return str(self._rendered(messages)["text"])

    def _rendered(self, messages: tuple[Message, ...]) -> Mapping[str, Any]:
        given = self.request._replace(conversations=({"name": NAME, "data": {"messages": list(messages)}},))
        (made,) = rendered([self.target], self.pool, Asked(given, generation_prompt=True))
        if made.error is not None:
            raise RepairableError(made.error.kind, made.error.message, made.error.hint)
        record = next((one for one in made.renders if one["template"] == self.template.label), None)
        if record is None or record["text"] is None:
            why = "" if record is None else f": {record['error']}"
            raise RepairableError("not-rendered", f"the template takes no such conversation{why}", "begin again with /reset")
        return record

    def answer(self, messages: tuple[Message, ...], heard: Heard) -> Answered:
        """What the model says next; `heard` is told each piece as it comes. Raises RepairableError."""
        record = self._rendered(messages)
        asked = ToAnswer(NAME, record["text"], {**record["inputs"], "clock": record["clock"]}, True, False)
        (answered,) = self.talker.answer([asked], self.template.source, self.max_new_tokens, heard)
        return answered


def said_by(answered: Answered) -> str:
    """What of an answer a caller would send back: without the thought before it, and without special tokens."""
    text = THOUGHT.sub("", answered.text)
    for token in answered.control:
        text = text.replace(token, "")
    return text.strip()


def begin(target: Target, pool: Pool, request: Request, talker: Talker, max_new_tokens: int, tell: Tell) -> Chat:
    """Load the model of a target. Raises RepairableError."""
    error = without_a_template(target)
    if error is not None:
        raise RepairableError(error.kind, error.message, error.hint)
    template = chosen(target, tools=False)
    return Chat(target, template, pool, request, talker, talker.load(weights_of(target), tell), max_new_tokens)
