"""How a template writes reasoning, and which variables turn it on and off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from tpllint.analysis.anatomy import REASONING
from tpllint.analysis.description.facts import Outcome, ReasoningDescription, Toggle, Variable
from tpllint.analysis.description.probes import asked, outcome
from tpllint.analysis.description.turns import ANSWER, USER
from tpllint.analysis.markers import THINKING, before_thinking, common_prefix, gaps
from tpllint.analysis.renders import REASONING_FIELDS

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

THOUGHT, SECOND_THOUGHT = "thought-russet", "thought-slate"
ASKED = {"generation prompt": ("user", True), "history": ("reasoning-old", False)}


def reasoning(template: Template, variables: Iterable[Variable] | None) -> ReasoningDescription:
    """Everything about reasoning."""
    opener, closer = _tags(template)
    return ReasoningDescription(
        fields=_fields(template),
        last=asked(template, "reasoning-last", THOUGHT),
        earlier=asked(template, "reasoning-old", THOUGHT),
        in_tool_loop=_in_tool_loop(template),
        opener=opener,
        closer=closer,
        tags_last=asked(template, "think-tags-last", THOUGHT),
        tags_earlier=asked(template, "think-tags-old", THOUGHT),
        toggles=None if variables is None else tuple(_toggles(template, variables)),
    )


def _in_tool_loop(template: Template) -> Outcome:
    """What becomes of the reasoning before a call whose result waits for an answer."""
    loop = template.conversation("reasoning-in-tool-loop")
    waiting = replace(loop, messages=loop.messages[:-1])
    return outcome(template.render_conversation(waiting, generation_prompt=True), THOUGHT)


def renders_reasoning(template: Template, known: ReasoningDescription) -> bool | None:
    """Whether reasoning in its field ever reaches the prompt, also with a toggle on; None where the renders fail."""
    found = [known.last, known.earlier, known.in_tool_loop]
    for toggle in known.toggles or ():
        conversation = template.conversation("reasoning-last").with_variables(**{toggle.name: True})
        found.append(outcome(template.render_conversation(conversation), THOUGHT))
    if any(one.works for one in found):
        return True
    lost = any(one.status == "dropped" for one in found) and all(one.status is not None for one in found)
    return False if lost and known.toggles is not None else None


def _fields(template: Template) -> tuple[str, ...]:
    """The reasoning fields that the source names."""
    if template.syntax is None:
        return ()
    named = {node.attr for node in template.syntax.find("Getattr")}
    named |= {node.value for node in template.syntax.find("Const") if isinstance(node.value, str)}
    return tuple(name for name in REASONING_FIELDS if name in named)


def _tags(template: Template) -> tuple[str | None, str | None]:
    """What stands around the reasoning of a final answer."""
    text = template.render("reasoning-last").text
    found = None if text is None else gaps(text, (USER, THOUGHT, ANSWER))
    opening = template.anatomy.assistant_opening
    if found is None or opening is None:
        return None, None
    header = (template.anatomy.user_end or "") + before_thinking(template.anatomy.generation_prompt or "")
    if header and found[1].startswith(header):
        return found[1][len(header) :], found[2]
    header = before_thinking(opening)
    return found[1][common_prefix(found[1], header) :], found[2]


def _toggles(template: Template, variables: Iterable[Variable]) -> Iterator[Toggle]:
    for variable in variables:
        literals = (*variable.values, *([variable.default] if variable.default else []))
        if REASONING.search(variable.name) and all(literal in ("true", "false", "none") for literal in literals):
            yield _toggle(template, variable.name)


def _toggle(template: Template, name: str) -> Toggle:
    """What a variable does, asked of a chat that waits for an answer and of one with reasoning in its history."""
    toggle = Toggle(name, "either")
    unset: set[str | None] = set()
    for where, (conversation, flag) in ASKED.items():
        on, off, none = (_prompt(template, conversation, flag, name, value) for value in (True, False, None))
        if on is None or off is None or none is None:
            return Toggle(name, None)
        if len({on, off, none}) == 1:
            continue
        unset.add("true" if none == on else "false" if none == off else "neither")
        if not flag:
            toggle = replace(toggle, acts_on=(*toggle.acts_on, where))
            continue
        if on.partition(USER)[0] != off.partition(USER)[0]:
            toggle = replace(toggle, acts_on=(*toggle.acts_on, "beginning"))
        on, off = on.partition(USER)[2], off.partition(USER)[2]
        if on != off:
            same = _where_they_part(on, off)
            toggle = replace(toggle, acts_on=(*toggle.acts_on, where), on=on[same:], off=off[same:])
    return replace(toggle, unset=unset.pop() if len(unset) == 1 else "neither" if unset else "either")


def _prompt(template: Template, name: str, flag: bool, variable: str, value: bool | None) -> str | None:
    conversation = template.conversation(name)
    if value is not None:
        conversation = conversation.with_variables(**{variable: value})
    return template.render_conversation(conversation, generation_prompt=flag).text


def _where_they_part(left: str, right: str) -> int:
    """The offset at which two prompts part, moved back to the beginning of a thinking marker both have there."""
    same = common_prefix(left, right)
    opened = max((found.start() for found in THINKING.finditer(left) if found.start() < same), default=same)
    return opened if left[opened:same].strip() else same
