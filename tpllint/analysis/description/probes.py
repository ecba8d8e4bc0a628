"""Questions put to a template: what becomes of a text in a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tpllint.analysis.description.facts import UNDECIDED, Outcome
from tpllint.analysis.renders import Render, error_text
from tpllint.conversations import TOOL_LOOPS, Conversation
from tpllint.markers import PRINTED_AS_JSON, PRINTED_AS_PYTHON

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

PRINTED = {"printed as Python": PRINTED_AS_PYTHON, "printed as JSON": PRINTED_AS_JSON}


def tool_loop(template: Template) -> str:
    """The canonical tool loop in the form that this template renders; where none does, one that a bound ended."""
    shown = next((name for name in TOOL_LOOPS if template.render(name).text is not None), None)
    return shown or next((name for name in TOOL_LOOPS if template.render(name).limited), TOOL_LOOPS[0])


def outcome(render: Render, *words: str) -> Outcome:
    """What became of the words of a conversation, all of them."""
    if render.text is None:
        return failed(render)
    if all(word.casefold() in render.text.casefold() for word in words):
        return Outcome("shown")
    return Outcome("dropped")


def failed(render: Render) -> Outcome:
    """Why there is no prompt. Bounds and the sandbox are no answer of the template's."""
    if render.error is None or render.error.kind not in ("raised", "error"):
        return UNDECIDED
    return Outcome("rejected" if render.error.kind == "raised" else "fails", error_text(render.error))


def asked(template: Template, name: str, *words: str) -> Outcome:
    """What becomes of words of a canonical conversation."""
    conversation = template.conversation(name)
    ends_open = bool(conversation.messages) and conversation.messages[-1].get("role") != "assistant"
    return outcome(template.render_conversation(conversation, generation_prompt=ends_open), *words)


def with_content(template: Template, name: str, index: int, content: object) -> Conversation:
    """A canonical conversation with another content in one message; text in the form that the template reads."""
    base = template.conversation(name)
    in_parts = isinstance(base.messages[index].get("content"), list) and isinstance(content, str)
    return base.with_message(index, content=[{"type": "text", "text": content}] if in_parts else content)


def of_parts(render: Render, word: str) -> Outcome:
    """What becomes of content given as a list of parts."""
    for status, pattern in PRINTED.items():
        if render.text is not None and word in render.text and pattern.search(render.text):
            return Outcome(status)
    return outcome(render, word)
