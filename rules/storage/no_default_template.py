from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Model, Place, Problem, Rule, Severity, View, listed, quoted

CHAT = "{% for m in messages %}{{ m.content }}{% endfor %}"


class NoDefaultTemplate(Rule):
    """The model has named templates, and none of them is called `default`.

    ## What it does
    Looks at the names that a tokenizer or a processor has after loading. A repository with files in
    `additional_chat_templates/` and no `chat_template.jinja` has only named templates, whatever `tokenizer_config.json` holds.

    ## Why is this bad
    `apply_chat_template(messages)` raises: it takes the template called `default`, or, with tools, the one called `tool_use`.

    ## References
    - [transformers: chat template storage](https://huggingface.co/docs/transformers/chat_templating_writing)
    """

    code = "TPL006"
    name = "no-default-template"
    category = "storage"
    severity = Severity.ERROR
    static = True
    examples = (
        Bad(
            files={"additional_chat_templates/rag.jinja": CHAT},
            says='no template is called "default", and a call that names none raises: there is only "rag"',
            better_files={"additional_chat_templates/rag.jinja": CHAT, "chat_template.jinja": CHAT},
        ),
        Bad(
            files={
                "tokenizer_config.json": '{"chat_template": "' + CHAT + '"}',
                "additional_chat_templates/tool_use.jinja": CHAT,
            },
            says='no template is called "default", and a call without tools raises: there is only "tool_use", whose file '
            "replaces what tokenizer_config.json holds",
        ),
        Good(files={"tokenizer_config.json": '{"chat_template": [{"name": "default", "template": "' + CHAT + '"}]}'}),
    )

    def check_model(self, model: Model) -> Iterator[Problem]:
        told: set[tuple[str, ...]] = set()
        for view in model.views:
            labels = tuple(sorted(template.label for template in view.templates))
            if labels and view.default is None and view.certain and labels not in told:
                told.add(labels)
                yield Problem(
                    _message(view),
                    help="store the template for plain chats as chat_template.jinja",
                    template=view.templates[0],
                    place=Place(0, 0),
                )


def _message(view: View) -> str:
    names = sorted(template.name for template in view.templates)
    call = "without tools" if view.loader == "tokenizer" and "tool_use" in names else "that names none"
    there = f"is only {quoted(names[0])}" if len(names) == 1 else f"are {listed([quoted(name) for name in names])}"
    replaced = next((template.file for template in view.shadowed if template.name == "default"), None)
    replacing = "whose file replaces" if len(names) == 1 else "whose files replace"
    whose = "" if replaced is None else f", {replacing} what {replaced} holds"
    return f'no template is called "default", and a call {call} raises: there {there}{whose}'
