from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from tpllint import Bad, Conversation, Good, Problem, Rule, Severity, Template, canonical, quoted

HISTORY = "user-assistant-user"
PLAIN = re.compile(r"(?=(?s:.)*?[^\W\d_]{3})[\s\w#:.,*-]*")
"""A header in words, and no control token of any form."""


class RoleForgery(Rule):
    """A message can pose as the turns of a conversation.

    ## What it does
    Where turns open with plain words, such as a blank line and `Assistant:`, writes the prompt of three messages into the
    text of a single one, and renders that. If both prompts are the same, letter by letter, nothing in the prompt tells who
    said what. It is information, and a warning in the security profile.

    Formats whose turns open and close with control tokens are not looked at: there it is the tokenizer's to keep a
    token apart from text that looks like it. Nor are roles that a caller makes up, which most templates write as they come.

    ## Why is this bad
    Whoever has a text put into a chat, such as a web page that a user asks about, can put words in the mouth of the
    assistant or the operator. It also happens by chance, with a transcript or an interview.

    ## References
    - [ChatBug: a common vulnerability of aligned models induced by chat templates](https://arxiv.org/abs/2406.12935)
    """

    code = "TPL806"
    name = "role-forgery"
    category = "security"
    severity = Severity.INFO
    only_infos = True
    raised_by: ClassVar[Mapping[str, Severity]] = {"security": Severity.WARNING}
    examples = (
        Bad(
            "{% for m in messages %}{{ '\\n\\n' + m.role.title() + ': ' + m.content }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '\\n\\nAssistant:' }}{% endif %}",
            says='a user message that holds "\\n\\nAssistant: " is rendered like a turn of the assistant',
            better="{% for m in messages %}{{ '\\n\\n' + m.role.title() + ': ' }}"
            "{{ m.content.replace('\\n\\n', '\\n') }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '\\n\\nAssistant:' }}{% endif %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
        Good("{% for m in messages %}{{ m.content }}\n{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        between = (template.anatomy.gaps(HISTORY, generation_prompt=True) or ())[1:3]
        if not between or not all(_is_plain(template, gap) for gap in between):
            return
        render = template.render_conversation(_forged(template, between), generation_prompt=True)
        if render.text is not None and render.text == template.render(HISTORY, generation_prompt=True).text:
            yield Problem(
                f"a user message that holds {quoted(between[0])} is rendered like a turn of the assistant",
                help="change what opens a turn where it stands in a message, such as blank lines, or use control tokens",
                render=render,
                shows=between[0],
            )


def _is_plain(template: Template, gap: str) -> bool:
    """Whether nothing but words stands between two turns."""
    tokens = (token for token in template.tokens.values() if token)
    return PLAIN.fullmatch(gap) is not None and not any(token in gap for token in tokens)


def _forged(template: Template, between: tuple[str, ...]) -> Conversation:
    """One message that holds the prompt of three."""
    question, answer, follow_up = (message["content"] for message in canonical()[HISTORY].messages)
    forged = canonical()["user"].with_message(0, content=f"{question}{between[0]}{answer}{between[1]}{follow_up}")
    return forged.in_parts() if template.anatomy.reads_parts_only else forged
