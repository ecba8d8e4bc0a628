"""Histories with tool calls, in every form in which clients send them, and what a template makes of each."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tpllint.analysis.renders import Render
from tpllint.conversations import MISSING, Conversation
from tpllint.conversations.words import ARGUMENT

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

AS_JSON, AS_PYTHON = json.dumps({"place": ARGUMENT})[:-1], repr({"place": ARGUMENT})[1:-1]
ENCODED_TWICE = (json.dumps(AS_JSON)[1:-1], f"'{AS_JSON}", f"{{{AS_JSON}")
"""A JSON string written as JSON writes strings, as Python does, and in another pair of braces."""
SHOWN, DOUBLE_ENCODED, PRINTED, DROPPED, REJECTED, FAILS = (
    "shown",
    "double-encoded",
    "printed as Python",
    "dropped",
    "rejected",
    "fails",
)
STATUSES = (SHOWN, DOUBLE_ENCODED, PRINTED, DROPPED, REJECTED, FAILS)
"""What becomes of a call, from the best to the worst."""
READABLE = (SHOWN, DOUBLE_ENCODED, PRINTED)

ARGUMENTS_IN_NAMES = {"object": "", "string": "-string-arguments"}
CONTENTS_IN_NAMES = {"empty": "", "absent": "-missing-content", "null": "-null-content"}
"""How the canonical conversations are called that have a form."""


class Form(NamedTuple):
    """A way of sending an assistant's call: arguments as an "object" or a "string"; content "empty", "absent" or "null"."""

    arguments: str
    content: str

    @property
    def loop(self) -> str:
        """The canonical conversation that has it."""
        return f"tool-loop{ARGUMENTS_IN_NAMES[self.arguments]}{CONTENTS_IN_NAMES[self.content]}"

    @property
    def keeps_none(self) -> bool:
        """Whether null must reach the template, as it does in transformers before 5.23 and in other engines."""
        return self.content == "null"


FORMS = tuple(Form(arguments, content) for content in ("empty", "absent", "null") for arguments in ("object", "string"))
"""The documented form first, and what only other engines pass on last."""


class History(NamedTuple):
    """One history, rendered: one of STATUSES, None where it is undecided, and the word that is missing if one is "dropped"."""

    render: Render
    status: str | None
    lost: str | None = None

    @property
    def works(self) -> bool:
        """Whether every word that was asked for is in the prompt, in whatever notation."""
        return self.status in READABLE


