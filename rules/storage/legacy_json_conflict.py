from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Model, Problem, Rule, Severity

CHAT = "{% for m in messages %}{{ m.content }}{% endfor %}"
LEGACY = '{"chat_template": "' + CHAT + '"}'


class LegacyJsonConflict(Rule):
    """`chat_template.json` stands beside `additional_chat_templates/`, and the processor does not load.

    ## What it does
    Looks for both in a model that has a processor.

    ## Why is this bad
    `AutoProcessor.from_pretrained` raises "Cannot load chat template due to conflicting files": the model cannot be used with
    its processor at all.

    ## References
    - [transformers: ProcessorMixin.get_processor_dict](https://github.com/huggingface/transformers/blob/main/src/transformers/processing_utils.py)
    """

    code = "TPL008"
    name = "legacy-json-conflict"
    category = "storage"
    severity = Severity.ERROR
    static = True
    examples = (
        Bad(
            files={"chat_template.json": LEGACY, "additional_chat_templates/tool_use.jinja": CHAT, "chat_template.jinja": CHAT},
            says="the processor does not load: chat_template.json stands beside additional_chat_templates",
            better_files={"additional_chat_templates/tool_use.jinja": CHAT, "chat_template.jinja": CHAT},
        ),
        Good(files={"chat_template.json": LEGACY, "chat_template.jinja": CHAT}),
    )

    def check_model(self, model: Model) -> Iterator[Problem]:
        view = model.view("processor")
        if view is not None and view.error is not None and "additional_chat_templates" in view.error:
            yield Problem(
                f"the processor does not load: {view.error}",
                help="store the template of chat_template.json as chat_template.jinja, and delete chat_template.json",
                file="chat_template.json",
            )
