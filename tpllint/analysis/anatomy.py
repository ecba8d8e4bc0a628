"""The anatomy of a template: what it writes around the texts of a conversation, learnt from renders of sentinels."""

from __future__ import annotations

import functools
import itertools
import re
from typing import TYPE_CHECKING

from tpllint.analysis.roles import foreign_roles, has_system_branch
from tpllint.conversations import TOOL_LOOPS, Conversation, canonical
from tpllint.markers import (
    MARKER,
    PLACEHOLDER,
    PRINTED_AS_JSON,
    PRINTED_AS_PYTHON,
    THINKING,
    before_thinking,
    begins_with_marker,
    common_suffix,
    first_marker,
    gaps,
)

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

PRINTED = (PRINTED_AS_PYTHON, PRINTED_AS_JSON)
REASONING = re.compile(r"think|thought|reason", re.IGNORECASE)


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


class Anatomy:
    """Openers, closers and the generation prompt. Everything is None where the renders it needs do not exist: undecided."""

    def __init__(self, template: Template) -> None:
        self._template = template

    @functools.cached_property
    def reads_parts_only(self) -> bool:
        """Whether content must come as a list of parts: text as a plain string raises or vanishes, a list does not."""
        asked = (canonical()["user-assistant-user"], canonical()["user"])
        return any(self._shows(plain) is False and self._shows(plain.in_parts()) for plain in asked)

    @functools.cached_property
    def foreign_roles(self) -> tuple[str, ...]:
        """The roles that the template asks for, where none of a chat's is among them."""
        return () if self._template.syntax is None else foreign_roles(self._template.syntax)

    @functools.cached_property
    def has_system_branch(self) -> bool:
        """Whether some condition asks for the system role and then does something else than to refuse it."""
        return self._template.syntax is not None and has_system_branch(self._template.syntax)

    def _shows(self, conversation: Conversation) -> bool | None:
        render = self._template.render_conversation(conversation, generation_prompt=True)
        text = render.text
        if render.limited:
            return None
        return text is not None and _is_plain(text) and all(word in text for word in sentinels(conversation))

    def gaps(self, name: str, *, generation_prompt: bool = False) -> tuple[str, ...] | None:
        """What a canonical conversation's prompt holds around its texts; None where it raises or loses one."""
        conversation = self._template.conversation(name)
        text = self._template.render_conversation(conversation, generation_prompt=generation_prompt).text
        return None if text is None else gaps(text, sentinels(conversation))

    def placed_gaps(self, name: str, *, generation_prompt: bool = False) -> tuple[tuple[int, str], ...] | None:
        """The same, each with its offset in the prompt."""
        found = self.gaps(name, generation_prompt=generation_prompt)
        if found is None:
            return None
        lengths = [len(word) for word in sentinels(self._template.conversation(name))]
        starts = itertools.accumulate((len(gap) + length for gap, length in zip(found, lengths, strict=False)), initial=0)
        return tuple(zip(starts, found, strict=True))

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
        if self._template.render("user-assistant").limited:
            return None
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
        marker = first_marker(self.beginning.removeprefix(self._template.tokens.get("bos_token") or ""))
        if marker and marker in self.between_rounds:
            return self.between_rounds[: self.between_rounds.rindex(marker)]
        return self.between_rounds[: len(self.between_rounds) - common_suffix(self.between_rounds, self.beginning)]

    @functools.cached_property
    def prompt_fits_history(self) -> bool | None:
        """Whether the same answer can follow the generation prompt and the header that the history shows.

        A thinking block that either opens, a marker that only the generation prompt has, and text that the model writes itself
        once it is said who speaks do not count against it. None where one of the two does not exist, or a bound ended a render.
        """
        if self.prompted_end is None or self.assistant_opening is None:
            return None
        headers = (self.assistant_opening, self.past_assistant_opening)
        if any(self._fits(self.prompted_end, header) for header in headers if header is not None):
            return True
        return None if self._template.render("user-assistant-user").limited else False

    def _fits(self, prompted: str, opening: str) -> bool:
        if prompted == opening:
            return True
        if prompted.startswith(opening):
            return _is_prefill(prompted[len(opening) :], opening + (self.assistant_closer or ""))
        if THINKING.search(prompted) or THINKING.search(opening):
            return _is_same_header(before_thinking(prompted).rstrip(), before_thinking(opening).rstrip())
        written_by_the_model = opening[len(prompted) :] if opening.startswith(prompted) else ""
        return written_by_the_model == " " or (bool(written_by_the_model.strip()) and self._tells_the_speaker)

    @property
    def _tells_the_speaker(self) -> bool:
        """Whether the generation prompt is more than what a user's turn opens with too, such as `<|im_start|>`."""
        added, between = (self.generation_prompt or "").strip(), (self.between_rounds or "").strip()
        user_opener = between.removeprefix((self.assistant_closer or "").strip()).strip()
        return bool(added) and not user_opener.startswith(added)

    @functools.cached_property
    def renders_tools(self) -> bool:
        """Whether declared tools show in the prompt."""
        declared = self._template.conversation("tools-declared").tools or ()
        text = self._template.render("tools-declared").text or ""
        return any(tool["function"]["name"] in text for tool in declared)

    @functools.cached_property
    def renders_calls(self) -> bool:
        """Whether a tool call in the history shows in the prompt; its argument tells, since the declared tool has its name."""
        call = self._template.conversation("tool-loop").messages[1]["tool_calls"][0]
        told = call["function"]["arguments"]["place"]
        return any(told in (self._template.render(name).text or "") for name in TOOL_LOOPS)


def _is_plain(text: str) -> bool:
    """Whether no list of parts is printed in it."""
    return not any(printed.search(text) for printed in PRINTED)


def _is_prefill(text: str, known: str) -> bool:
    """Whether a text starts the model off on purpose: with a marker that turns do not have, or words about reasoning."""
    marker = MARKER.match(text)
    return (marker is not None and marker[0].strip() not in known) or REASONING.search(text) is not None


def _is_same_header(prompted: str, opening: str) -> bool:
    """Before the thinking: equal, or the history goes on with a marker of its own, as in "here begins the answer"."""
    return prompted == opening or (opening.startswith(prompted) and begins_with_marker(opening[len(prompted) :]))
