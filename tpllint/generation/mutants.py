"""Prompts as other templates would make them: a model that was trained on one of these tells, by what it expects to answer.

They are of two kinds. Some are one step away from a template: the mistakes that people report, each made or undone. Others are
made from nothing but the messages, in formats that many models share; only those whose markers are tokens of the model, since
any model half understands a format that it reads as plain text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

USER, ASSISTANT, SYSTEM = "user", "assistant", "system"
OTHER_NAMES = {USER: "human", "human": USER, ASSISTANT: "model", "model": ASSISTANT}
"""What roles are called elsewhere."""

Messages = Sequence[Mapping[str, Any]]


class Parts(NamedTuple):
    """What a template puts around texts, as `tpllint describe` tells it; empty where it does not.

    `terminator` ends an answer, `openers` and `closers` are by role; `bos` is the model's token for the beginning of a
    sequence, and `tokens` are those that its files name.
    """

    generation_prompt: str = ""
    terminator: str = ""
    openers: Mapping[str, str] = {}
    closers: Mapping[str, str] = {}
    beginning: str = ""
    bos: str = ""
    tokens: Set[str] = frozenset()


def parts(description: Mapping[str, Any], bos: str | None, tokens: Set[str]) -> Parts:
    """What a description tells of the parts."""
    roles = {role["role"]: role for role in description["roles"]}
    return Parts(
        description["generation_prompt"] or "",
        (description["terminator"] or {}).get("text") or "",
        {name: role["opener"] for name, role in roles.items() if role["opener"]},
        {name: role["closer"] for name, role in roles.items() if role["closer"]},
        (description["beginning"] or {}).get("text") or "",
        bos or "",
        tokens,
    )


def mutants(prompt: str, messages: Messages, found: Parts) -> Iterator[tuple[str, str]]:
    """Everything that is another prompt, each once: in words how it is made, and the prompt."""
    known = {prompt}
    for words, change in CHANGES.items():
        made = change(prompt, messages, found)
        if made is not None and made not in known:
            known.add(made)
            yield words, made
    if not all(isinstance(message.get("content"), str) for message in messages) or not messages:
        return
    bos = found.bos if found.bos and prompt.startswith(found.bos) else ""
    for name, form in FORMATS.items():
        made = bos + form.write(messages)
        if form.markers <= found.tokens and made not in known:
            known.add(made)
            yield f"in the format of {name}", made


def _toggled_generation_prompt(prompt: str, messages: Messages, found: Parts) -> str | None:
    if found.generation_prompt:
        return prompt.removesuffix(found.generation_prompt)
    return prompt + found.openers.get(ASSISTANT, "")


def _opened_as_before(prompt: str, messages: Messages, found: Parts) -> str | None:
    """The answer opened in the way in which earlier answers were."""
    opener = found.openers.get(ASSISTANT)
    return prompt.removesuffix(found.generation_prompt) + opener if opener and found.generation_prompt else None


def _toggled_line_end(prompt: str, messages: Messages, found: Parts) -> str | None:
    """The generation prompt without the line end that it ends with, or with one."""
    if not found.generation_prompt or not prompt.endswith(found.generation_prompt):
        return None
    return prompt[:-1] if prompt.endswith("\n") else f"{prompt}\n"


def _toggled_separators(prompt: str, messages: Messages, found: Parts) -> str | None:
    """Turns without the line ends behind them, or with one."""
    for closer in dict.fromkeys(found.closers.values()):
        bare = closer.rstrip("\n")
        if bare:
            prompt = prompt.replace(closer, bare if bare != closer else f"{closer}\n")
    return prompt


def _renamed(role: str) -> Callable[[str, Messages, Parts], str | None]:
    def renamed(prompt: str, messages: Messages, found: Parts) -> str | None:
        opener = found.openers.get(role, "")
        name = next((name for name in OTHER_NAMES if name in opener), None)
        return prompt.replace(opener, opener.replace(name, OTHER_NAMES[name])) if name else None

    return renamed


def _without_terminator(prompt: str, messages: Messages, found: Parts) -> str | None:
    return prompt.replace(found.terminator, "") if found.terminator.strip() else None


def _toggled_beginning(prompt: str, messages: Messages, found: Parts) -> str | None:
    if not found.bos:
        return None
    return prompt.removeprefix(found.bos) if prompt.startswith(found.bos) else found.bos + prompt


def _with_every_message(prompt: str, messages: Messages, found: Parts) -> str | None:
    """What the template's own parts make of the messages when nothing is dropped, merged or moved."""
    turns = []
    for message in messages:
        role, content = str(message.get("role")), message.get("content")
        opener = found.openers.get(role) or _renamed_opener(found, role)
        if opener is None or not isinstance(content, str):
            return None
        turns.append(f"{opener}{content}{found.closers.get(role) or found.closers.get(USER, '')}")
    return "".join((found.beginning, *turns, found.generation_prompt))


def _renamed_opener(found: Parts, role: str) -> str | None:
    """How a role that the template drops would open its turns, if it did as the user."""
    opener = found.openers.get(USER, "")
    return opener.replace(USER, role) if USER in opener else None


CHANGES: Mapping[str, Callable[[str, Messages, Parts], str | None]] = {
    "with or without a generation prompt, the other way round": _toggled_generation_prompt,
    "with the answer opened as earlier ones are": _opened_as_before,
    "with another line end after the generation prompt": _toggled_line_end,
    "with other line ends between turns": _toggled_separators,
    "with another name for the user's role": _renamed(USER),
    "with another name for the assistant's role": _renamed(ASSISTANT),
    "without the ends of turns": _without_terminator,
    "with one beginning of sequence more or less": _toggled_beginning,
    "with every message in a turn of its own": _with_every_message,
}
"""By the words that tell of it, what a change makes of a prompt; None where it cannot be made there."""


class Format(NamedTuple):
    """How many models write turns. `markers` are its tokens, `names` what roles are called where not by their own names."""

    opener: str
    closer: str
    markers: frozenset[str]
    names: Mapping[str, str] = {}

    def write(self, messages: Messages) -> str:
        """The prompt for an answer."""
        turns = (self._opened(str(message.get("role"))) + f"{message.get('content')}{self.closer}" for message in messages)
        return "".join((*turns, self._opened(ASSISTANT)))

    def _opened(self, role: str) -> str:
        return self.opener.replace("{role}", self.names.get(role, role))


FORMATS: Mapping[str, Format] = {
    "ChatML": Format("<|im_start|>{role}\n", "<|im_end|>\n", frozenset({"<|im_start|>", "<|im_end|>"})),
    "header tokens": Format(
        "<|start_header_id|>{role}<|end_header_id|>\n\n",
        "<|eot_id|>",
        frozenset({"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}),
    ),
    "turn tokens": Format(
        "<start_of_turn>{role}\n",
        "<end_of_turn>\n",
        frozenset({"<start_of_turn>", "<end_of_turn>"}),
        {ASSISTANT: "model", SYSTEM: USER},
    ),
    "role tokens": Format("<|{role}|>\n", "</s>\n", frozenset({"<|user|>", "<|assistant|>", "</s>"})),
}
"""By what they are known by."""
