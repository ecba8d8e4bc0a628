from __future__ import annotations

import re
from collections.abc import Iterator

from tpllint import BARE_MARKER, QUESTION, Bad, Good, Problem, Rule, Severity, Template, common_prefix, common_suffix, quoted

WORDS = re.compile(r"(?<![^\W\d_])[^\W\d_]{2,}[^\w<>\[\]|]{1,3}[^\W\d_]{2,}|[\u3040-\u30ff\u3400-\u9fff]{4,}")
"""Natural language: two words of letters beside each other, or a few characters of a script without spaces."""
LONGEST = 60


class DefaultSystemInjected(Rule):
    """The prompt holds instructions that the caller did not send.

    ## What it does
    Compares what stands before a first user message with what stands there when the caller sends a system message. Words that
    only the first has are a default system message. This is information: many models were trained with one.

    Nothing is said of words that stay when a system message is sent, such as a date, and of what comes with tools.

    ## Why is this bad
    A caller who sends no system message gets one all the same. Rendered piece by piece, as for preference data, every piece
    gets it.

    ## References
    - [transformers: chat templates](https://huggingface.co/docs/transformers/chat_templating)
    """

    code = "TPL311"
    name = "default-system-injected"
    category = "content"
    severity = Severity.INFO
    vets = True
    only_infos = True
    examples = (
        Bad(
            "{% if messages[0].role != 'system' %}<|system|>You are a kind helper.<|end|>{% endif %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says='without a system message the prompt says "You are a kind helper."',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Good("The chat begins here.\n{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
        Good(
            "{% if messages[0].role != 'system' %}<|system|><|end|>{% endif %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        beginning = template.anatomy.beginning
        instructed, found, _ = (template.render("system-user").text or "").partition(QUESTION)
        if beginning is None or not found:
            return
        start = common_prefix(beginning, instructed)
        end = len(beginning) - common_suffix(beginning[start:], instructed[start:])
        words = WORDS.search(beginning, start, end)
        if words is None:
            return
        marker = BARE_MARKER.search(beginning, words.end(), end)
        span = (words.start(), marker.start() if marker else end)
        yield Problem(
            f"without a system message the prompt says {quoted(_shortened(beginning[slice(*span)].strip()))}",
            help="leave the system turn out, or document the default",
            render=template.render("user"),
            shows=span,
        )


def _shortened(words: str) -> str:
    return words if len(words) <= LONGEST else f"{words[:LONGEST]}..."
