from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Model, Problem, Rule, Severity, Template


class NotFullyAnalysed(Rule):
    """Something was there that tpllint could not look at whole.

    ## What it does
    Speaks when a file is too large, is a link that leaves the model's folder, is no regular file or cannot be opened; and when
    a limit ended the analysis of a template.

    ## Why is this bad
    No finding would look like "clean". What was not read was not checked.

    ## References
    - [transformers: chat templates](https://huggingface.co/docs/transformers/chat_templating)
    """

    code = "TPL809"
    name = "not-fully-analysed"
    category = "security"
    severity = Severity.ERROR
    judges_failures = True
    examples = (
        Bad(
            "{% macro deeper(n) %}{{ deeper(n + 1) }}{% endmacro %}{{ deeper(0) }}",
            says="the analysis of this template is not complete: a limit ended part of it",
            better="{{ messages[0].content }}",
        ),
        Good("{{ messages[0].content }}"),
    )

    def check_model(self, model: Model) -> Iterator[Problem]:
        for fact in model.facts("unread"):
            yield Problem(
                f"{fact.name} {fact.detail}, so it was not read",
                help="make it a regular UTF-8 file inside the model's folder, of an ordinary size",
                file=fact.file,
            )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.failure is None:
            template.render("user")
        if template.exhausted:
            yield Problem(
                "the analysis of this template is not complete: a limit ended part of it",
                help="treat the absence of further findings as unknown, not as clean",
            )
