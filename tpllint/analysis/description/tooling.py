"""How a template declares tools, and writes calls and their results."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from tpllint.analysis.description.facts import UNDECIDED, Outcome, ToolsDescription
from tpllint.analysis.description.probes import asked, failed
from tpllint.analysis.description.turns import Turns
from tpllint.analysis.payloads import CALL_FORMATS
from tpllint.analysis.tool_histories import PRINTED, SHOWN, History
from tpllint.conversations.words import (
    ANSWER,
    ARGUMENT,
    CALL_ID,
    INSTRUCTION,
    QUESTION,
    REMARK,
    RESULT,
    SECOND_ARGUMENT,
    SECOND_QUESTION,
    SECOND_RESULT,
    TOOL,
)
from tpllint.markers import common_prefix, common_suffix

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

DEFINITION_FORMATS = {
    "JSON": re.compile(rf'"name": ?"{TOOL}"'),
    "a Python dictionary": re.compile(rf"'name': ?'{TOOL}'"),
    "XML": re.compile(rf"<(?:\w+:)?(?:tool_)?name>\s*{TOOL}|<\w+ name=[\"']{TOOL}[\"']"),
    "a signature": re.compile(rf"\b(?:def|type|function) {TOOL}\b|{TOOL}\("),
}


def tools(template: Template, turns: Turns) -> ToolsDescription:
    """Everything about tools."""
    definitions = asked(template, "tools-declared", TOOL)
    known = ToolsDescription(definitions=definitions)
    if definitions.status == "shown":
        declared = template.render("tools-declared", generation_prompt=True).text or ""
        known = replace(known, where=_where(template, turns), definitions_as=_format(declared, DEFINITION_FORMATS))
    return _with_results(_with_calls(known, template, turns), template)


def _format(text: str, formats: dict[str, re.Pattern[str]]) -> str | None:
    return next((name for name, pattern in formats.items() if pattern.search(text)), None)


def _where(template: Template, turns: Turns) -> str | None:
    """In which turn the definitions stand when a system message is given; None where that does not render."""
    text = template.render("tools-declared-with-system", generation_prompt=True).text
    if text is None or any(text.count(word) != 1 for word in (INSTRUCTION, QUESTION)) or TOOL not in text:
        return None if turns.system_outcome.works else _beside_the_user(template, turns)
    at, system, user = (text.index(word) for word in (TOOL, INSTRUCTION, QUESTION))
    if at > user:
        return "after the user's text"
    if at < system:
        opener = (turns.system_opener or "").strip()
        return "in the system turn, before its text" if opener and opener in text[:at] else "before the system text"
    between = text[system:at]
    if _has(between, turns.user_opener):
        return _beside_the_user(template, turns)
    return "in a turn of their own" if _has(between, turns.system_closer) else "in the system turn, after its text"


def _has(text: str, piece: str | None) -> bool:
    return bool(piece) and piece is not None and piece.strip() != "" and piece.strip() in text


def _beside_the_user(template: Template, turns: Turns) -> str | None:
    """With which user message the definitions stand in a longer chat."""
    tools = template.conversation("tools-declared").tools
    longer = replace(template.conversation("user-assistant-user"), tools=tools)
    text = template.render_conversation(longer, generation_prompt=True).text
    if text is None or TOOL not in text or ANSWER not in text or SECOND_QUESTION not in text:
        return None
    which = "last" if text.index(TOOL) > text.index(ANSWER) else "first"
    before = text[: text.index(TOOL)] if which == "first" else text[text.index(ANSWER) : text.index(TOOL)]
    return f"{'in' if _has(before, turns.user_opener) else 'before'} the {which} user turn, before its text"


def _with_calls(known: ToolsDescription, template: Template, turns: Turns) -> ToolsDescription:
    histories = template.tool_histories
    objects, texts = (_outcome(histories.best(arguments)) for arguments in ("object", "string"))
    calls = objects if objects.works or not texts.works else texts
    call = _call(template, turns)
    return replace(
        known,
        calls=calls,
        object_arguments=objects,
        string_arguments=_string_arguments(template),
        call=call,
        calls_as=_format(call or "", CALL_FORMATS) if calls.works else None,
        text_beside_a_call=_outcome(histories.history("tool-loop-text-beside-call", REMARK)) if calls.works else UNDECIDED,
        parallel_calls=_outcome(histories.history("two-calls", ARGUMENT, SECOND_ARGUMENT))
        if calls.works is not None
        else calls,
        ids_in_calls=_ids_in_calls(template) if calls.works else None,
    )


def _outcome(history: History) -> Outcome:
    """What becomes of a call or a result; in whatever notation it is shown."""
    return Outcome("shown") if history.works else failed(history.render) if history.render.text is None else Outcome("dropped")


def _string_arguments(template: Template) -> str | None:
    histories = template.tool_histories
    found = histories.best("string")
    if found.status not in (SHOWN, PRINTED):
        return found.status
    prompt, like = found.render.text or "", histories.best("object")
    as_given = prompt == like.render.text or f'{{"place": "{ARGUMENT}", "days": 3}}' in prompt
    return "as given" if as_given else "rewritten"


def _call(template: Template, turns: Turns) -> str | None:
    """A turn with one call, less what opens and closes every answer."""
    text = template.tool_histories.history("tool-call").render.text
    opening = template.anatomy.past_assistant_opening
    if text is None or opening is None or QUESTION not in text or ARGUMENT not in text:
        return None
    turn = text.rpartition(QUESTION)[2]
    turn = turn[max(common_prefix(turn, known) for known in (opening, template.anatomy.assistant_opening or "")) :]
    end = template.anatomy.assistant_end or turns.assistant_closer or ""
    turn = turn[: len(turn) - common_suffix(turn, end)]
    return turn if ARGUMENT in turn else None


def _ids_in_calls(template: Template) -> bool | None:
    text = template.tool_histories.history("tool-call").render.text
    return None if text is None else CALL_ID in text


def _with_results(known: ToolsDescription, template: Template) -> ToolsDescription:
    histories = template.tool_histories
    loop = histories.history("tool-loop", RESULT)
    results, text = _outcome(loop), loop.render.text
    if text is None:
        alone = asked(template, "tool-result-without-call", RESULT)
        same = results.status is not None and results.message == known.calls.message
        return replace(known, results=alone if same else results)
    call = histories.history("tool-call").render.text
    return replace(
        known,
        results=results,
        parallel_results=_outcome(histories.history("two-calls-loop", RESULT, SECOND_RESULT)),
        ids_in_results=None if call is None else text.count(CALL_ID) > call.count(CALL_ID),
    )
