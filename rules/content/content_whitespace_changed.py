from __future__ import annotations

import re
from collections.abc import Iterator

from tpllint import BARE_MARKER, Bad, Good, Problem, Rule, Severity, Template, listed, quoted

BLANKS = re.compile(r"[ \t]+")
CONVERSATIONS = ("padded-content", "padded-content-without-system")


class ContentWhitespaceChanged(Rule):
    """Blanks at the beginning or the end of content do not reach the prompt as they were sent.

    ## What it does
    Renders a chat whose texts have spaces, tabs and line breaks around them, and tells which roles lose them. This is
    information: many templates trim on purpose. So is a blank that the template puts between an answer and the marker that
    ends it: no answer can be rendered as the model wrote it.

    Nothing is said of a text that vanishes altogether, and of what happens inside a text.

    ## Why is this bad
    A prefilled answer that ends in a line break is not continued where it stopped, and an indented first line of code is not
    what the user sent.

    ## References
    - [transformers: continuing a final message](https://huggingface.co/docs/transformers/chat_templating)
    """

    code = "TPL308"
    name = "content-whitespace-changed"
    category = "content"
    severity = Severity.INFO
    only_infos = True
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}<|end|>{% endfor %}",
            says="blanks around the content are changed in messages of system, user and assistant",
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}[{{ m.role }}] {{ m.content + ' ' }}<|end|>{% endfor %}",
            says='a blank is added between an answer and the "<|end|>" that ends it',
            better="{% for m in messages %}[{{ m.role }}] {{ m.content }}<|end|>{% endfor %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ '  ' | trim }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        yield from _trimmed(template)
        yield from _added(template)


def _trimmed(template: Template) -> Iterator[Problem]:
    name = next((name for name in CONVERSATIONS if template.render(name).text is not None), None)
    if name is None:
        return
    render = template.render(name)
    changed = [message for message in template.conversation(name).messages if _is_changed(message["content"], render.text)]
    if changed:
        roles = list(dict.fromkeys(message["role"] for message in changed))
        yield Problem(
            f"blanks around the content are changed in messages of {listed(roles)}",
            help="write the content as it is, unless the model was trained on trimmed content",
            render=render,
            shows=changed[0]["content"].strip(),
        )


def _added(template: Template) -> Iterator[Problem]:
    """A blank behind an answer that the answer does not have."""
    for name in ("user-assistant", "user-assistant-user"):
        placed = template.anatomy.placed_gaps(name)
        start, end = placed[2] if placed else (0, "")
        blanks = BLANKS.match(end)
        marker = _marker(template, end[blanks.end() :]) if blanks else None
        if blanks and marker:
            yield Problem(
                f"a blank is added between an answer and the {quoted(marker)} that ends it",
                help="end an answer right behind its content, unless the model was trained with the blank",
                render=template.render(name),
                shows=(start, start + blanks.end()),
            )
            return


def _marker(template: Template, text: str) -> str | None:
    """The marker that a text begins with: the end of sequence or anything in the form of a control token."""
    eos = template.tokens.get("eos_token") or ""
    if eos and text.startswith(eos):
        return eos
    found = BARE_MARKER.match(text)
    return found[0] if found else None


def _is_changed(content: str, prompt: str | None) -> bool:
    return prompt is not None and content not in prompt and content.strip() in prompt
