"""The anatomy of a template: what it writes around the texts of a conversation, learnt from renders of sentinels."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from itertools import takewhile
from typing import TYPE_CHECKING

from tpllint.conversations import Conversation, canonical

if TYPE_CHECKING:
    from tpllint.analysis.template import Template


def spoken(conversation: Conversation) -> tuple[tuple[str, str], ...]:
    """Role and text of each message that has a text, in order."""
    found = []
    for message in conversation.messages:
        content = message.get("content")
        if isinstance(content, list):
            content = next((part["text"] for part in content if isinstance(part, dict) and "text" in part), None)
        if isinstance(content, str) and content.strip():
            found.append((str(message.get("role")), content.strip()))
    return tuple(found)


def sentinels(conversation: Conversation) -> tuple[str, ...]:
    """The text of each message that has one, in order."""
    return tuple(text for _, text in spoken(conversation))


def gaps(text: str, words: tuple[str, ...]) -> tuple[str, ...] | None:
    """What stands before, between and after the words in a text; None unless each is there, once, in this order."""
    found, at = [], 0
    for word in words:
        where = text.find(word, at)
        if where < 0 or text.count(word) != 1:
            return None
        found.append(text[at:where])
        at = where + len(word)
    return (*found, text[at:])


class Anatomy:
    """Openers, closers and the generation prompt. Everything is None where the renders it needs do not exist: undecided."""

    def __init__(self, template: Template) -> None:
        self._template = template

    @functools.cached_property
    def reads_parts_only(self) -> bool:
        """Whether content must come as a list of parts: text as a plain string raises or vanishes, a list does not."""
        plain = canonical()["user-assistant-user"]
        return not self._shows(plain) and self._shows(plain.in_parts())

    def _shows(self, conversation: Conversation) -> bool:
        text = self._template.render_conversation(conversation, generation_prompt=True).text
        return text is not None and not LIST_PRINTED.search(text) and all(word in text for word in sentinels(conversation))

    def gaps(self, name: str, *, generation_prompt: bool = False) -> tuple[str, ...] | None:
        """What a canonical conversation's prompt holds around its texts; None where it raises or loses one."""
        conversation = self._template.conversation(name)
        text = self._template.render_conversation(conversation, generation_prompt=generation_prompt).text
        return None if text is None else gaps(text, sentinels(conversation))

    @functools.cached_property
    def beginning(self) -> str | None:
        """What stands before the first user text: beginning of sequence, default system text, the user opener."""
        found = self.gaps("user")
        return found[0] if found else None

    @functools.cached_property
    def user_end(self) -> str | None:
        """What follows a final user text when no generation prompt is asked for."""
        found = self.gaps("user")
        return found[1] if found else None

    @functools.cached_property
    def prompted_end(self) -> str | None:
        """What follows a final user text when the generation prompt is asked for."""
        found = self.gaps("user", generation_prompt=True)
        return found[1] if found else None

    @functools.cached_property
    def generation_prompt(self) -> str | None:
        """What the generation prompt adds after a user text; empty where it adds nothing."""
        if self.prompted_end is None or self.user_end is None:
            return None
        return self.prompted_end.removeprefix(self.user_end)

    @functools.cached_property
    def unfilled_placeholder(self) -> str | None:
        """A placeholder such as `{role}` in the generation prompt, that the headers in the history do not have."""
        found = PLACEHOLDER.search(self.generation_prompt or "")
        return found[0] if found and found[0] not in (self.assistant_opening or "") else None

    @functools.cached_property
    def assistant_opening(self) -> str | None:
        """What stands between a user text and the final assistant text: the user closer and the assistant opener."""
        found = self.gaps("user-assistant")
        return found[1] if found else None

    @functools.cached_property
    def past_assistant_opening(self) -> str | None:
        """The same where the assistant turn is not the last."""
        found = self.gaps("user-assistant-user")
        return found[1] if found else None

    @functools.cached_property
    def assistant_end(self) -> str | None:
        """What follows a final assistant text."""
        found = self.gaps("user-assistant")
        return found[2] if found else None

    @functools.cached_property
    def between_rounds(self) -> str | None:
        """What stands between an assistant text and the next user text: the assistant closer and the user opener."""
        found = self.gaps("user-assistant-user")
        return found[2] if found else None

    @functools.cached_property
    def assistant_closer(self) -> str | None:
        """What ends an assistant turn that a user turn follows: `between_rounds` less the user opener."""
        if self.between_rounds is None or self.beginning is None:
            return None
        if self.assistant_end and self.between_rounds.startswith(self.assistant_end):
            return self.assistant_end
        return self.between_rounds[: len(self.between_rounds) - common_suffix(self.between_rounds, self.beginning)]


THINKING = re.compile(r"<[^<>\n]*think[^<>\n]*>|\[/?think\]", re.IGNORECASE)
"""A marker that opens or closes a model's reasoning."""
PLACEHOLDER = re.compile(r"\{+\s*[A-Za-z_][\w.]*\s*\}+|%\([A-Za-z_]\w*\)s|\$\{[A-Za-z_]\w*\}")
TORN_MARKER = re.compile(r"[^<\s]*>")
LIST_PRINTED = re.compile(r"['\"]type['\"]: ?['\"]text")
MARKER = re.compile(r"\s*(?:<[^<>\s]{1,40}>|\[[^\[\]\s]{1,40}\]|\u2329\S{1,40}\u232a|\u3008\S{1,40}\u3009)")


def begins_with_marker(text: str) -> bool:
    """Whether a text begins, blanks aside, with something in the form of a control token, such as `<|user|>` or `[INST]`."""
    return MARKER.match(text) is not None


def marker_start(text: str, at: int) -> int:
    """`at`, or where the marker begins that `at` would cut in two."""
    start = text.rfind("<", 0, at)
    return start if start >= 0 and ">" not in text[start:at] and MARKER.match(text, start) else at


def before_thinking(text: str) -> str:
    """A header up to where a model's reasoning opens or closes in it; the whole of it where none does."""
    found = THINKING.search(text)
    return text[: found.start()] if found else text


def common_suffix(left: str, right: str) -> int:
    """The length of the longest text that both end with and that begins inside no marker."""
    length = _alike(reversed(left), reversed(right))
    torn = TORN_MARKER.match(left[len(left) - length :]) if length else None
    return length - torn.end() if torn else length


def common_prefix(left: str, right: str) -> int:
    """The length of the longest text that both begin with and that ends inside no marker."""
    return marker_start(left, _alike(left, right))


def _alike(left: Iterable[str], right: Iterable[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False)))
