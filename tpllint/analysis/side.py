"""One side of a comparison: what its templates make of every conversation and how they are built, beside what rules say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from tpllint.analysis.examine import Send, every_conversation, examine
from tpllint.analysis.job_templates import checked_templates
from tpllint.analysis.limits import Deadline
from tpllint.analysis.probes import probes_of
from tpllint.analysis.renders import error_text
from tpllint.analysis.template import Template
from tpllint.conversations import Conversation
from tpllint.conversations.variations import Probes, variations
from tpllint.job import Job
from tpllint.rule import Rule


def examine_side(job: Job, rules: Sequence[Rule], send: Send) -> None:
    """Run the rules as `examine` does, and tell the outcomes before what takes the most time.

    The job's selection may ask for the description of each template beside them; with `probes` (of both sides), only the
    user's conversations and those that are made for them are rendered.
    """
    examine(job, rules, send, before_executing=partial(_tell, job.selection, send))
    if "probes" in job.selection:  # while the parent compares; most templates whose sources differ are asked for traces next
        for template in checked_templates(job, Deadline()):
            template.tracing.prepare()


def _tell(selection: Mapping[str, Any], send: Send, templates: Sequence[Template]) -> None:
    """Every conversation, and what others could be made for these templates; or those that are made for some probes alone."""
    for template in templates:
        if (given := selection.get("probes")) is not None:
            made = (*template.own_conversations, *variations(Probes(**given)))
            send(_outcomes(template, made, flags=(False, True)))
            continue
        send(_outcomes(template, every_conversation(template), flags=(False, True)))
        send({"kind": "probes", "template": template.label, **probes_of(template)._asdict()})
        if selection.get("description"):
            send({"kind": "description", **template.description.as_json()})


def _outcomes(template: Template, conversations: Iterable[Conversation], flags: Sequence[bool]) -> dict[str, Any]:
    """Of each conversation and value of the generation prompt: the name, the flag, the prompt or the error, and which limit
    that is, if it is one.
    """
    told = []
    for conversation in conversations:
        for flag in flags:
            render = template.render_conversation(conversation, generation_prompt=flag)
            error = None if render.error is None else error_text(render.error)
            limit = render.error.type if render.error is not None and render.limited else None
            told.append((conversation.name, flag, render.text, error, limit))
    return {"kind": "outcomes", "template": template.label, "outcomes": told}
