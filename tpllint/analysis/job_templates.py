"""The templates of a job, made from their sources, or kept from the job before where that was about the same ones."""

from __future__ import annotations

from collections.abc import Iterator

from tpllint.analysis.limits import Deadline
from tpllint.analysis.template import Template
from tpllint.analysis.tokenizer import Tokenizer
from tpllint.conversations import from_json
from tpllint.job import Job
from tpllint.portability import required

PROCESSOR = "processor"

_kept: list[tuple[Job, tuple[Template, ...]]] = []
"""The last job and its templates. A worker serves one origin alone, and what is kept is parsed, compiled and rendered."""


def templates_of(job: Job, deadline: Deadline) -> tuple[Template, ...]:
    """The templates of a job, and of those that no loader takes.

    One that has no rules to run, such as a second question of a comparison, finds those of the job before as that left them.
    """
    about = _about(job)
    if not job.rules and _kept and _kept[0][0] == about:
        own = tuple(from_json(data["name"], data["data"]) for data in job.conversations)
        for template in _kept[0][1]:
            template.serve_again(deadline, own)
        return _kept[0][1]
    templates = tuple(_made(job, deadline))
    _kept[:] = [(about, templates)]
    return templates


def _about(job: Job) -> Job:
    """A job without what may differ where its templates are the same."""
    return job._replace(want="", selection={}, rules=(), quiet=(), conversations=())


def checked_templates(job: Job, deadline: Deadline) -> tuple[Template, ...]:
    """The templates of a job that are its target's, without what no loader takes."""
    every = zip(templates_of(job, deadline), job.templates, strict=True)
    return tuple(template for template, variant in every if variant.checked)


def _made(job: Job, deadline: Deadline) -> Iterator[Template]:
    own = tuple(from_json(data["name"], data["data"]) for data in job.conversations)
    tokenizer = Tokenizer(job.vocabulary, job.token_ids, job.token_spans, job.responses)
    for index, variant in enumerate(job.templates):
        yield Template(
            variant.name,
            variant.source,
            job.tokens,
            label=variant.label,
            file=variant.file,
            for_processor=_is_for_processor(job, index),
            tokens_known=job.tokens_known,
            absent_tokens=job.absent_tokens,
            own_conversations=own,
            variables=job.variables,
            expected=job.expect,
            tokenizer=tokenizer,
            deadline=deadline,
            requirements=required(job.requires),
            carriage_returns=variant.carriage_returns,
            lone_carriage_return=variant.lone_carriage_return,
            locked=(job.locked or {}).get(variant.label),
            generated=(job.generated or {}).get(variant.label),
        )


def _is_for_processor(job: Job, index: int) -> bool:
    """Whether the model certainly has a processor with a template, or nothing but a processor has this one."""
    certain = any(view.loader == PROCESSOR and view.certain and view.templates for view in job.views)
    return certain or {view.loader for view in job.views if index in view.templates} == {PROCESSOR}
