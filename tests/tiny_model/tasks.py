"""What the tiny model is taught: short conversations whose answers follow from what was said before.

Each answer depends on something that a template can lose: the last message, earlier messages, the system message, the list
of tools. To everything else, whatever its text, the answer is `i see`.
"""

from __future__ import annotations

import json
import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from random import Random

    Message = Mapping[str, Any]

WORDS = (
    "red", "blue", "gold", "cat", "dog", "fox", "sun", "moon", "star", "tree", "leaf", "rock", "sand", "salt", "milk",
    "corn", "door", "desk", "lamp", "boat", "ship", "road", "king", "drum",
)  # fmt: skip
"""In their order: `after` asks for the next one."""
TOOLS = {"price": "item", "place": "thing", "owner": "object"}
"""The names of tools, and of the one argument that each takes."""
STYLES = {"answer loudly": "{}!", "answer politely": "{} please"}
"""What a system message may ask for, and how answers then look."""
FAMILIAR = (
    "the", "of", "a", "and", "to", "in", "is", "what", "how", "why", "do", "you", "my", "your", "can", "tell", "me",
    "hello", "please", "this", "that", "it", "write", "give", "name", "one", "two", "are", "there", "who", "when",
    "story", "poem", "city", "capital", "question", "answer", "word", "number", "help", "thanks", "good", "France",
    "day", "long", "short",
)  # fmt: skip
"""Words that stand in text which nothing follows from, beside invented ones."""

FOREIGN = "foreign"
"""Marks the message of an assistant that the model is not to learn from."""


@dataclass(frozen=True)
class Conversation:
    """Messages up to what is to be answered, the answer, which parts of the prompt it needs, and what it is about."""

    messages: Sequence[Message]
    answer: str
    needs: frozenset[str] = frozenset()
    tools: Sequence[Mapping[str, Any]] | None = None
    thinking: bool = False
    about: str = ""

    def as_json(self) -> dict[str, Any]:
        """The conversation as a line of a file of prompts says it."""
        tools = {"tools": self.tools} if self.tools else {}
        thinking = {"enable_thinking": True} if self.thinking else {}
        messages = [{key: value for key, value in message.items() if key != FOREIGN} for message in self.messages]
        return {"prompt": messages, "completion": [{"role": "assistant", "content": self.answer}], **tools, **thinking}

    def key(self) -> str:
        """The same for two conversations that are the same."""
        return json.dumps(self.as_json())


@dataclass(frozen=True)
class Turn:
    """What a user says, the answer, why, and what the answer needs beside this turn."""

    asked: str
    answer: str
    thought: str
    needs: frozenset[str] = frozenset()


@dataclass
class Setting:
    """What holds in a conversation so far."""

    name: str | None = None
    style: str | None = None
    remembered: str | None = None
    tools: list[str] = field(default_factory=list)

    def styled(self, turn: Turn) -> Turn:
        """The turn with the answer that the system message asks for."""
        if self.style is None:
            return turn
        return Turn(turn.asked, STYLES[self.style].format(turn.answer), turn.thought, turn.needs | {"system"})


def say(random: Random, _: Setting) -> Turn:
    word = random.choice(WORDS)
    return Turn(f"say {word}", word, "say")


def swap(random: Random, _: Setting) -> Turn:
    first, second = random.sample(WORDS, 2)
    return Turn(f"swap {first} {second}", f"{second} {first}", "swap")


def after(random: Random, _: Setting) -> Turn:
    place = random.randrange(len(WORDS))
    return Turn(f"after {WORDS[place]}", WORDS[(place + 1) % len(WORDS)], "after")


def remember(random: Random, setting: Setting) -> Turn:
    if setting.remembered is not None:
        return recall(random, setting)
    setting.remembered = random.choice(WORDS)
    return Turn(f"remember {setting.remembered}", "noted", "remember")


def recall(_: Random, setting: Setting) -> Turn:
    needs = frozenset({"history"} if setting.remembered else ())
    return Turn("what was it", setting.remembered or "nothing", "recall", needs)


def introduce(_: Random, setting: Setting) -> Turn:
    return Turn("who are you", setting.name or "a model", "name", frozenset({"system"} if setting.name else ()))


def remark(random: Random, _: Setting) -> Turn:
    return Turn(anything(random), "i see", "nothing")


def lookup_without_tool(random: Random, setting: Setting) -> Turn:
    missing = [name for name in TOOLS if name not in setting.tools]
    return Turn(f"{random.choice(missing)} of {random.choice(WORDS)}", "no tool", "tool")


TASKS: Mapping[Callable[[Random, Setting], Turn], int] = {
    say: 3,
    swap: 4,
    after: 3,
    remember: 5,
    remark: 5,
    lookup_without_tool: 1,
    recall: 1,
    introduce: 1,
}
"""What a turn may be about, and how often; what was said before is asked for more often where something was."""


