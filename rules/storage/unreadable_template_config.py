from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Model, Problem, Rule, Severity


class UnreadableTemplateConfig(Rule):
    """A template file or configuration file cannot be understood.

    ## What it does
    Reads the files transformers would read: JSON must be valid, in UTF-8 and an object; `chat_template` must be text, a list
    of `{"name": ..., "template": ...}` or an object of named templates; template files must be UTF-8.

    ## Why is this bad
    Loading the tokenizer raises, or loads without a chat template.

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
        Good(files={"tokenizer_config.json": '{"chat_template": [{"name": "default", "template": "hi"}]}'}),
    )

    def check_model(self, model: Model) -> Iterator[Problem]:
        for fact in model.facts("unreadable"):
            yield Problem(
                f"{(fact.file or '').rpartition('/')[2]} {fact.detail}",
                help="repair the file; transformers cannot load the tokenizer as it is",
                file=fact.file,
                at=fact.at,
            )
