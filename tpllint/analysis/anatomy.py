"""The anatomy of a template: what it writes around the texts of a conversation, learnt from renders of sentinels."""

from __future__ import annotations

import functools
import re
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


LIST_PRINTED = re.compile(r"['\"]type['\"]: ?['\"]text")
MARKER = re.compile(r"\s*(?:<[^<>\s]{1,40}>|\[[^\[\]\s]{1,40}\]|\u2329\S{1,40}\u232a|\u3008\S{1,40}\u3009)")


def begins_with_marker(text: str) -> bool:
    """Whether a text begins, blanks aside, with something in the form of a control token, such as `<|user|>` or `[INST]`."""
    return MARKER.match(text) is not None


def marker_start(text: str, at: int) -> int:
    """`at`, or where the marker begins that `at` would cut in two."""
    start = text.rfind("<", 0, at)
    return start if start >= 0 and ">" not in text[start:at] and MARKER.match(text, start) else at


def common_suffix(left: str, right: str) -> int:
    """The length of the longest text that both end with."""
    length = 0
    for a, b in zip(reversed(left), reversed(right), strict=False):
        if a != b:
            break
        length += 1
    return length


def common_prefix(left: str, right: str) -> int:
    """The length of the longest text that both begin with."""
    return common_suffix(left[::-1], right[::-1])
