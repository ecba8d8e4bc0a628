from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Model, Problem, Rule, Severity, Template


def cut_gguf(key: str, text: str) -> str:
    """A GGUF file of one entry that ends in the middle of it."""
    rest = "\0" * 7
    return f"GGUF\3\0\0\0\0{rest}\1{rest}{chr(len(key))}{rest}{key}\10\0\0\0{chr(2 * len(text))}{rest}{text}"


class NotFullyAnalysed(Rule):
    """Something was there that tpllint could not look at whole.

    ## What it does
    Speaks when a file is too large, is a link that leaves the model's folder, is no regular file or cannot be opened; when the
    metadata of a GGUF file is cut, lies about lengths or is odd, such as a key that stands there twice; and when a limit ended
    the analysis of a template.

    ## Why is this bad
    No finding would look like "clean". What was not read was not checked. llama.cpp refuses GGUF files with most of these
    defects, other readers take what they find.

    ## References
    - [transformers: chat templates](https://huggingface.co/docs/transformers/chat_templating)
    - [GGUF: the format](https://github.com/ggml-org/ggml/blob/master/docs/gguf.md)
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
        Bad(
            files={"model.gguf": cut_gguf("tokenizer.chat_template", "{{ messages")},
            says="model.gguf ends inside the value of tokenizer.chat_template",
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

        for fact in model.facts("damaged-gguf"):
            yield Problem(
                f"{fact.name} {fact.detail}",
                help="download or convert the model again; what was read is checked, the rest may hold anything",
                file=fact.file,
            )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.failure is None:
            template.render("user")
        template.note_folding()
        if template.exhausted:
            yield Problem(
                "the analysis of this template is not complete: a limit ended part of it",
                help="treat the absence of further findings as unknown, not as clean",
            )
