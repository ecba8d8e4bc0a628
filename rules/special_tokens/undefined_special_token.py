from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template


class UndefinedSpecialToken(Rule):
    """The template writes a special token that the tokenizer does not have.

    ## What it does
    Compares the `..._token` variables that the template reads with those that the tokenizer's files set to null, or do not
    name although the tokenizer's class has none of its own. A variable that the template tests anywhere
    (`{% if bos_token %}`, `is defined`, `default`) is expected to be absent sometimes and left alone.

    ## Why is this bad
    An undefined variable prints as empty text: no error, and a prompt without its terminator or its beginning.

    ## References
    - [transformers: chat templates](https://huggingface.co/docs/transformers/chat_templating)
    """

    code = "TPL208"
    name = "undefined-special-token"
    category = "special-tokens"
    severity = Severity.WARNING
    static = True
    examples = (
        Bad(
            files={
                "tokenizer_config.json": '{"bos_token": "<s>", "eos_token": null}',
                "chat_template.jinja": "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}",
            },
            says='the tokenizer has no eos_token, so "eos_token" is written as empty text',
            better_files={
                "tokenizer_config.json": '{"bos_token": "<s>", "eos_token": "</s>"}',
                "chat_template.jinja": "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}",
            },
        ),
        Good(
            files={
                "tokenizer_config.json": '{"eos_token": "</s>"}',
                "chat_template.jinja": "{% if bos_token %}{{ bos_token }}{% endif %}{{ messages[0].content }}",
            }
        ),
        Good("{{ bos_token }}{{ sep_token }}{{ messages[0].content }}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.syntax is None:
            return
        added = _added(template)
        for name in dict.fromkeys(read.name for read in template.names.reads):
            reads = template.names.reads_of(name)
            expected = template.names.bindings_of(name) or any(read.is_test for read in reads) or name in added
            if name in template.absent_tokens and not expected:
                yield Problem(
                    f'the tokenizer has no {name}, so "{name}" is written as empty text',
                    help="declare it in tokenizer_config.json, or write the token that the model was trained with",
                    place=template.syntax.place(reads[0].node),
                )


def _added(template: Template) -> set[str]:
    """Names that are an operand of `+`: to add an undefined variable raises, and template-render-error tells it."""
    assert template.syntax is not None
    sides = [side for node in template.syntax.find("Add") for side in (node.left, node.right)]
    return {side.name for side in sides if type(side).__name__ == "Name"}
