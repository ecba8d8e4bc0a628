from __future__ import annotations

import json
from collections.abc import Iterator

from tpllint import Bad, Good, Model, Place, Problem, Rule, Severity, Template, View, quoted

FOR_TOOLS = "tool_use"
CHAT = "{% for m in messages %}{{ m.content }}{% endfor %}"
WITH_TOOLS = "{% if tools %}{{ tools | tojson }}{% endif %}" + CHAT


def _named(**templates: str) -> dict[str, str]:
    entries = [{"name": name, "template": source} for name, source in templates.items()]
    return {"tokenizer_config.json": json.dumps({"chat_template": entries})}


class ToolTemplateUnreachable(Rule):
    """A call with tools never gets the template that renders them.

    ## What it does
    Looks at the names of a model's templates. A tokenizer takes `tool_use` for a call with tools, else `default`; a processor
    takes `default` and nothing else. Reported is a template that renders tools while the one that such a call gets
    ignores them: it has another name than `tool_use`, or only a processor loads it.

    ## Why is this bad
    `apply_chat_template(messages, tools=...)` is accepted and the tools are lost, although the model has a template for
    them. Only who knows its name gets it.

    ## References
    - [transformers: chat template storage](https://huggingface.co/docs/transformers/chat_templating_writing)
    - [transformers pull request 31429](https://github.com/huggingface/transformers/pull/31429)
    """

    code = "TPL416"
    name = "tool-template-unreachable"
    category = "tools"
    severity = Severity.WARNING
    examples = (
        Bad(
            files=_named(default=CHAT, tools=WITH_TOOLS),
            says='a call with tools gets the template "default", which ignores them, and never "tools", which renders them',
            better_files=_named(default=CHAT, tool_use=WITH_TOOLS),
        ),
        Good(files=_named(default=CHAT, tool_use=WITH_TOOLS)),
        Good(files=_named(default=WITH_TOOLS, rag=WITH_TOOLS)),
        Good(files=_named(default=CHAT, rag=CHAT)),
    )

    def check_model(self, model: Model) -> Iterator[Problem]:
        told: set[Template] = set()
        for view in model.views:
            chosen = _chosen(view)
            if chosen is None or not view.certain or _renders_tools(chosen):
                continue
            for template in view.templates:
                if template is not chosen and template not in told and _renders_tools(template):
                    told.add(template)
                    yield _problem(view, chosen, template)


def _chosen(view: View) -> Template | None:
    """The template of a call with tools that names none."""
    for_tools = view.template(FOR_TOOLS) if view.loader == "tokenizer" else None
    return for_tools or view.default


def _renders_tools(template: Template) -> bool:
    """Whether it does, or cannot be asked."""
    return template.failure is None and template.anatomy.renders_tools


def _problem(view: View, chosen: Template, template: Template) -> Problem:
    by = "" if view.loader == "tokenizer" else " through the processor"
    return Problem(
        f"a call with tools{by} gets the template {quoted(chosen.name)}, which ignores them, and never "
        f"{quoted(template.name)}, which renders them",
        help="render tools in the default template too"
        if template.name == FOR_TOOLS
        else f"call it {quoted(FOR_TOOLS)}, or render tools in the default template too",
        template=template,
        place=Place(0, 0),
        render=chosen.render("tools-declared", generation_prompt=True),
    )
