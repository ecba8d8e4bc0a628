from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Model, Problem, Rule, Severity

CHAT = "{% for m in messages %}{{ m.content }}{% endfor %}"


class TemplateNotLoaded(Rule):
    """A file that looks like a chat template lies where transformers never reads one.

    ## What it does
    Looks at the names of the files in a model folder or repository: files in `chat_templates/`, files that end in `.j2` or
    `.jinja2`, folders inside `additional_chat_templates/`, and a `chat_template.json` in a model that has no processor, unless
    it repeats the template that is loaded. Where the model has no template at all, also a file whose name is nearly right, and
    beside its configuration a folder with a `chat_template.jinja`. A folder with a configuration of its own is another model,
    and nothing is said about it.

    ## Why is this bad
    Nothing is loaded, and nothing says so: `apply_chat_template` raises, or renders the template that this one was to replace.

    ## References
    - [transformers: chat template storage](https://huggingface.co/docs/transformers/chat_templating_writing)
    """

    code = "TPL011"
    name = "template-not-loaded"
    category = "storage"
    severity = Severity.WARNING
    static = True
    examples = (
        Bad(
            files={"tokenizer_config.json": "{}", "chat_templates/tool_use.jinja": CHAT, "chat_template.jinja": CHAT},
            says="tool_use.jinja lies in chat_templates/, where transformers never looks",
            better_files={"additional_chat_templates/tool_use.jinja": CHAT, "chat_template.jinja": CHAT},
        ),
        Bad(
            files={"tokenizer_config.json": "{}", "chat_template.j2": CHAT},
            says="chat_template.j2 ends in .j2, and transformers loads only .jinja files; the model has no other chat template",
            better_files={"tokenizer_config.json": "{}", "chat_template.jinja": CHAT},
        ),
        Bad(
            files={"config.json": "{}", "chat_template.json": '{"chat_template": "' + CHAT + '"}'},
            says="chat_template.json is read by processors only, and this model has none; the model has no other chat template",
        ),
        Good(files={"chat_template.jinja": CHAT, "small/chat_template.jinja": CHAT, "small/config.json": "{}"}),
        Good(files={"config.json": '{"vision_config": {}}', "chat_template.json": '{"chat_template": "' + CHAT + '"}'}),
    )

    def check_model(self, model: Model) -> Iterator[Problem]:
        tokenizer = model.view("tokenizer")
        alone = "; the model has no other chat template" if tokenizer is not None and not tokenizer.templates else ""
        for fact in model.facts("misplaced"):
            yield Problem(
                f"{fact.name} {fact.detail}{alone}",
                help="store the default template as chat_template.jinja and others as additional_chat_templates/NAME.jinja, "
                "or delete the file",
                file=fact.file,
            )