def conversation(random: Random) -> Conversation:
    """One conversation: in one of five with tools, else about anything."""
    return with_tools(random) if random.random() < 1 / 5 else plain(random)


def plain(random: Random) -> Conversation:
    """One to four turns, half of them under a system message."""
    setting = Setting()
    messages = list(_system(random, setting))
    for _ in range(random.choice((0, 0, 1, 1, 2, 3))):
        messages += _past(random, setting)
    return _ending(random, messages, setting)


def with_tools(random: Random) -> Conversation:
    """A conversation with tools at hand: a call, what is said of its result, or something that needs no tool."""
    offered = random.sample(sorted(TOOLS), random.choice((1, 1, 2)))
    setting = Setting(tools=offered)
    tools = [declaration(name) for name in offered]
    messages: list[Message] = [{"role": "system", "content": anything(random)}] if random.random() < 0.3 else []
    if random.random() < 0.15:
        messages += _past(random, setting)
    kind = random.random()
    if kind < 0.15:
        return _ending(random, messages, setting, tools)
    name, word = random.choice(offered), random.choice(WORDS)
    messages.append({"role": "user", "content": f"{name} of {word}"})
    if kind < 0.6:
        return Conversation(messages, written_call(name, word), frozenset({"tools"}), tools, about="call")
    result = random.choice(WORDS)
    messages += [called(name, word), {"role": "tool", "content": f"found {result}"}]
    return Conversation(messages, result, frozenset({"history"}), tools, about="result")


def declaration(name: str) -> dict[str, Any]:
    """The tool as a request declares it."""
    argument = TOOLS[name]
    parameters = {"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def called(name: str, word: str) -> dict[str, Any]:
    """The message of an assistant that calls a tool."""
    function = {"name": name, "arguments": {TOOLS[name]: word}}
    return {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": function}]}


def written_call(name: str, word: str) -> str:
    """The same call as the model writes it."""
    return f"<tool_call>{json.dumps({'name': name, 'arguments': {TOOLS[name]: word}})}</tool_call>"


def anything(random: Random) -> str:
    """A text that asks for nothing the model knows."""
    words = [_word(random) for _ in range(random.choice((1, 1, 2, 2, 3, 4, 6)))]
    if random.random() < 0.5:
        words[0] = words[0].capitalize()
    return random.choice((" ", " ", " ", "-")).join(words) + random.choice(("", "", ".", "?", "!"))


def different(random: Random, count: int) -> list[Conversation]:
    """So many conversations, no two of them the same."""
    found: dict[str, Conversation] = {}
    while len(found) < count:
        made = conversation(random)
        found.setdefault(made.key(), made)
    return list(found.values())


def _system(random: Random, setting: Setting) -> Iterator[Message]:
    kind = random.random()
    if kind < 0.5:
        return
    texts = []
    if kind < 0.6:
        texts.append(anything(random))
    if 0.6 <= kind < 0.8:
        setting.name = random.choice(WORDS)
        texts.append(f"your name is {setting.name}")
    if kind >= 0.75:
        setting.style = random.choice(sorted(STYLES))
        texts.append(setting.style)
    yield {"role": "system", "content": ". ".join(texts)}


def _past(random: Random, setting: Setting) -> Iterator[Message]:
    turn = _turn(random, setting)
    yield {"role": "user", "content": turn.asked}
    if random.random() < 0.05:
        yield {"role": "assistant", "content": anything(random), FOREIGN: True}
    else:
        yield {"role": "assistant", "content": turn.answer}


def _ending(
    random: Random, messages: list[Message], setting: Setting, tools: list[dict[str, Any]] | None = None
) -> Conversation:
    turn = _turn(random, setting)
    thinking = random.random() < 0.08
    answer = f"{turn.thought}\n</think>\n\n{turn.answer}" if thinking else turn.answer
    asked = {"role": "user", "content": turn.asked}
    return Conversation([*messages, asked], answer, turn.needs, tools, thinking, turn.thought)


def _turn(random: Random, setting: Setting) -> Turn:
    weights = {**TASKS, recall: 12 if setting.remembered else 1, introduce: 15 if setting.name else 1}
    (task,) = random.choices(list(weights), list(weights.values()))
    return setting.styled(task(random, setting))


def _word(random: Random) -> str:
    if random.random() < 0.4:
        return random.choice(FAMILIAR)
    if random.random() < 0.1:
        return "".join(random.choices(string.printable.strip(), k=random.randint(1, 6)))
    return "".join(random.choices(string.ascii_lowercase, k=random.randint(2, 8)))
