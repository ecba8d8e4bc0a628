"""How a template declares tools, and writes calls and their results."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from tpllint.analysis.description.facts import UNDECIDED, Outcome, ToolsDescription
from tpllint.analysis.description.probes import asked, outcome, tool_loop
from tpllint.analysis.description.turns import ANSWER, CALL_ID, NEXT, RESULT, SYSTEM, TOOL, USER, Turns
from tpllint.analysis.markers import common_prefix, common_suffix
from tpllint.analysis.payloads import CALL_FORMATS
from tpllint.analysis.renders import Render

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

ARGUMENT, SECOND_ARGUMENT, SECOND_RESULT, REMARK = "harbour-jasper", "letter-onyx", "result-pearl", "remark-marble"
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
    if text is None or any(text.count(word) != 1 for word in (SYSTEM, USER)) or TOOL not in text:
        return None if turns.system_outcome.works else _beside_the_user(template, turns)
    at, system, user = (text.index(word) for word in (TOOL, SYSTEM, USER))
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
    if text is None or TOOL not in text or ANSWER not in text or NEXT not in text:
        return None
    which = "last" if text.index(TOOL) > text.index(ANSWER) else "first"
    before = text[: text.index(TOOL)] if which == "first" else text[text.index(ANSWER) : text.index(TOOL)]
    return f"{'in' if _has(before, turns.user_opener) else 'before'} the {which} user turn, before its text"


def _with_calls(known: ToolsDescription, template: Template, turns: Turns) -> ToolsDescription:
    objects, texts = asked(template, "tool-call", ARGUMENT), outcome(_with_string_arguments(template), ARGUMENT)
    calls = objects if objects.works or texts.works is False else texts
    return replace(
        known,
        calls=calls,
        object_arguments=objects,
        string_arguments=_string_arguments(template, objects, texts),
        call=_call(template, turns),
        calls_as=_format(_call(template, turns) or "", CALL_FORMATS) if calls.works else None,
        text_beside_a_call=asked(template, "tool-loop-text-beside-call", REMARK) if calls.works else UNDECIDED,
        parallel_calls=asked(template, "two-calls", ARGUMENT, SECOND_ARGUMENT) if objects.works else _as(objects, calls),
        ids_in_calls=_ids_in_calls(template) if objects.works else None,
    )


def _with_string_arguments(template: Template) -> Render:
    """A call at the end of a conversation, its arguments in the form in which servers receive them."""
    loop = template.conversation("tool-loop-string-arguments")
    return template.render_conversation(replace(loop, messages=loop.messages[:2]))


def _as(objects: Outcome, calls: Outcome) -> Outcome:
    """Without calls there are no parallel ones; where only string arguments work nothing was asked."""
    return objects if calls.works is False else UNDECIDED


def _string_arguments(template: Template, objects: Outcome, texts: Outcome) -> str | None:
    if texts.status != "shown":
        return texts.status
    prompt = _with_string_arguments(template).text or ""
    if json.dumps('"place"')[1:-1] in prompt or '\'{"place"' in prompt:
        return "double-encoded"
    if objects.works and prompt == template.render("tool-call").text:
        return "as given"
    return "as given" if '{"place": "harbour-jasper", "days": 3}' in prompt else "rewritten"


def _call(template: Template, turns: Turns) -> str | None:
    """A turn with one call, less what opens and closes every answer."""
    text = template.render("tool-call").text
    opening = template.anatomy.past_assistant_opening
    if text is None or opening is None or USER not in text or ARGUMENT not in text:
        return None
    turn = text.rpartition(USER)[2]
    turn = turn[max(common_prefix(turn, known) for known in (opening, template.anatomy.assistant_opening or "")) :]
    end = template.anatomy.assistant_end or turns.assistant_closer or ""
    turn = turn[: len(turn) - common_suffix(turn, end)]
    return turn if ARGUMENT in turn else None


def _ids_in_calls(template: Template) -> bool | None:
    text = template.render("tool-call").text
    return None if text is None else CALL_ID in text


def _with_results(known: ToolsDescription, template: Template) -> ToolsDescription:
    loop, results = template.render(tool_loop(template)), asked(template, tool_loop(template), RESULT)
    if loop.text is None:
        alone = asked(template, "tool-result-without-call", RESULT)
        same = results.status is not None and results.message == known.calls.message
        return replace(known, results=alone if same else results)
    call = template.render("tool-call").text
    return replace(
        known,
        results=results,
        parallel_results=asked(template, "two-calls-loop", RESULT, SECOND_RESULT),
        ids_in_results=None if call is None else loop.text.count(CALL_ID) > call.count(CALL_ID),
    )
