from __future__ import annotations

from collections.abc import Iterator

from tpllint import ANSWER, INSTRUCTION, QUESTION, SECOND_QUESTION, Bad, Good, Problem, Rule, Severity, Template, listed

CASES = {
    "user-parts": ("user", QUESTION, "a user message"),
    "assistant-parts": ("user-assistant-user", ANSWER, "an answer"),
    "system-parts": ("system-user", INSTRUCTION, "a system message"),
    "user-two-parts": ("user-parts", SECOND_QUESTION, "the second part of a user message"),
}
"""Each with a conversation in which the like shows, and the text that has to show."""


class ListContentDropped(Rule):
    """The text of a message vanishes when its content is a list of parts.

    ## What it does
    Renders a user message, an answer and a system message as `[{"type": "text", "text": ...}]`, beside the same as plain
    text, and looks for the text in the prompt. A message whose text shows only as plain text is reported, and so is the
    second of two text parts where the first one shows.

    Nothing is said of a template that fails on a list (`list-content-crash`), that prints the list (`python-repr-content`),
    that refuses it with `raise_exception`, of one that loses plain text too (`role-dropped`), and of a tool's results.

    ## Why is this bad
    OpenAI's API allows both forms, agents and multimodal clients send lists. The model then answers an empty message, and a
    model that is trained on lists learns to answer nothing.

    ## References
    - [transformers: multimodal chat templates](https://huggingface.co/docs/transformers/chat_templating_multimodal)
    - [OpenAI: chat completions](https://platform.openai.com/docs/api-reference/chat/create)
    """

    code = "TPL319"
    name = "list-content-dropped"
    category = "content"
    severity = Severity.WARNING
    examples = (
        Bad(
            "{% for m in messages %}{% set text = m.content if m.content is string else '' %}<|{{ m.role }}|>{{ text }}<|end|>"
            "{% endfor %}",
            says="the text of a user message, an answer and a system message vanishes when content is a list of parts",
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}"
            "{% for part in m.content %}{{ part.text }}{% endfor %}{% endif %}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content if m.content is string else m.content[0].text }}<|end|>"
            "{% endfor %}",
            says="the text of the second part of a user message vanishes when content is a list of parts",
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}"
            "{% for part in m.content %}{{ part.text }}{% endfor %}{% endif %}<|end|>{% endfor %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content + '<|end|>' }}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        lost = [name for name in CASES if _is_lost(template, name)]
        if not lost:
            return
        yield Problem(
            f"the text of {listed([CASES[name][2] for name in lost])} vanishes when content is a list of parts",
            help="write the text of every part: {% for part in message.content %}{{ part.text }}{% endfor %} "
            "where message.content is not string",
            render=(render := template.render(lost[0])),
            place=template.place_of_loss(render, CASES[lost[0]][1], about="content"),
        )


def _is_lost(template: Template, name: str) -> bool:
    """Whether the text shows in the like conversation and not in this one, which renders."""
    like, word, _ = CASES[name]
    text = template.render(name).text
    return text is not None and word not in text and _shows(template, like, word)


def _shows(template: Template, like: str, word: str) -> bool:
    """Whether the like conversation shows the word or, of two parts, the first one."""
    return (QUESTION if like == "user-parts" else word) in (template.render(like).text or "")
