"""Renders: a conversation through a template, exactly as transformers does it, and what came out."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple

from jinja2 import Template as JinjaTemplate
from jinja2.exceptions import SecurityError

from tpllint.analysis.environment import CLOCK, ChatEnvironment, GeneratedBlock, RaisedByTemplate, clock_at
from tpllint.conversations import Conversation

MAX_OUTPUT_CHARACTERS = 4_000_000
MAX_MESSAGE_CHARACTERS = 10_000
REASONING_FIELDS = ("reasoning_content", "thinking", "reasoning")
RANGE_LIMIT = "Range too big"
"""How the sandbox refuses a range; any other OverflowError is arithmetic."""
NAMES_A_FILTER = re.compile(r"t_\d+")
"""The functions Jinja makes for filters and tests that do not exist; they stand at the top of the code, far from their use."""
SENTINEL_TOKENS = {"bos_token": "<bos-sentinel>", "eos_token": "<eos-sentinel>"}
"""Values no template contains: whatever shows them was written by way of the variable."""
CONTINUE_TAG = "CONTINUE_FINAL_MESSAGE_TAG "


class Inputs(NamedTuple):
    """What a template receives, apart from `add_generation_prompt`."""

    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Any] | None = None
    documents: Sequence[Any] | None = None
    variables: Mapping[str, Any] = {}


class RenderError(NamedTuple):
    """Why a render failed.

    `kind` is "raised" (by the template's own raise_exception), "sandbox", "limit" or "error"; `offset` is the place in the
    normalised source that was being executed, None where nothing tells.
    """

    kind: str
    type: str
    message: str
    offset: int | None


class Recipe(NamedTuple):
    """What a render was asked for: all that it takes to make it again. `continued`: with the final message left open."""

    conversation: Conversation
    generation_prompt: bool = False
    tokens: tuple[tuple[str, str], ...] = ()
    keep_none: bool = False
    continued: bool = False
    clock: datetime.datetime = CLOCK


class Render(NamedTuple):
    """The prompt, or the error; never both.

    `blocks` are the runs of generation blocks; `recipe` is set by whoever keeps the render.
    """

    text: str | None
    error: RenderError | None = None
    blocks: tuple[GeneratedBlock, ...] = ()
    recipe: Recipe | None = None

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """The generation spans as transformers computes them."""
        return tuple((block.start, block.end) for block in self.blocks)

    @property
    def limited(self) -> bool:
        """Whether a bound ended it: then it tells nothing of the template."""
        return self.error is not None and self.error.kind == "limit"


def shown(text: str, shows: str | tuple[int, int] | None) -> tuple[int, int]:
    """Where in a prompt that stands which a rule shows (see `tpllint.Problem`); its end where that is not there."""
    if isinstance(shows, tuple):
        return shows
    found = text.rfind(shows) if shows else -1
    return (len(text), len(text)) if found < 0 else (found, found + len(shows or ""))


class OutputLimit(Exception):
    """The prompt grew past MAX_OUTPUT_CHARACTERS."""


def without_none(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The messages as apply_chat_template passes them on: keys whose value is None are gone (transformers >= 5.23)."""
    return [{key: value for key, value in message.items() if value is not None} for message in messages]


def with_reasoning_aliases(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The messages with `reasoning_content` and `thinking` filled from each other (transformers >= 5.21)."""
    aliased = []
    for message in messages:
        reasoning = next((message[key] for key in REASONING_FIELDS if message.get(key) is not None), None)
        if reasoning is None:
            aliased.append(dict(message))
        else:
            aliased.append({"thinking": reasoning, **message, "reasoning_content": reasoning})
    return aliased


def context_of(
    inputs: Inputs, *, generation_prompt: bool, keep_none: bool = False, clock: datetime.datetime = CLOCK
) -> dict[str, Any]:
    """The variables that a template sees, as `apply_chat_template` passes them, and the clock."""
    messages = inputs.messages if keep_none else without_none(inputs.messages)
    return {
        "strftime_now": clock_at(clock),
        "messages": with_reasoning_aliases(messages),
        "tools": inputs.tools,
        "documents": inputs.documents,
        "add_generation_prompt": generation_prompt,
        **inputs.variables,
    }


def render(
    environment: ChatEnvironment,
    template: JinjaTemplate,
    inputs: Inputs,
    *,
    generation_prompt: bool,
    keep_none: bool = False,
    clock: datetime.datetime = CLOCK,
) -> Render:
    """Render one conversation. With `keep_none`, as engines do that leave `content: null` in place."""
    context = context_of(inputs, generation_prompt=generation_prompt, keep_none=keep_none, clock=clock)
    tag = environment.generation
    written: list[str] = []
    tag.begin(written)
    try:
        text = _run(template, context, written)
        return Render(text, blocks=tuple(tag.blocks))
    except Exception as error:  # whatever a template provokes is data about the template
        return Render(None, _described(template, error))
    finally:
        tag.written = None


def _run(template: JinjaTemplate, context: dict[str, Any], written: list[str]) -> str:
    size = 0
    for piece in template.root_render_func(template.new_context(context)):
        written.append(piece)
        size += len(piece)
        if size > MAX_OUTPUT_CHARACTERS:
            raise OutputLimit(f"the prompt is longer than {MAX_OUTPUT_CHARACTERS} characters")
    return "".join(written)


def _described(template: JinjaTemplate, error: Exception) -> RenderError:
    return RenderError(_kind(error), type(error).__name__, _words(error), _offset(template, error.__traceback__))


def _words(error: Exception) -> str:
    try:
        return str(error)[:MAX_MESSAGE_CHARACTERS]
    except Exception:  # a template chooses what it raises, such as a list nested too deep to be shown
        return "a message that cannot be shown"


def _kind(error: Exception) -> str:
    if isinstance(error, RaisedByTemplate):
        return "raised"
    if isinstance(error, SecurityError):
        return "sandbox"
    if isinstance(error, MemoryError | RecursionError | OutputLimit) or _words(error).startswith(RANGE_LIMIT):
        return "limit"
    return "error"


def _offset(template: JinjaTemplate, traceback: TracebackType | None) -> int | None:
    """Where the template was when it failed: its innermost frame, whose debug information holds offsets."""
    offset = None
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_globals.get("__jinja_template__") is template and not NAMES_A_FILTER.fullmatch(frame.f_code.co_name):
            offset = template.get_corresponding_lineno(traceback.tb_lineno) - 1
        traceback = traceback.tb_next
    return offset


class Tagged(NamedTuple):
    """A conversation whose last text ends with CONTINUE_TAG, and that text without it."""

    inputs: Inputs
    final: str


def continue_final_message(environment: ChatEnvironment, template: JinjaTemplate, source: str, inputs: Inputs) -> Render:
    """Render with the last message left open, as `continue_final_message=True` does (transformers >= 4.57)."""
    opened = tagged(inputs)
    if isinstance(opened, str):
        return _refused(opened)
    if "content" not in source:
        return _refused("continue_final_message is set but the template never reads a message's content")
    result = render(environment, template, opened.inputs, generation_prompt=False)
    return result if result.text is None else _cut(result.text, opened.final)


def tagged(inputs: Inputs) -> Tagged | str:
    """The conversation that `continue_final_message` renders, or why it renders none."""
    messages = [dict(message) for message in with_reasoning_aliases(without_none(inputs.messages))]
    content = messages[-1].get("content") if messages else None
    if content is None:
        return "continue_final_message is set but the final message has no content to continue"
    opened = _left_open(content)
    if opened is None:
        return "continue_final_message is set but the final message has no text to continue"
    messages[-1]["content"], final = opened
    return Tagged(Inputs(messages, inputs.tools, inputs.documents, inputs.variables), final)


def _refused(message: str) -> Render:
    return Render(None, RenderError("error", "ValueError", message, None))


def _left_open(content: Any) -> tuple[Any, str] | None:
    """The content with the tag behind its last text, and that text; None where transformers raises for want of one."""
    if isinstance(content, str):
        return content + CONTINUE_TAG, content
    if not isinstance(content, list):
        return None
    for index in reversed(range(len(content))):
        part = content[index]
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            tagged = {**part, "text": part["text"] + CONTINUE_TAG}
            return [*content[:index], tagged, *content[index + 1 :]], part["text"]
        if not isinstance(part, dict | list | str) or "text" in part:
            return None
    return None


def _cut(text: str, final: str) -> Render:
    tag = CONTINUE_TAG.strip()
    if final.strip() not in text or tag not in text:
        return _refused("continue_final_message is set but the final message does not appear in the prompt")
    at = text.rindex(tag)
    kept = text[:at] if text[at : at + len(CONTINUE_TAG)] == CONTINUE_TAG else text[:at].rstrip()
    return Render(kept)


def error_text(error: RenderError) -> str:
    """The error as one sentence: a refusal in the template's own words, anything else after the name of its type."""
    return error.message if error.type == "RaisedByTemplate" else f"{error.type}: {error.message}"
