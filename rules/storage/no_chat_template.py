from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Model, Problem, Rule, Severity


class NoChatTemplate(Rule):
    """A model folder or repository holds no chat template.

    ## What it does
    Looks in every place from which transformers loads one. A configuration file that is named alone is not expected to hold
    a template; a folder or repository is.

    ## Why is this bad
    `apply_chat_template` raises since transformers 4.44, which removed the class-level default templates.

    ## References
    - [transformers: chat templates](https://huggingface.co/docs/transformers/chat_templating)
    """

    code = "TPL003"
    name = "no-chat-template"
    category = "storage"
    severity = Severity.WARNING
    static = True
    examples = (
        Bad(
            files={"tokenizer_config.json": '{"bos_token": "<s>"}'},
            says="no chat template: apply_chat_template raises for this model",
            better_files={"tokenizer_config.json": "{}", "chat_template.jinja": "{{ messages[0].content }}"},
        ),
        Good(files={"tokenizer_config.json": '{"chat_template": "{{ messages[0].content }}"}'}),
    )

    def check_model(self, model: Model) -> Iterator[Problem]:
        for _ in model.facts("missing"):
            yield Problem(
                "no chat template: apply_chat_template raises for this model",
                help="add chat_template.jinja, name the folder of the model itself (folders in it are not searched), "
                "or ignore this rule for a model that is not for chat",
            )
