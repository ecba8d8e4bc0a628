from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from tpllint import Bad, Good, Place, Problem, Render, Rule, Severity, Template, quoted

CONVERSATIONS = ("user-assistant-user", "system-user-assistant-user", "tools-declared-with-system", "tool-loop-follow-up")
INDENTATION = re.compile(r"(?:^|\n)([ \t]{2,})")


class WhitespaceLeak(Rule):
    """Indentation of the template's source reaches the prompt.

    ## What it does
    Looks between the messages of plain chats and of chats with tools for runs of blanks that begin a line, and for the piece
    of source text outside of all tags that wrote them. `lstrip_blocks` removes the indentation before `{% ... %}`, but not
    before `{{ ... }}`. Blanks that a quoted string writes on purpose are left alone, and so is indentation before words that
    stand outside of tags: it may be meant.

    ## Why is this bad
    Every turn is preceded by blanks the model never saw in training. They cost tokens, and they move the answer.

    ## References
    - [Jinja: whitespace control](https://jinja.palletsprojects.com/en/stable/templates/#whitespace-control)
    - [chat_templates issue 14](https://github.com/chujiezheng/chat_templates/issues/14)
    """

    code = "TPL906"
    name = "whitespace-leak"
    category = "hygiene"
    severity = Severity.WARNING
    examples = (
        Bad(
            "{% for m in messages %}\n    {{ '<|' + m.role + '|>' + m.content + '<|end|>' }}\n{% endfor %}",
            says='the indentation "    " of the source reaches the prompt',
            better="{% for m in messages %}\n    {{- '<|' + m.role + '|>' + m.content + '<|end|>' }}\n{% endfor %}",
        ),
        Bad(
            "{% if tools %}\n    {{ tools | tojson }}\n{% endif %}{% for m in messages %}{{ m.content }}<|end|>{% endfor %}",
            says='the indentation "    " of the source reaches the prompt',
            better="{% if tools %}\n    {{- tools | tojson }}\n{% endif %}"
            "{% for m in messages %}{{ m.content }}<|end|>{% endfor %}",
        ),
        Good("{% for m in messages %}\n    {% if m.content %}\n{{ m.content }}<|end|>\n    {% endif %}\n{% endfor %}"),
        Good("{% for m in messages %}{{ m.role + ':\\n    ' + m.content + '<|end|>' }}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.syntax is None:
            return
        for name in CONVERSATIONS:
            written = {run for gap in template.anatomy.gaps(name) or () for run in INDENTATION.findall(gap)}
            for node, run in _indentations(template):
                start = node.lineno - 1 + node.data.index(run)
                place, render = Place(start, start + len(run)), template.render(name)
                if run in written and _differs(without := _without(template, place), render):
                    yield Problem(
                        f"the indentation {quoted(run)} of the source reaches the prompt",
                        help="write {{- ... }} or {%- ... %} where blanks before a tag must not count",
                        place=place,
                        render=render,
                        shows=run,
                        holds=partial(_differs, without),
                    )
                    return


def _indentations(template: Template) -> Iterator[tuple[Any, str]]:
    """The pieces of text outside of tags that hold nothing but an indentation, and it."""
    assert template.syntax is not None
    for node in template.syntax.find("TemplateData"):
        found = INDENTATION.search(node.data)
        if found and not node.data.strip():
            yield node, found[1]


def _without(template: Template, place: Place) -> Template:
    """The template with this piece of its source left out."""
    return template.with_source(template.text[: place.start] + template.text[place.end :])


def _differs(without: Template, render: Render) -> bool:
    """Whether a prompt is another one without the piece."""
    text = None if render.recipe is None else without.render_again(render.recipe).text
    return text is not None and text != render.text
