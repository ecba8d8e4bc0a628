"""One side of a comparison: what its templates make of every conversation and how they are built, beside what rules say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from tpllint.analysis.examine import Send, every_conversation, examine
from tpllint.analysis.renders import error_text
from tpllint.analysis.template import Template
from tpllint.job import Job
from tpllint.rule import Rule


def examine_side(job: Job, rules: Sequence[Rule], send: Send) -> None:
    """Run the rules as `examine` does, and tell the outcomes before what takes the most time.

    The job's selection may ask for the description of each template beside them.
    """
    examine(job, rules, send, before_executing=partial(_tell, job.selection, send))


def _tell(selection: Mapping[str, Any], send: Send, templates: Sequence[Template]) -> None:
    for template in templates:
        send({"kind": "outcomes", "template": template.label, "outcomes": list(_outcomes(template))})
        if selection.get("description"):
            send({"kind": "description", **template.description.as_json()})


def _outcomes(template: Template) -> Iterator[tuple[str, bool, str | None, str | None, bool]]:
    """Each conversation without and with generation prompt: its name, the flag, the prompt or the error, and whether that is a
    limit's, which says nothing about the template.
    """
    for conversation in every_conversation(template):
        for flag in (False, True):
            render = template.render_conversation(conversation, generation_prompt=flag)
            error = None if render.error is None else error_text(render.error)
            yield conversation.name, flag, render.text, error, render.limited
