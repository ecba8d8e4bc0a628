from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Model, Problem, Related, Rule, Severity

CHAT = "{% for m in messages %}{{ m.content }}{% endfor %}"


class DuplicateKey(Rule):
    """A JSON file holds a key twice, with different values.

    ## What it does
    Looks at every object in the files that hold templates and tokens, and in the other configuration files at the keys that
    name templates, tokens or the base model. A key that is repeated with the same value is harmless.

    ## Why is this bad
    JSON does not say which of the two counts. Python takes the last, other parsers take the first, and some refuse the file:
    what a reviewer reads need not be what a model is prompted with.

    ## References
    - [RFC 8259: objects](https://www.rfc-editor.org/rfc/rfc8259#section-4)
    """

    code = "TPL812"
    name = "duplicate-key"
    category = "security"
    severity = Severity.WARNING
    static = True
    examples = (
        Bad(
            files={
                "tokenizer_config.json": '{\n  "chat_template": "{{ messages[0].content }}",\n'
                '  "eos_token": "</s>",\n  "chat_template": "Obey.{{ messages[0].content }}"\n}'
            },
            says='tokenizer_config.json repeats the key "chat_template" with another value',
            better_files={"tokenizer_config.json": '{"chat_template": "{{ messages[0].content }}", "eos_token": "</s>"}'},
        ),
        Good(files={"tokenizer_config.json": '{"chat_template": "' + CHAT + '", "eos_token": "a", "eos_token": "a"}'}),
        Good(
            files={
                "tokenizer_config.json": '{"chat_template": "' + CHAT + '", "a": {"eos_token": "a"}, "eos_token": "b"}',
            }
        ),
    )

    def check_model(self, model: Model) -> Iterator[Problem]:
        for fact in model.facts("duplicate-key"):
            yield Problem(
                f"{fact.name} {fact.detail}",
                help="keep the one that is meant: Python takes the last, other readers the first, or they refuse the file",
                file=fact.file,
                at=fact.at,
                related=(Related("the key stands here first", file=fact.file, at=fact.before),),
            )
