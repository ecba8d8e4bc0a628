from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Model, Problem, Rule, Severity

CHAT = "{{ messages[0].content }}"


class PathInTemplateName(Rule):
    """The name of a chat template is a path, or no name that a file can have.

    ## What it does
    Looks at the names in a list or an object under `chat_template`: at slashes, backslashes and NUL, at control and other
    invisible characters, and at names longer than a file's name can be.

    ## Why is this bad
    When a model is saved, each named template becomes `additional_chat_templates/NAME.jinja`. Versions of transformers before
    the repair put the name into the path as it is: whoever loads the model and saves it, after training or conversion, writes
    a file of the author's choice to a place of the author's choice. Later versions raise. A name with invisible characters
    looks like another one in every list of templates.

    ## References
    - [transformers: saving named templates writes outside the folder](https://github.com/huggingface/transformers/issues/46191)
    - [CWE-22: path traversal](https://cwe.mitre.org/data/definitions/22.html)
    """

    code = "TPL813"
    name = "path-in-template-name"
    category = "security"
    severity = Severity.ERROR
    static = True
    examples = (
        Bad(
            files={
                "tokenizer_config.json": '{"chat_template": [\n'
                f'  {{"name": "default", "template": "{CHAT}"}},\n'
                f'  {{"name": "../../x", "template": "{CHAT}"}}\n'
                "]}"
            },
            says='tokenizer_config.json gives a template the name "../../x", which is a path',
            better_files={
                "tokenizer_config.json": '{"chat_template": [\n'
                f'  {{"name": "default", "template": "{CHAT}"}},\n'
                f'  {{"name": "x", "template": "{CHAT}"}}\n'
                "]}"
            },
        ),
        Bad(
            files={
                "chat_template.json": f'{{"chat_template": {{"default": "{CHAT}", "a\\\\b": "{CHAT}"}}}}',
                "processor_config.json": "{}",
            },
            says='chat_template.json gives a template the name "a\\\\b", which is a path',
        ),
        Bad(
            files={
                "tokenizer_config.json": '{"chat_template": ['
                f'{{"name": "default", "template": "{CHAT}"}}, {{"name": "a\\nb", "template": "{CHAT}"}}]}}'
            },
            says='tokenizer_config.json gives a template the name "a\\nb", which holds invisible characters',
        ),
        Bad(
            files={
                "tokenizer_config.json": '{"chat_template": ['
                f'{{"name": "default", "template": "{CHAT}"}}, {{"name": "{"n" * 250}", "template": "{CHAT}"}}]}}'
            },
            says=f'tokenizer_config.json gives a template the name "{"n" * 60}" ... "{"n" * 60}", '
            "of 250 characters, which is too long for a file",
        ),
        Good(
            files={
                "tokenizer_config.json": '{"chat_template": ['
                f'{{"name": "default", "template": "{CHAT}"}}, {{"name": "tool use v1.0", "template": "{CHAT}"}}]}}'
            }
        ),
        Good(
            files={
                "tokenizer_config.json": '{"chat_template": ['
                f'{{"name": "default", "template": "{CHAT}"}}, {{"name": "工具..", "template": "{CHAT}"}}]}}'
            }
        ),
    )

    def check_model(self, model: Model) -> Iterator[Problem]:
        for fact in model.facts("unsafe-name"):
            yield Problem(
                f"{fact.name} {fact.detail}",
                help="do not save this model before the name is a plain word, and ask where the file comes from",
                file=fact.file,
                at=fact.at,
            )
