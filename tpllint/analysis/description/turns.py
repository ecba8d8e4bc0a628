"""How turns open and close, learnt from what stands between the texts of different conversations."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from tpllint.analysis.description.facts import Outcome, Token
from tpllint.analysis.description.probes import asked, tool_loop
from tpllint.analysis.renders import SENTINEL_TOKENS
from tpllint.conversations.words import ANSWER, ARGUMENT, CALL_ID, INSTRUCTION, QUESTION, RESULT, TOOL
from tpllint.markers import begins_with_marker, common_prefix, common_suffix, first_marker

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

WORDS = re.compile(r"[^\W\d_]{2,}")


class Turns:
    """Openers and closers of every role. None where no render tells."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._anatomy = template.anatomy

    def gap(self, name: str, index: int) -> str | None:
        """One of the texts around the sentinels of a canonical conversation."""
        found = self._anatomy.gaps(name)
        return None if found is None else found[index]

    @functools.cached_property
    def _user_turn(self) -> tuple[str, str] | None:
        """The separator before a user turn, and its opener."""
        first, between = self._anatomy.beginning, self._anatomy.between_rounds
        if first is None or between is None:
            return None if first is None else ("", first[len(self.beginning_text) :])
        end = self._anatomy.assistant_end or ""
        shared = first[len(first) - common_suffix(first, between) :] or between.removeprefix(end)
        for closer in (end, self._anatomy.user_end):
            if closer and shared.startswith(closer):
                return _split(shared[len(closer) :])
        return _split(shared)

    @functools.cached_property
    def _system_turn(self) -> tuple[str, str] | None:
        """What is written before the turn of a system message, and in it before its text."""
        gap, marker = self._system_gap, first_marker(self.user_opener or "")
        if gap is None:
            return None
        start = max(gap.rfind(marker), 0) if marker else 0
        return gap[:start], gap[start:]

    @property
    def user_opener(self) -> str | None:
        """What stands before a user's text."""
        return None if self._user_turn is None else self._user_turn[1]

    @functools.cached_property
    def user_closer(self) -> str | None:
        """What ends a user turn whatever follows."""
        end, answered = self._anatomy.user_end, self._anatomy.assistant_opening
        if end is None or answered is None:
            return end
        closer = end[: common_prefix(end, answered)]
        before_another = _without_suffix(self.gap("two-users-in-a-row", 1), self.user_opener)
        return closer if before_another is None else closer[: common_prefix(closer, before_another)]

    @functools.cached_property
    def assistant_opener(self) -> str | None:
        """What stands before the text of an earlier answer."""
        return self._opens(self._anatomy.past_assistant_opening) or self._opens(self._anatomy.assistant_opening)

    @functools.cached_property
    def last_assistant_opener(self) -> str | None:
        """What stands before the text of a final answer."""
        return self._opens(self._anatomy.assistant_opening)

    def _opens(self, gap: str | None) -> str | None:
        """A gap after a user text less the user closer."""
        if gap is None or self.user_closer is None or not gap.startswith(self.user_closer):
            return None
        return _split(gap[len(self.user_closer) :])[1]

    @functools.cached_property
    def assistant_closer(self) -> str | None:
        """What ends an answer that a user turn follows."""
        between, end = self._anatomy.between_rounds, self._anatomy.assistant_end
        if between is None:
            return end
        if end and between.startswith(end):
            return end
        shared = common_prefix(end, between) if end else 0
        return end[:shared] if end and shared else _without_suffix(between, self.user_opener)

    @functools.cached_property
    def separator(self) -> str | None:
        """What stands between an answer's end and the next user turn; empty where turns follow each other at once."""
        return _without_suffix(_without_prefix(self._anatomy.between_rounds, self.assistant_closer), self.user_opener)

    @functools.cached_property
    def beginning_text(self) -> str:
        """The beginning-of-sequence token that the prompt starts with, else nothing."""
        text = self._template.render("user").text or ""
        token = self._template.tokens.get("bos_token") or ""
        known = self._template.tokens_known or self._writes("bos_token")
        blanks = text[: len(text) - len(text.lstrip())]
        return next((start for start in (token, blanks + token) if known and token and text.startswith(start)), "")

    def _writes(self, token: str) -> bool:
        """Whether the source writes a special token by its name."""
        shown = self._template.render_with_sentinel_tokens("user-assistant").text or ""
        return SENTINEL_TOKENS[token] in shown

    @functools.cached_property
    def beginning(self) -> Token | None:
        """What stands before the first turn and before nothing else; an empty text where nothing does."""
        first = self._anatomy.beginning
        if first is None or self.user_opener is None:
            return None
        token = self.beginning_text
        if token:
            return Token(token, "bos_token", "variable" if self._writes("bos_token") else "literal")
        head = first.removesuffix(self.user_opener)
        alike = self.gap("system-user", 0)
        marker = first_marker(head) or ""
        only_there = head.strip() == marker and (alike is None or alike.startswith(head))
        return Token(head if only_there else "")

    @functools.cached_property
    def terminator(self) -> Token | None:
        """What tells a model's stop: the marker that closes an answer, and which token it is."""
        closer = self.assistant_closer
        if closer is None:
            return None
        name = "eos_token"
        value = self._template.tokens.get(name) or ""
        shown = self._template.render_with_sentinel_tokens("user-assistant").text
        if value and value in closer and shown is not None and SENTINEL_TOKENS[name] in shown.rpartition(ANSWER)[2]:
            return Token(value, name, "variable")
        if value and value in closer and self._template.tokens_known:
            return Token(value, name, "literal")
        return Token(first_marker(closer) or "")

    @functools.cached_property
    def system_outcome(self) -> Outcome:
        """What becomes of a leading system message."""
        found = asked(self._template, "system-user", INSTRUCTION)
        if found.status != "shown":
            return found
        gaps = self._anatomy.gaps("system-user")
        if gaps is None:
            text = self._template.render("system-user").text or ""
            follows = text.find(INSTRUCTION) > text.find(QUESTION) >= 0
            return Outcome("merged", "into the user turn, after its text") if follows else found
        opener = (self.user_opener or "").strip()
        inside = bool(opener) and opener in gaps[0] and opener not in gaps[1]
        return Outcome("merged", "into the user turn") if inside else found

    @functools.cached_property
    def _system_gap(self) -> str | None:
        first = self.gap("system-user", 0)
        if first is None or self.beginning is None:
            return None
        return first.removeprefix(self.beginning.text)

    @functools.cached_property
    def system_opener(self) -> str | None:
        """What stands before a system text, less what is written whoever speaks."""
        gap = self._system_gap
        if gap is None or self.user_opener is None or self._system_turn is None:
            return gap
        if self.system_outcome.status == "merged":
            first = self.gap("system-user", 0) or ""
            return first.partition(self.user_opener)[2] if self.user_opener in first else gap
        return self._system_turn[1] if self._system_header is None else self._system_header

    @functools.cached_property
    def _system_header(self) -> str | None:
        """The user opener with the other role's name, where system turns open with that."""
        turn, opener = self._system_turn, self.user_opener or ""
        if turn is None or opener.count("user") != 1:
            return None
        header = opener.replace("user", "system")
        return header if turn[1].startswith(header) else None

    @functools.cached_property
    def system_closer(self) -> str | None:
        """What ends a system text: up to the user's opener, or to the user's text where both share a turn."""
        gap = self.gap("system-user", 1)
        if gap is None or self.system_outcome.status == "merged":
            return gap
        return _without_suffix(gap, self.user_opener)

    @functools.cached_property
    def injected(self) -> str | None:
        """Words that stand in every prompt before the first text; empty where there are none."""
        if self.system_outcome.status is None:
            return None
        if self.system_outcome.works:
            before, turn = self._system_turn or ("", "")
            extra = before + ("" if self._system_header is None else turn[len(self._system_header) :])
        elif self._anatomy.beginning is None or self.user_opener is None or self.beginning is None:
            return None
        else:
            extra = self._anatomy.beginning.removesuffix(self.user_opener).removeprefix(self.beginning.text)
        return extra if WORDS.search(extra) else ""

    @functools.cached_property
    def default_system(self) -> str | None:
        """Words that stand before the first text unless a system message is given; empty where there are none."""
        plain, gaps = self._anatomy.beginning, self._anatomy.gaps("system-user")
        if plain is None or (gaps is None and self.system_outcome.works is not False):
            return None
        if gaps is None:
            return ""
        rest = plain[common_prefix(plain, gaps[0]) :]
        text = rest[: len(rest) - common_suffix(rest, gaps[1])]
        return text if WORDS.search(text) else ""

    @functools.cached_property
    def developer_opener(self) -> str | None:
        """What stands before a developer's text."""
        gap = self.gap("developer-user", 0)
        if gap is None or self.beginning is None:
            return None
        headers = ((self.user_opener or "").replace("user", "developer"), self.system_opener)
        known = next((header for header in headers if header and gap.endswith(header)), None)
        written_anyway = self.injected or self.default_system
        if not known and self.default_system and self.default_system in gap:
            return gap.rpartition(self.default_system)[2].removeprefix(self.system_closer or "")
        return known or (None if written_anyway else gap.removeprefix(self.beginning.text))

    @functools.cached_property
    def developer_closer(self) -> str | None:
        """What ends a developer's text."""
        return _without_suffix(self.gap("developer-user", 1), self.user_opener)

    @functools.cached_property
    def other_opener(self) -> str | None:
        """What stands before the text of a role that no template knows."""
        gap = _without_prefix(self.gap("unknown-role", 2), self.assistant_closer)
        return None if gap is None else _split(gap)[1].replace("moderator", "{role}")

    @functools.cached_property
    def other_closer(self) -> str | None:
        """What ends the text of a role that no template knows."""
        return _without_suffix(self.gap("unknown-role", 3), self.user_opener)

    @functools.cached_property
    def tool_opener(self) -> str | None:
        """What stands before a tool's result, with `{name}` and `{id}` for what it repeats of the call."""
        without_call, after_call = self.gap("tool-result-without-call", 1), self._before_result
        if after_call is None:
            return None
        if self._after_call and after_call.startswith(self._after_call):
            return _masked(_split(after_call[len(self._after_call) :])[1])
        shared = after_call
        if without_call is not None:
            shared = after_call[len(after_call) - common_suffix(after_call, without_call) :]
        for closer in (self.assistant_closer, self.user_closer):
            if closer and closer in shared:
                return _masked(_split(shared.rpartition(closer)[2])[1])
        return _masked(_split(shared)[1]) if without_call is not None and shared.strip() else None

    @functools.cached_property
    def _before_result(self) -> str | None:
        """What stands between the last argument of a call, or the user's text where no call shows, and the result."""
        text = self._template.render(tool_loop(self._template)).text
        if text is None or text.count(RESULT) != 1:
            return None
        before = text.partition(RESULT)[0]
        return before.rpartition(ARGUMENT if ARGUMENT in before else QUESTION)[2]

    @functools.cached_property
    def _after_call(self) -> str | None:
        """What follows the last argument of a call that ends a conversation."""
        text = self._template.render("tool-call").text
        return None if text is None or ARGUMENT not in text else text.rpartition(ARGUMENT)[2]

    @functools.cached_property
    def tool_closer(self) -> str | None:
        """What ends a tool's result: what is alike whether an answer follows it or nothing does."""
        answered = self._template.render(tool_loop(self._template)).text
        last = self._template.render("tool-result").text
        if answered is None or answered.count(RESULT) != 1:
            return None
        gap = answered.partition(RESULT)[2].partition(ANSWER)[0]
        if last is not None and last.count(RESULT) == 1:
            end = last.partition(RESULT)[2]
            return _masked(gap[: common_prefix(gap, end)])
        return None if not self.assistant_opener else _masked(_without_suffix(gap, self.assistant_opener))


def in_place(text: str | None, *words: str) -> bool:
    """Whether the words stand in a text in this order, once each."""
    if text is None or any(text.count(word) != 1 for word in words):
        return False
    places = [text.index(word) for word in words]
    return places == sorted(places)


def _split(opener: str) -> tuple[str, str]:
    """Blanks before a marker are no part of what the marker opens."""
    bare = opener.lstrip()
    if bare != opener and begins_with_marker(bare):
        return opener[: len(opener) - len(bare)], bare
    return "", opener


def _without_suffix(text: str | None, suffix: str | None) -> str | None:
    if text is None or not suffix or not text.endswith(suffix):
        return None
    return text.removesuffix(suffix)


def _without_prefix(text: str | None, prefix: str | None) -> str | None:
    if text is None or prefix is None or not text.startswith(prefix):
        return None
    return text.removeprefix(prefix)


def _masked(text: str | None) -> str | None:
    return None if text is None else text.replace(CALL_ID, "{id}").replace(TOOL, "{name}")
