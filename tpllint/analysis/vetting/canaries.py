"""Messages that are watched on their way into the prompt: words that the template looks for, long texts, long chats.

What a message says has to reach the prompt letter by letter, whatever it says and however long it is. The words planted are
those of the template itself: whoever waits for a word has to name it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import nodes

from tpllint.analysis.anatomy import spoken
from tpllint.analysis.folding import Folding
from tpllint.analysis.renders import Render
from tpllint.analysis.vetting.dependence import CONTENT, LENGTH
from tpllint.analysis.vetting.phrases import PIECE
from tpllint.analysis.vetting.predicates import is_command, literals
from tpllint.conversations import Conversation, canonical
from tpllint.markers import THINKING
from tpllint.span import Place

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

MOST_WORDS = 60
"""How many words of a template are planted, and how many other texts."""
LONGEST_WORD = 200
NEUTRAL = "note-heather"
"""What stands where a word can be planted: no template has it."""
OTHER = "note-laurel"
LONG_TEXT = " ".join(f"kelp-{number}" for number in range(1500))
"""A text of 1,500 words, longer than what most people write."""
ORDINARY = (
    "No, I did NOT pay 100 of the 1,000 euros (that's \u20ac10; see a < b & b > c).\n\n"
    "Must I go to https://example.com/a_b?q=1 again and again and <b>again</b>? Thanks!\n"
)
"""A text as people write: capitals, numbers, punctuation, a tag, an address, words said twice, an empty line."""
ROUNDS = 24
SPEAKERS = {"user": 0, "system-user": 0, "user-assistant-user": 1, "tool-loop": 2}
"""Canonical conversations with the index of the message into which words are planted."""


class Planted(NamedTuple):
    """A message with a word of the template in it: `render` is of the conversation in which it is `said`, `usual` of the one
    that says `instead`.
    """

    word: str
    role: str
    said: str
    instead: str
    render: Render
    usual: Render

    @property
    def speaker(self) -> str:
        """Who says it, as a message is called."""
        return called(self.role)

    @property
    def is_a_command(self) -> bool:
        """Whether the word is a switch or a control token, which templates take out on purpose."""
        return is_command(self.word) or THINKING.search(self.word) is not None


def called(role: str) -> str:
    """A role with its article."""
    return f"an {role}" if role[:1] in "aeio" else f"a {role}"


class Canaries:
    """What becomes of watched messages. Nothing where a template renders no chat."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._made: dict[tuple[str, int, str], Render] = {}

    @functools.cached_property
    def words(self) -> Mapping[str, nodes.Node]:
        """The words of natural language that the template looks for in what messages say, and the expression that does."""
        return self._most((word, node) for word, node in self._asked() if _is_natural(word))

    @functools.cached_property
    def signs(self) -> Mapping[str, nodes.Node]:
        """The other texts that it looks for: commands, control tokens, punctuation."""
        return self._most((sign, node) for sign, node in self._asked() if sign.strip() and not _is_natural(sign))

    def _most(self, asked: Iterable[tuple[str, nodes.Node]]) -> dict[str, nodes.Node]:
        """The first of the texts; that there are more is told."""
        found: dict[str, nodes.Node] = {}
        for text, node in asked:
            if len(found) == MOST_WORDS and text not in found:
                self._template.exhausted.setdefault("planting the words it looks for", f"they are more than {MOST_WORDS}")
                break
            found.setdefault(text, node)
        return found

    def signed(self) -> Iterator[Planted]:
        """Every such sign between two words of a user, which differ: what is turned around must not look the same."""
        for sign in self.signs:
            yield self._planted(sign, "user", 0, f"{NEUTRAL} ", f" {OTHER}")

    def place_of(self, word: str) -> Place | None:
        """Where the template looks for a word."""
        syntax = self._template.syntax
        return None if syntax is None else syntax.expression({**self.signs, **self.words}[word])

    def planted(self) -> Iterator[Planted]:
        """Every such word in a message of the user, the system, the assistant and a tool, alone and among other words."""
        for word in self.words:
            for name, index in SPEAKERS.items():
                for before, after in _frames(word):
                    yield self._planted(word, name, index, before, after)

    def long_messages(self) -> Iterator[tuple[str, Render, Render]]:
        """The role and the render of conversations with a message that says LONG_TEXT, and the render of each as it is."""
        for name, index in SPEAKERS.items():
            usual = self._template.render(name, generation_prompt=True)
            yield _role(name, index), self.saying(name, index, LONG_TEXT), usual

    def ordinary_messages(self) -> Iterator[tuple[str, Render]]:
        """The role and the render of conversations with a message that says ORDINARY."""
        for name, index in SPEAKERS.items():
            yield _role(name, index), self.saying(name, index, ORDINARY)

    @functools.cached_property
    def long_chat(self) -> Render:
        """A chat of many rounds, each message with words of its own."""
        return self._rendered(_long_chat())

    def _asked(self) -> Iterator[tuple[str, nodes.Node]]:
        """The texts that the template looks for in what messages say, and the expressions that do."""
        syntax, dependence, folding = self._template.syntax, self._template.dependence, self._template.folding
        if syntax is None or dependence is None or folding is None:
            return
        for node in syntax.find("Compare", "Call", "Filter", "Getitem", "Test"):
            texts = tuple(_looked_for(node, folding))
            if texts and dependence.of(node) & {CONTENT, LENGTH}:
                yield from ((text, node) for text in texts if 0 < len(text) <= LONGEST_WORD)

    def _planted(self, word: str, name: str, index: int, before: str, after: str) -> Planted:
        said, instead = f"{before}{word}{after}", f"{before}{NEUTRAL}{after}"
        told, usual = (self.saying(name, index, text) for text in (said, instead))
        return Planted(word, _role(name, index), said, instead, told, usual)

    def saying(self, name: str, index: int, text: str) -> Render:
        """A canonical conversation in which one message says something else; kept, since several rules ask."""
        if (name, index, text) not in self._made:
            self._made[name, index, text] = self._rendered(canonical()[name].with_message(index, content=text))
        return self._made[name, index, text]

    def _rendered(self, conversation: Conversation) -> Render:
        formed = conversation.in_parts() if self._template.anatomy.reads_parts_only else conversation
        return self._template.render_conversation(formed, generation_prompt=True)


