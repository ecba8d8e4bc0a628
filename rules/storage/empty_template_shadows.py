from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Model, Place, Problem, Rule, Severity, Template, quoted

CHAT = "{% for m in messages %}{{ m.content }}{% endfor %}"
CONFIG = '{"chat_template": "' + CHAT + '"}'


class EmptyTemplateShadows(Rule):
    """A template that is loaded is empty.

    ## What it does
    Looks for templates that a tokenizer or a processor loads and that hold nothing but white space. An empty
    `chat_template.jinja` wins over a good template in `tokenizer_config.json`.

    ## Why is this bad
    The tokenizer renders an empty prompt for every conversation and says nothing: worse than having no template, which raises.

    ## References
    - [transformers: chat template storage](https://huggingface.co/docs/transformers/chat_templating_writing)
    """

    code = "TPL009"
    name = "empty-template-shadows"
    category = "storage"
    severity = Severity.ERROR
    static = True
    examples = (
        Bad(
            "",
            files={"tokenizer_config.json": CONFIG},
            says="chat_template.jinja is empty and wins over the template in tokenizer_config.json: every prompt is empty",
            better_files={"tokenizer_config.json": CONFIG},
        ),
        Bad(
            files={"tokenizer_config.json": '{"chat_template": " \\n"}'},
            says="the template in tokenizer_config.json is empty: every prompt is empty",
            better_files={"tokenizer_config.json": CONFIG},
        ),
        Good(CHAT, files={"tokenizer_config.json": '{"chat_template": ""}'}),
    )

    def check_model(self, model: Model) -> Iterator[Problem]:
        for template in model.templates:
            if not template.text.strip():
                yield Problem(
                    f"{_empty(template, model)}: {_consequence(template, model)}",
                    help=f"delete {'it' if _is_file(template) else 'the entry'}, or write the template there",
                    template=template,
                    place=Place(0, 0),
                )


def _empty(template: Template, model: Model) -> str:
    named = "" if template.name == "default" else f"{quoted(template.name)} "
    subject = template.file if _is_file(template) else f"the template {named}in {template.file}"
    copies = (copy for view in model.views if template in view.templates for copy in view.shadowed)
    hidden = next((copy.file for copy in copies if copy.name == template.name and copy.text.strip()), None)
    return f"{subject} is empty" if hidden is None else f"{subject} is empty and wins over the template in {hidden}"


def _is_file(template: Template) -> bool:
    return template.file.endswith(".jinja")


def _consequence(template: Template, model: Model) -> str:
    tokenizer = model.view("tokenizer")
    if tokenizer is not None and template not in tokenizer.templates:
        return "the processor has nothing to render"
    return "every prompt is empty" if template.name == "default" else f"every prompt of {quoted(template.name)} is empty"