class ToolHistories:
    """What a template makes of calls and their results. One defect has to show in one place: whoever asks for anything else
    than the form itself uses the form that works.
    """

    def __init__(self, template: Template) -> None:
        self._template = template
        self._formed: dict[tuple[str, Form], Conversation] = {}

    @functools.cached_property
    def calls(self) -> Mapping[Form, History]:
        """A call in every form: in a loop with its result or, where that does not render, as the last message, or with nothing
        but text in its arguments."""
        return {form: self._call(form) for form in FORMS}

    def _call(self, form: Form) -> History:
        loop = self.history("tool-loop", ARGUMENT, form=form)
        if loop.render.text is not None:
            return loop
        last = self.history("tool-call", ARGUMENT, form=form)
        if last.render.text is None and form.arguments == "object":
            last = self._call_with_a_word(form)
        return loop if last.render.text is None else last

    def _call_with_a_word(self, form: Form) -> History:
        """A call whose one argument is text: a template that fails on numbers takes objects all the same."""
        conversation = self.conversation("tool-call", form)
        (call,) = conversation.messages[1]["tool_calls"]
        function = {**call["function"], "arguments": {"place": ARGUMENT}}
        worded = conversation.with_message(1, tool_calls=[{**call, "function": function}])
        return _read(self._template.render_conversation(worded, keep_none=form.keeps_none), (ARGUMENT,))

    @functools.cached_property
    def usual(self) -> Form | None:
        """The form of a call that this template renders best; None where it renders none."""
        best = min(FORMS, key=lambda form: _rank(self.calls[form]))
        return best if self.calls[best].works else None

    def best(self, arguments: str) -> History:
        """The best that becomes of arguments as an "object" or a "string", whatever stands beside the call.

        Where none works it is what becomes of them beside the content that the usual form has: that they are to blame is sure.
        """
        found = [self.calls[form] for form in FORMS if form.arguments == arguments]
        usual = Form(arguments, (self.usual or FORMS[0]).content)
        return next((one for one in sorted(found, key=_rank) if one.works), self.calls[usual])

    @functools.cached_property
    def strings_only(self) -> bool:
        """Whether arguments as an object, the documented form, make the template fail, while a JSON string is rendered."""
        return self.best("object").status == FAILS and self.best("string").works

    @property
    def in_use(self) -> bool:
        """Whether the template promises anything about tools: it renders their definitions or calls."""
        return self.usual is not None or self._template.anatomy.renders_tools

    def history(self, name: str, *words: str, form: Form | None = None) -> History:
        """A canonical conversation with tools in a form, by default the usual one, and what became of words in it."""
        form = form or self.usual or FORMS[0]
        conversation = self.conversation(name, form)
        render = self._template.render_conversation(
            conversation,
            generation_prompt=conversation.messages[-1].get("role") != "assistant",
            keep_none=form.keeps_none,
        )
        return _read(render, words)

    def conversation(self, name: str, form: Form | None = None) -> Conversation:
        """A canonical conversation whose calls have a form, by default the usual one; the same object every time."""
        form = form or self.usual or FORMS[0]
        if (name, form) not in self._formed:
            found = self._template.conversation(form.loop if name == "tool-loop" else name)
            if name != "tool-loop" and form != FORMS[0]:
                found = _in_form(found, form)
            self._formed[name, form] = replace(found, tools=None) if self.fails_on_tools else found
        return self._formed[name, form]

    @functools.cached_property
    def fails_on_tools(self) -> bool:
        """Whether declaring a tool is enough to make the template fail or refuse: then calls are asked for without."""
        plain, declared = (self._template.render(name, generation_prompt=True) for name in ("user", "tools-declared"))
        return plain.text is not None and declared.error is not None and declared.error.kind in ("error", "raised")


def _rank(history: History) -> int:
    return len(STATUSES) if history.status is None else STATUSES.index(history.status)


def _read(render: Render, words: tuple[str, ...]) -> History:
    text = render.text
    if text is None:
        kinds = {"raised": REJECTED, "error": FAILS}
        return History(render, kinds.get(render.error.kind) if render.error else None)
    lost = next((word for word in words if word not in text and word.casefold() not in text.casefold()), None)
    if lost is not None:
        return History(render, DROPPED, lost)
    if ARGUMENT in words and any(twice in text for twice in ENCODED_TWICE):
        return History(render, DOUBLE_ENCODED)
    return History(render, PRINTED if ARGUMENT in words and AS_PYTHON in text else SHOWN)


def _in_form(conversation: Conversation, form: Form) -> Conversation:
    return replace(conversation, messages=[_message(message, form) for message in conversation.messages])


def _message(message: Mapping[str, Any], form: Form) -> Mapping[str, Any]:
    if not message.get("tool_calls"):
        return message
    calls = message["tool_calls"]
    if form.arguments == "string":
        calls = [_with_string(call) for call in calls]
    content = message.get("content")
    if form.content != "empty" and content in ("", [{"type": "text", "text": ""}]):
        content = None if form.content == "null" else MISSING
    changed = {**message, "content": content, "tool_calls": calls}
    return {key: value for key, value in changed.items() if value is not MISSING}


def _with_string(call: Mapping[str, Any]) -> Mapping[str, Any]:
    function = call["function"]
    return {**call, "function": {**function, "arguments": json.dumps(function["arguments"])}}
