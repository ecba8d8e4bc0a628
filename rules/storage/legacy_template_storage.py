from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Model, OwnFile, Place, Problem, Rule, Severity

CHAT = "{% for m in messages %}{{ m.content }}{% endfor %}"


class LegacyTemplateStorage(Rule):
    """The template is stored inside a JSON file.

    ## What it does
    Names the JSON file that a tokenizer or a processor loads its template from.

    ## Why is this bad
    transformers still loads templates from JSON and has saved them as `chat_template.jinja` since 4.53. A template in one line
    of escaped text can hardly be read, reviewed or compared, and any `.jinja` file that is added later replaces it.

    ## References
    - [transformers: chat template storage](https://huggingface.co/docs/transformers/chat_templating_writing)
    """

    code = "TPL013"
    name = "legacy-template-storage"
    category = "storage"
    severity = Severity.INFO
    static = True
    examples = (
        Bad(
            files={"tokenizer_config.json": '{"chat_template": "' + CHAT + '"}'},
            says="the template is stored inside tokenizer_config.json",
            better_files={"tokenizer_config.json": "{}", "chat_template.jinja": CHAT},
        ),
        Good(CHAT),
    )

    def check_model(self, model: Model) -> Iterator[Problem]:
        told: set[str] = set()
        for view in model.views:
            for template in view.templates:
                if template.file.endswith(".json") and template.file not in told:
                    told.add(template.file)
                    yield Problem(
                        f"the template is stored inside {template.file}",
                        help="store it as chat_template.jinja, as transformers does, and delete it here",
                        template=template,
                        place=Place(0, 0),
                        fix=OwnFile(),
                    )
