"""Conversations made for a template: with the variables that it reads, and with the words that it looks for in messages.

Two templates that agree on every canonical conversation may still part where a caller sets a variable, where a message says
what only one of them looks for, or where content is null and no transformers drops it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from tpllint.conversations import Conversation, canonical
from tpllint.conversations.words import ANSWER, QUESTION, SECOND_QUESTION

VARIED = ("user", "system-user", "tool-loop-follow-up", "reasoning-old-and-last", "reasoning-in-tool-loop")
"""The canonical conversations that variables are passed with."""
CONTINUED = "reasoning-in-tool-loop"
"""One that is passed with one more question as well: what was reasoned before it is then of an earlier turn."""
MOST_VARIABLES = 12
MOST_VALUES = 6
"""Of one variable."""
MOST_SETTINGS = 48
MOST_TEXTS = 20
MOST_TOGETHER = 4
BETWEEN = f"\n{ANSWER}\n"


class Probes(NamedTuple):
    """What templates ask for beside who says what: variables with the values that they meet, and words in messages.

    Words that one condition asks for stand together.
    """

    variables: Mapping[str, tuple[Any, ...]] = {}
    words: tuple[tuple[str, ...], ...] = ()

    def joined(self, other: Probes) -> Probes:
        """Both together."""
        names = dict.fromkeys((*self.variables, *other.variables))
        values = {name: _distinct((*self.variables.get(name, ()), *other.variables.get(name, ()))) for name in names}
        return Probes(values, tuple(dict.fromkeys((*self.words, *other.words))))


NO_PROBES = Probes()


def variations(probes: Probes) -> Iterator[Conversation]:
    """Every conversation that is made for some probes; each has a name of its own."""
    yield from _with_null()
    for setting in _settings(probes.variables):
        for conversation in _varied():
            yield replace(conversation.with_variables(**setting), name=f"{conversation.name} with {_told(setting)}")
    for said in dict.fromkeys(text for words in probes.words[:MOST_TEXTS] for text in _texts(words[:MOST_TOGETHER])):
        yield from _saying(said)


def _texts(words: Sequence[str]) -> Iterator[str]:
    """What a message may say to be treated apart: each word alone, at both ends of a text, and all of them in either order."""
    for word in words:
        yield word
        yield f"{word}{BETWEEN}{word}"
    if len(words) > 1:
        yield BETWEEN.join(words)
        yield BETWEEN.join(reversed(words))


def _with_null() -> Iterator[Conversation]:
    """Those with null content, as engines and versions pass it on that do not drop it."""
    for conversation in canonical().values():
        if any("content" in message and message["content"] is None for message in conversation.messages):
            yield replace(conversation, name=f"{conversation.name} with null kept", keeps_null=True)


def _varied() -> Iterator[Conversation]:
    for name in VARIED:
        yield canonical()[name]
    more = canonical()[CONTINUED]
    yield replace(more, name=f"{more.name}, continued", messages=(*more.messages, {"role": "user", "content": SECOND_QUESTION}))


def _settings(variables: Mapping[str, tuple[Any, ...]]) -> list[dict[str, Any]]:
    """What is passed: each value of each variable alone, and all of them at once."""
    names = list(variables)[:MOST_VARIABLES]
    values = {name: _distinct((True, False, *variables[name]))[:MOST_VALUES] for name in names}
    found = [{name: value} for name in names for value in values[name]]
    every = {name: _last_text(values[name]) for name in names}
    found += [every] if len(names) > 1 else []
    found += [{**every, name: value} for name in names for value in values[name] if len(names) > 1 and value != every[name]]
    return found[:MOST_SETTINGS]


def _last_text(values: tuple[Any, ...]) -> Any:
    """The value with which a variable is passed where others are passed too: one that is compared with, or true."""
    return next((value for value in reversed(values) if not isinstance(value, bool)), True)


def _distinct(values: Iterable[Any]) -> tuple[Any, ...]:
    """Each value once; 1 and true are two."""
    return tuple({json.dumps(value): value for value in values}.values())


def _told(setting: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in setting.items())


def _saying(text: str) -> Iterator[Conversation]:
    """A user who says this, and an answer that does."""
    told = json.dumps(text, ensure_ascii=False)
    yield Conversation(f"user saying {told}", ({"role": "user", "content": text},))
    messages = ({"role": "user", "content": QUESTION}, {"role": "assistant", "content": text})
    yield Conversation(f"assistant saying {told}", (*messages, {"role": "user", "content": SECOND_QUESTION}))
