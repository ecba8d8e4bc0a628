from __future__ import annotations

import re
from collections.abc import Iterator

from tpllint import Bad, Good, Model, Problem, Rule, Severity, quoted

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


class NoChatTemplate(Rule):
    """A model folder or repository holds no chat template.

    ## What it does
    Looks in every place from which transformers loads one. A configuration file that is named alone is not expected to hold
    a template; a folder or repository is. Of an adapter it names the base model, whose template is used; of a repository with
    only a `tekken.json` it says that mistral-common writes its prompts.

    ## Why is this bad
    `apply_chat_template` raises since transformers 4.44, which removed the class-level default templates.

    ## References
    - [transformers: chat templates](https://huggingface.co/docs/transformers/chat_templating)
    - [mistral-common](https://mistralai.github.io/mistral-common/)
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
        Bad(
            files={"adapter_config.json": '{"base_model_name_or_path": "some/base"}'},
            says='no chat template: this is an adapter, and its chats take the template of "some/base"',
        ),
        Bad(
            files={"tekken.json": "{}"},
            says="no chat template: this model has only tekken.json, and mistral-common writes its prompts without a template",
        ),
        Good(files={"tokenizer_config.json": '{"chat_template": "{{ messages[0].content }}"}'}),
    )

    def check_model(self, model: Model) -> Iterator[Problem]:
        for _ in model.facts("missing"):
            why, help = _adapter(model) or _tekken(model) or NOTHING_KNOWN
            yield Problem(f"no chat template: {why}", help=help)


NOTHING_KNOWN = (
    "apply_chat_template raises for this model",
    "add chat_template.jinja, name the folder of the model itself (folders in it are not searched), "
    "or ignore this rule for a model that is not for chat",
)


def _adapter(model: Model) -> tuple[str, str] | None:
    for fact in model.facts("adapter"):
        base = fact.detail
        if not base:
            return "this is an adapter, and its chats take the template of its base model", "check the base model"
        run = f": tpllint check {base}" if HUB_NAME.fullmatch(base) else ""
        return f"this is an adapter, and its chats take the template of {quoted(base)}", f"check the base model{run}"
    return None


def _tekken(model: Model) -> tuple[str, str] | None:
    for _ in model.facts("tekken"):
        return (
            "this model has only tekken.json, and mistral-common writes its prompts without a template",
            "use mistral-common, or add the chat_template.jinja that other tools need, and check it with that",
        )
    return None
