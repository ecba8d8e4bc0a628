"""What a template does to the content of a message: keeps, trims, escapes, prints or loses it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from markupsafe import escape

from tpllint.analysis.description.facts import Outcome
from tpllint.analysis.description.probes import of_parts, outcome, tool_loop, with_content
from tpllint.conversations import canonical
from tpllint.conversations.words import ANSWER, INSTRUCTION, QUESTION, RESULT

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

PAD = " " * 7
MARKUP = " \"double\" 'single' <b> & \\ \u00e9\nnext"
"""What formats escape. It follows a word of its own on the first line, and ends in a word."""


class Content:
    """How the content of one role's messages is treated, asked with one message of one canonical conversation."""

    def __init__(self, template: Template, role: str) -> None:
        self._template = template
        self._role = role
        self.name, self._index, self._word = {
            "system": ("system-user", 0, INSTRUCTION),
            "user": ("user", 0, QUESTION),
            "assistant": ("user-assistant-user", 1, ANSWER),
            "developer": ("developer-user", 0, INSTRUCTION),
            "tool": (tool_loop(template), 2, RESULT),
        }[role]

    def _text(self, content: object) -> str | None:
        conversation = with_content(self._template, self.name, self._index, content)
        return self._template.render_conversation(conversation, generation_prompt=True).text

    def whitespace(self) -> str | None:
        """Whether blanks around the text stay."""
        before, after = self._text(PAD + self._word), self._text(self._word + PAD)
        if before is None or after is None or self._word not in before or self._word not in after:
            return None
        kept = PAD + self._word in before, self._word + PAD in after
        sides = {(True, True): "kept", (False, False): "trimmed"}
        return sides.get(kept, f"trimmed on the {'right' if kept[0] else 'left'}")

    def text(self) -> str | None:
        """In which form a text with quotes, angle brackets and a line end stands in the prompt."""
        content = self._word + MARKUP
        prompt = self._text(content)
        if prompt is None or self._word not in prompt:
            return None
        forms = {
            "as it is": (content,),
            "escaped as JSON": (json.dumps(content)[1:-1], json.dumps(content, ensure_ascii=False)[1:-1]),
            "escaped as HTML": (str(escape(content)),),
            "printed as Python": (repr(content)[1:-1],),
        }
        return next((name for name, texts in forms.items() if any(text in prompt for text in texts)), "rewritten")

    def parts(self) -> Outcome:
        """What becomes of the content as a list with one part of text."""
        parts = [{"type": "text", "text": self._word}]
        conversation = with_content(self._template, self.name, self._index, parts)
        return of_parts(self._template.render_conversation(conversation, generation_prompt=True), self._word)

    def without(self, how: str) -> str | None:
        """What becomes of a message whose content is "null", "missing" or "empty"; null as it reaches other engines."""
        if self._role not in ("system", "user", "assistant"):
            return None
        render = self._template.render_conversation(
            canonical()[f"{self._role}-content-{how}"], generation_prompt=True, keep_none=how == "null"
        )
        empty = self._template.render_conversation(canonical()[f"{self._role}-content-empty"], generation_prompt=True)
        if render.text is None or how == "empty":
            found = outcome(render)
            return "accepted" if found.status == "shown" else found.status
        if empty.text is None:
            return None
        if render.text == empty.text:
            return "as empty text"
        return "None is written" if render.text.count("None") > empty.text.count("None") else "otherwise than empty text"
