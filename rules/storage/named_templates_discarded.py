from __future__ import annotations

import re
from collections.abc import Iterator

from tpllint import Bad, Good, Model, Place, Problem, Related, Rule, Severity, Template, listed, quoted

MAX_NAMES = 10
SAFE = re.compile(r"[A-Za-z0-9_-]+")
CHAT = "{% for m in messages %}{{ m.content }}{% endfor %}"
NAMED = (
    '{\n  "chat_template": [\n    {"name": "default", "template": "'
    + CHAT
    + '"},\n    {"name": "tool_use", "template": "{{ tools | tojson }}'
    + CHAT
    + '"}\n  ]\n}'
)


class NamedTemplatesDiscarded(Rule):
    """A `.jinja` file replaces the named templates of the configuration, and some of their names are lost.

    ## What it does
    Compares the names of the templates in `tokenizer_config.json` with those that the tokenizer has after loading. One `.jinja`
    file, `chat_template.jinja` or any in `additional_chat_templates/`, replaces the whole list; nothing is merged. It is a
    warning where the lost templates say the same as the default one.

    ## Why is this bad
    Nothing is reported. A call with tools gets the template for plain chats, and `chat_template="rag"` is no name any more: its
    letters are rendered as if they were a template.

    ## References
    - [transformers: chat template storage](https://huggingface.co/docs/transformers/chat_templating_writing)
    """

    code = "TPL005"
    name = "named-templates-discarded"
    category = "storage"
    severity = Severity.ERROR
    static = True
    examples = (
        Bad(
            CHAT,
            files={"tokenizer_config.json": NAMED},
            says='chat_template.jinja replaces the templates of tokenizer_config.json, and "tool_use" is lost',
            better_files={
                "tokenizer_config.json": "{}",
                "additional_chat_templates/tool_use.jinja": "{{ tools | tojson }}" + CHAT,
            },
            better=CHAT,
        ),
        Good(files={"tokenizer_config.json": NAMED}),
        Good(CHAT, files={"tokenizer_config.json": '{"chat_template": [{"name": "default", "template": "' + CHAT + '"}]}'}),
    )

    def check_model(self, model: Model) -> Iterator[Problem]:
        view, lost = model.view("tokenizer"), model.discarded()
        if view is None or view.default is None or not lost:
            return
        names = [quoted(template.name) for template in lost[:MAX_NAMES]]
        names += [f"{len(lost) - MAX_NAMES} more"] if len(lost) > MAX_NAMES else []
        others = lost[1:MAX_NAMES]
        is_loss = any(template.text != view.default.text for template in lost)
        yield Problem(
            f"{view.templates[0].file} replaces the templates of {lost[0].file}, and {listed(names)} "
            f"{'is' if len(lost) == 1 else 'are'} lost",
            help=f"move {_destination(lost)}, and delete the list from {lost[0].file}",
            severity=Severity.ERROR if is_loss else Severity.WARNING,
            template=lost[0],
            place=Place(0, 0),
            related=tuple(Related("and this one", template=template, place=Place(0, 0)) for template in others),
        )


def _destination(lost: tuple[Template, ...]) -> str:
    if len(lost) == 1 and SAFE.fullmatch(lost[0].name):
        return f"it to additional_chat_templates/{lost[0].name}.jinja"
    return "each to a file additional_chat_templates/NAME.jinja"
