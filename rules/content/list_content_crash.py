from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from tpllint import (
    ANSWER,
    INSTRUCTION,
    QUESTION,
    RESULT,
    Bad,
    Good,
    Problem,
    Render,
    Rule,
    Severity,
    Template,
    fails_alike,
    listed,
)

CASES = {
    "user-parts": ("user", QUESTION, "a user message"),
    "assistant-parts": ("user-assistant-user", ANSWER, "an answer"),
    "system-parts": ("system-user", INSTRUCTION, "a system message"),
    "tool-loop-parts-result": ("tool-loop", RESULT, "a tool's result"),
}
"""Each beside the same conversation with plain text, and the text in question."""
LACKS_A_KEY = "'dict object' has no attribute"
"""Of a part, since the message is the one that renders with plain text."""


class ListContentCrash(Rule):
    """Content as a list of text parts makes the template fail.

    ## What it does
    Renders a user message, an answer, a system message and a tool's result as `[{"type": "text", "text": ...}]`, beside the
    same as plain text. What shows as plain text and fails as a list is reported, once for each place where it fails. It is
    information, since most templates take text only.

    A refusal with `raise_exception` is not reported, nor is a template that reads nothing but lists, or one that asks the parts
    for a key of its own.

    ## Why is this bad
    OpenAI's API allows both forms, agents and multimodal clients send lists, and not every server joins the parts before it
    renders.

    ## References
    - [transformers: multimodal chat templates](https://huggingface.co/docs/transformers/chat_templating_multimodal)
    - [OpenAI: chat completions](https://platform.openai.com/docs/api-reference/chat/create)
    """

    code = "TPL315"
    name = "list-content-crash"
    category = "content"
    severity = Severity.INFO
    only_infos = True
    raised_by: ClassVar[Mapping[str, Severity]] = {"agent": Severity.WARNING}
    examples = (
        Bad(
            "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}",
            says="a user message, an answer, a system message and a tool's result make the template fail when their content is "
            'a list of parts: can only concatenate str (not "list") to str',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}"
            "{% for part in m.content %}{{ part.text }}{% endfor %}{% endif %}<|end|>{% endfor %}",
        ),
        Good(
            "{% for m in messages %}{% if m.content is not string %}{{ raise_exception('content must be text') }}{% endif %}"
            "{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}"
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}"
            "{{ m.content[0].language + ': ' + m.content[0].text }}{% endif %}<|end|>{% endfor %}"
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{% for part in m.content %}{{ part.text + '' }}{% endfor %}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.anatomy.reads_parts_only:
            return
        failed: dict[int | None, list[str]] = {}
        for name in CASES:
            if _fails_as_a_list(template, name):
                failed.setdefault(_place(template.render(name)), []).append(name)
        for names in failed.values():
            render = template.render(names[0])
            makes, their = ("make", "their") if len(names) > 1 else ("makes", "its")
            yield Problem(
                f"{listed([CASES[name][2] for name in names])} {makes} the template fail when {their} content is a list of "
                f"parts: {_words(render)}",
                help="join the parts first: {% for part in message.content %}{{ part.text }}{% endfor %} "
                "where message.content is not string",
                render=render,
                holds=fails_alike(render),
            )


def _fails_as_a_list(template: Template, name: str) -> bool:
    plain, word, _ = CASES[name]
    error = template.render(name).error
    if error is None or error.kind != "error" or error.message.startswith(LACKS_A_KEY):
        return False
    return word in (template.render(plain).text or "")


def _words(render: Render) -> str:
    return render.error.message if render.error else ""


def _place(render: Render) -> int | None:
    return render.error.offset if render.error else None
