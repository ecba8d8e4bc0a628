from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Model, Problem, Related, Rule, Severity


class DuplicateTemplateName(Rule):
    """A list of named templates gives one name to different templates.

    ## What it does
    Counts the names in the list under `chat_template`. The same text twice is fine.

    ## Why is this bad
    transformers keeps the last one without a word. Other readers keep the first, so which template a model is prompted with
    depends on the tool.

    ## References
    - [transformers: chat template storage](https://huggingface.co/docs/transformers/chat_templating_writing)
    """

    code = "TPL010"
    name = "duplicate-template-name"
    category = "storage"
    severity = Severity.ERROR
    static = True
    examples = (
        Bad(
            files={
                "tokenizer_config.json": '{"chat_template": [\n'
                '  {"name": "default", "template": "{{ messages[0].content }}"},\n'
                '  {"name": "default", "template": "{{ messages[-1].content }}"}\n'
                "]}"
            },
            says='tokenizer_config.json gives the name "default" to entries 0 and 1 of its list: the last one wins',
            better_files={
                "tokenizer_config.json": '{"chat_template": [{"name": "default", "template": "{{ messages[0].content }}"}]}'
            },
        ),
        Good(
            files={
                "tokenizer_config.json": '{"chat_template": ['
                '{"name": "default", "template": "a"}, {"name": "rag", "template": "b"}]}'
            }
        ),
    )

    def check_model(self, model: Model) -> Iterator[Problem]:
        for fact in model.facts("duplicate-name"):
            yield Problem(
                f"{fact.name} {fact.detail}: the last one wins",
                help="give each template a name of its own, or delete those that are out of date",
                file=fact.file,
                at=fact.at,
                related=(Related("the name is given here first", file=fact.file, at=fact.before),),
            )