def _frames(word: str) -> Iterator[tuple[str, str]]:
    """What stands around a word: nothing, unless it begins or ends with blanks; and other words."""
    if word == word.strip():
        yield "", ""
    yield NEUTRAL if word[0].isspace() else f"{NEUTRAL} ", NEUTRAL if word[-1].isspace() else f" {NEUTRAL}"


def _role(name: str, index: int) -> str:
    return str(canonical()[name].messages[index]["role"])


def said_in(render: Render) -> tuple[tuple[str, str], ...]:
    """Role and text of each message of a render's conversation."""
    return spoken(render.recipe.conversation) if render.recipe else ()


def _looked_for(node: Any, folding: Folding) -> Iterator[str]:
    """The words that an expression compares with, takes apart at, puts in or looks up."""
    if isinstance(node, nodes.Getitem):
        yield from _keys(folding.value(node.node))
        return
    asked = [node.expr, *(operand.expr for operand in node.ops)] if isinstance(node, nodes.Compare) else node.args
    yield from (literal for literal in literals(node) if isinstance(literal, str))
    for part in asked:
        value = folding.value(part)
        yield from (text for text in (value if isinstance(value, list | tuple) else [value]) if isinstance(text, str))
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
        yield from _keys(folding.value(node.node.node))


def _keys(value: Any) -> Iterator[str]:
    return (key for key in (value if isinstance(value, dict) else ()) if isinstance(key, str))


def _is_natural(text: str) -> bool:
    """Whether a person could write a text by chance."""
    spoken = any(not piece["broken"] for piece in PIECE.finditer(text)) or any(letter.isalpha() for letter in text)
    return spoken and not is_command(text) and not THINKING.search(text)


@functools.cache
def _long_chat() -> Conversation:
    rounds = [
        message
        for number in range(ROUNDS)
        for message in (
            {"role": "user", "content": f"amber-{number}-coral"},
            {"role": "assistant", "content": f"birch-{number}-dune"},
        )
    ]
    last = {"role": "user", "content": f"amber-{ROUNDS}-coral"}
    return replace(canonical()["user"], messages=[*rounds, last])
