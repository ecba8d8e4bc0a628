from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Model, Problem, Rule, Severity

CANNOT_LOAD = "transformers cannot load the tokenizer as it is"
PROCESSOR = "transformers cannot load the processor as it is"
CONSEQUENCES = {
    "chat_template.json": PROCESSOR,
    "processor_config.json": PROCESSOR,
    "config.json": "transformers cannot load the model as it is",
    "generation_config.json": "transformers loads the model without it, and its stop tokens and sampling settings are lost",
    "adapter_config.json": "peft cannot load the adapter as it is",
}
"""What happens by the name of the file, where it is not the tokenizer that does not load."""


class UnreadableTemplateConfig(Rule):
    """A template file or configuration file cannot be understood.

    ## What it does
    Reads the files transformers would read: JSON must be valid, in UTF-8 and an object; `chat_template` must be text, a list
    of `{"name": ..., "template": ...}` or an object of named templates; template files must be UTF-8. Of the files beside them,
    those are read that name tokens or the model.

    ## Why is this bad
    Loading the tokenizer, the processor or the model raises. A `generation_config.json` that cannot be read is passed over in
    silence, and the model stops at the wrong tokens.

    ## References
    - [transformers: chat template storage](https://huggingface.co/docs/transformers/chat_templating_writing)
    """

    code = "TPL002"
    name = "unreadable-template-config"
    category = "storage"
    severity = Severity.ERROR
    static = True
    examples = (
        Bad(
            files={"tokenizer_config.json": '{"chat_template": 7}'},
            says='tokenizer_config.json holds a "chat_template" that is a number; expected text or a list of named templates',
            better_files={"tokenizer_config.json": '{"chat_template": "{{ messages[0].content }}"}'},
        ),
        Bad(
            files={"tokenizer_config.json": '{"chat_template": "..."'},
            says="tokenizer_config.json is not valid JSON: Expecting ',' delimiter",
        ),
        Bad(
            files={"tokenizer_config.json": '{"chat_template": [{"name": "default"}]}'},
            says='tokenizer_config.json has no text under "template" in entry 0 of "chat_template"',
        ),
        Bad(
            files={"tokenizer_config.json": "\ufeff{}", "chat_template.jinja": "{{ messages[0].content }}"},
            says="tokenizer_config.json begins with a byte order mark, which is not valid JSON",
        ),
        Bad(
            files={"chat_template.json": "{}", "chat_template.jinja": "{{ messages[0].content }}"},
            says='chat_template.json has no "chat_template"',
        ),
        Good(files={"tokenizer_config.json": '{"chat_template": [{"name": "default", "template": "hi"}]}'}),
    )

    def check_model(self, model: Model) -> Iterator[Problem]:
        for fact in model.facts("unreadable"):
            yield Problem(
                f"{fact.name} {fact.detail}",
                help=f"repair the file; {CONSEQUENCES.get(fact.name, CANNOT_LOAD)}",
                file=fact.file,
                at=fact.at,
            )
