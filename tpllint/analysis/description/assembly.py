"""Puts together what `describe` tells of a template."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from jinja2 import nodes

from tpllint.analysis.description import variables as inputs
from tpllint.analysis.description.content import Content
from tpllint.analysis.description.engines import engines
from tpllint.analysis.description.facts import UNDECIDED, Description, Outcome, RoleDescription
from tpllint.analysis.description.probes import asked, failed, of_parts, tool_loop
from tpllint.analysis.description.thinking import reasoning, renders_reasoning
from tpllint.analysis.description.tooling import tools
from tpllint.analysis.description.turns import Turns, in_place
from tpllint.conversations.words import ANSWER, INSTRUCTION, QUESTION, RESULT, SECOND_ANSWER, SECOND_QUESTION

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

OTHER = "other"
"""Any role that no template knows."""


def describe(template: Template) -> Description:
    """The anatomy of a template. Where a plain chat does not render, only what its source tells."""
    if template.undecided is not None:
        return _from_source(Description(template.label, template.undecided), template)
    turns = Turns(template)
    known = Description(
        template=template.label,
        undecided=None,
        beginning=turns.beginning,
        terminator=turns.terminator,
        separator=turns.separator,
        generation_prompt=template.anatomy.generation_prompt,
        default_system=turns.default_system,
        injected=turns.injected,
        roles=_roles(template, turns),
        orders=_orders(template, turns),
        tools=tools(template, turns),
        continue_final_message=_continued(template),
    )
    known = _with_images(_from_source(known, template), template)
    known = replace(known, reasoning=reasoning(template))
    return replace(known, capabilities=_capabilities(known, template))


def _from_source(known: Description, template: Template) -> Description:
    return replace(
        known,
        generation_markers=_marks_generation(template),
        variables=inputs.variables(template),
        special_tokens=inputs.special_tokens(template),
        engines=engines(template),
    )


def _marks_generation(template: Template) -> bool | None:
    if template.syntax is None:
        return None
    calls = (block.call.node for block in template.syntax.find("CallBlock"))
    return any(isinstance(called, nodes.ExtensionAttribute) for called in calls)


def _roles(template: Template, turns: Turns) -> tuple[RoleDescription, ...]:
    user = RoleDescription("user", asked(template, "user", QUESTION), turns.user_opener, turns.user_closer)
    system = RoleDescription("system", turns.system_outcome)
    if system.outcome.works:
        system = replace(system, opener=turns.system_opener, closer=turns.system_closer)
    developer = RoleDescription("developer", asked(template, "developer-user", INSTRUCTION))
    if developer.outcome.works:
        developer = replace(developer, opener=turns.developer_opener, closer=turns.developer_closer)
    tool = RoleDescription("tool", asked(template, tool_loop(template), RESULT))
    if tool.outcome.works:
        tool = replace(tool, opener=turns.tool_opener, closer=turns.tool_closer)
    other = RoleDescription(OTHER, asked(template, "unknown-role", "note-heather"))
    if other.outcome.works:
        other = replace(other, opener=turns.other_opener, closer=turns.other_closer)
    roles = (system, user, _assistant(template, turns), tool, developer)
    return (*(_with_content(role, template) for role in roles), other)


def _assistant(template: Template, turns: Turns) -> RoleDescription:
    opener, closer = turns.assistant_opener, turns.assistant_closer
    last, end = turns.last_assistant_opener, template.anatomy.assistant_end
    return RoleDescription(
        "assistant",
        asked(template, "user-assistant-user", ANSWER),
        opener,
        closer,
        last_opener=last if last != opener else None,
        last_closer=end if end != closer else None,
    )


def _with_content(role: RoleDescription, template: Template) -> RoleDescription:
    content = Content(template, role.role)
    if role.outcome.status is None:
        return role
    if not role.outcome.works:
        return role
    return replace(
        role,
        whitespace=content.whitespace(),
        text=content.text(),
        parts=content.parts(),
        null=content.without("null"),
        missing=content.without("missing"),
        empty=content.without("empty"),
    )


def _orders(template: Template, turns: Turns) -> dict[str, Outcome]:
    """What becomes of messages in an order that many templates do not expect."""
    return {
        "system in the middle": _system_in_the_middle(template) if turns.system_outcome.works else UNDECIDED,
        "two systems": _when(turns.system_outcome, asked(template, "system-twice", INSTRUCTION, "instruction-grove")),
        "system alone": _when(turns.system_outcome, asked(template, "system-only", INSTRUCTION)),
        "two users in a row": _in_a_row(template, turns),
        "two answers in a row": asked(template, "two-assistants-in-a-row", ANSWER, SECOND_ANSWER),
        "answer first": asked(template, "assistant-first", ANSWER),
        "result without a call": asked(template, "tool-result-without-call", RESULT),
        "no message": asked(template, "empty"),
    }


def _when(condition: Outcome, found: Outcome) -> Outcome:
    return found if condition.works else UNDECIDED


def _system_in_the_middle(template: Template) -> Outcome:
    found = asked(template, "system-in-the-middle", INSTRUCTION)
    text = template.render("system-in-the-middle", generation_prompt=True).text
    if found.status != "shown" or in_place(text, QUESTION, ANSWER, INSTRUCTION, SECOND_QUESTION):
        return found
    to_the_front = in_place(text, INSTRUCTION, QUESTION)
    return Outcome("moved", "to the front" if to_the_front else "elsewhere")


def _in_a_row(template: Template, turns: Turns) -> Outcome:
    found = asked(template, "two-users-in-a-row", QUESTION, SECOND_QUESTION)
    between, opener = turns.gap("two-users-in-a-row", 1), (turns.user_opener or "").strip()
    if found.status == "shown" and between is not None and opener and opener not in between:
        return Outcome("merged", "into one turn")
    return found


def _continued(template: Template) -> Outcome:
    render = template.continued(template.conversation("user-assistant"))
    if render.text is None:
        return failed(render)
    return Outcome("shown" if render.text.endswith(ANSWER) else "dropped")


def _with_images(known: Description, template: Template) -> Description:
    """Whether an image leaves a placeholder, and which."""
    shown, plain = (
        template.render("image-and-text", generation_prompt=True),
        template.render("user-parts", generation_prompt=True),
    )
    found = of_parts(shown, QUESTION) if not plain.limited else UNDECIDED
    if found.status != "shown" or shown.text is None or plain.text is None:
        return replace(known, images=found)
    before, longer = plain.text.partition(QUESTION)[0], shown.text.partition(QUESTION)[0]
    shared = next((at for at, pair in enumerate(zip(before, longer, strict=False)) if pair[0] != pair[1]), len(before))
    added = longer[shared : len(longer) - len(before) + shared]
    if not added.strip():
        return replace(known, images=Outcome("dropped"))
    return replace(known, images=found, image=added)


def _capabilities(known: Description, template: Template) -> dict[str, bool | None]:
    told = known.tools
    return {
        "system": known.role("system").outcome.works,
        "developer": known.role("developer").outcome.works,
        "tools": told.definitions.works,
        "tool-calls": told.calls.works,
        "tool-results": told.results.works,
        "parallel-calls": told.parallel_calls.works,
        "reasoning": renders_reasoning(template, known.reasoning),
        "thinking-toggle": _has_toggle(known),
        "generation-prompt": _prompts(template),
        "generation-markers": known.generation_markers,
        "images": known.images.works,
        "parts": known.role("user").parts.works,
    }


def _has_toggle(known: Description) -> bool | None:
    toggles = known.reasoning.toggles
    if toggles is None or any(toggle.unset is None for toggle in toggles):
        return None
    return any(toggle.acts_on for toggle in toggles)


def _prompts(template: Template) -> bool | None:
    """Whether a prompt ends so that an answer can follow; the history's own header counts where none is written."""
    if template.anatomy.generation_prompt is None:
        return None
    return bool(template.anatomy.generation_prompt) or template.anatomy.prompt_fits_history
