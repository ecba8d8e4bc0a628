"""Conversations made for a template: with the variables that it reads, and with the words that it looks for in messages.

Two templates that agree on every canonical conversation may still part where a caller sets a variable, where a message says
what only one of them looks for, or where content is null and no transformers drops it.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

from tpllint.conversations import Conversation, canonical
from tpllint.conversations.words import ANSWER, QUESTION, SECOND_ANSWER, SECOND_QUESTION, SECOND_RESULT

VARIED = ("user", "system-user", "tool-loop-follow-up", "reasoning-old-and-last", "reasoning-in-tool-loop")
"""The canonical conversations that variables are passed with."""
CONTINUED = "reasoning-in-tool-loop"
"""One that is passed with one more question as well: what was reasoned before it is then of an earlier turn."""
MOST_SETTINGS = 120
MOST_TEXTS = 80
MOST_ROLES = 10
DOCUMENT = {"title": SECOND_ANSWER, "text": SECOND_RESULT}
MOST_TOGETHER = 4
BETWEEN = f"\n{ANSWER}\n"


class Probes(NamedTuple):
    """What templates ask for beside who says what: variables with the values that they meet, and words in messages.

    Words that one condition asks for stand together. `roles` are those that no canonical conversation has, `documents` tells
    whether these are read.
    """

    variables: Mapping[str, tuple[Any, ...]] = {}
    words: tuple[tuple[str, ...], ...] = ()
    roles: tuple[str, ...] = ()
    documents: bool = False

    def joined(self, other: Probes) -> Probes:
        """Both together."""
        names = dict.fromkeys((*self.variables, *other.variables))
        values = {name: _distinct((*self.variables.get(name, ()), *other.variables.get(name, ()))) for name in names}
        words = tuple(dict.fromkeys((*self.words, *other.words)))
        roles = tuple(dict.fromkeys((*self.roles, *other.roles)))
        return Probes(values, words, roles, self.documents or other.documents)

    def without(self, names: Container[str]) -> Probes:
        """The same without variables of these names, such as those that the user sets."""
        return self._replace(variables={name: held for name, held in self.variables.items() if name not in names})

    @property
    def untried(self) -> int:
        """How many settings of variables, texts and roles are too many to be tried."""
        texts = sum(1 for _ in _every_text(self.words))
        settings = sum(1 for _ in _every_setting(self.variables))
        return max(settings - MOST_SETTINGS, 0) + max(texts - MOST_TEXTS, 0) + max(len(self.roles) - MOST_ROLES, 0)


NO_PROBES = Probes()


def variations(probes: Probes) -> Iterator[Conversation]:
    """Every conversation that is made for some probes; each has a name of its own."""
    yield from _with_null()
    for setting in islice(_every_setting(probes.variables), MOST_SETTINGS):
        for conversation in _varied():
            yield replace(conversation.with_variables(**setting), name=f"{conversation.name} with {_told(setting)}")
    for said in islice(_every_text(probes.words), MOST_TEXTS):
        yield from _saying(said)
    for role in probes.roles[:MOST_ROLES]:
        yield _with_role(role)
    if probes.documents:
        yield replace(canonical()["user"], name="user with documents", documents=[DOCUMENT])


def _every_text(words: Iterable[tuple[str, ...]]) -> Iterator[str]:
    return iter(dict.fromkeys(text for together in words for text in _texts(together[:MOST_TOGETHER])))


def _with_role(role: str) -> Conversation:
    """A message of this role between two of the user's."""
    messages = ({"role": "user", "content": QUESTION}, {"role": role, "content": ANSWER})
    return Conversation(f"user, {role}, user", (*messages, {"role": "user", "content": SECOND_QUESTION}))


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


def _every_setting(variables: Mapping[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """What is passed: each value of each variable alone, and all of them at once."""
    values = {name: _distinct((True, False, *_around(held))) for name, held in variables.items()}
    yield from ({name: value} for name, held in values.items() for value in held)
    if len(values) < 2:
        return
    every = {name: _last_text(held) for name, held in values.items()}
    yield every
    yield from ({**every, name: value} for name, held in values.items() for value in held if value != every[name])


def _around(values: Iterable[Any]) -> Iterator[Any]:
    """The values, and beside a number those next to it: it may be a threshold."""
    for value in values:
        yield value
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield from (value - 1, value + 1)


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
