"""How a template writes reasoning, and which variables turn it on and off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tpllint.analysis.description.facts import ReasoningDescription
from tpllint.analysis.description.probes import asked, outcome
from tpllint.analysis.reasoning import OPEN_LOOP, Toggle
from tpllint.conversations.words import THOUGHT

if TYPE_CHECKING:
    from tpllint.analysis.template import Template


def reasoning(template: Template) -> ReasoningDescription:
    """Everything about reasoning."""
    opener, closer = template.reasoning.around or (None, None)
    return ReasoningDescription(
        fields=template.reasoning.fields,
        last=asked(template, "reasoning-last", THOUGHT),
        earlier=asked(template, "reasoning-old", THOUGHT),
        in_tool_loop=outcome(template.reasoning.render(OPEN_LOOP, generation_prompt=True), THOUGHT),
        opener=opener,
        closer=closer,
        tags_last=asked(template, "think-tags-last", THOUGHT),
        tags_earlier=asked(template, "think-tags-old", THOUGHT),
        toggles=None if template.syntax is None else tuple(_toggles(template)),
    )


def renders_reasoning(template: Template, known: ReasoningDescription) -> bool | None:
    """Whether reasoning in its field ever reaches the prompt, also with a toggle on; None where the renders fail."""
    found = [known.last, known.earlier, known.in_tool_loop]
    for toggle in known.toggles or ():
        found.append(outcome(template.reasoning.render("reasoning-last", ((toggle.name, True),)), THOUGHT))
    if any(one.works for one in found):
        return True
    lost = any(one.status == "dropped" for one in found) and all(one.status is not None for one in found)
    return False if lost and known.toggles is not None else None


def _toggles(template: Template) -> Iterator[Toggle]:
    return (template.reasoning.toggle(one.name) for one in template.reasoning.controls if one.is_toggle)
