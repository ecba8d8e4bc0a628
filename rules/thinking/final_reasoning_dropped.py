from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from tpllint import ANSWER, THOUGHT, Bad, Good, Problem, Render, Rule, Severity, Template


class FinalReasoningDropped(Rule):
    """The reasoning of the last answer is lost, though the template knows reasoning.

    ## What it does
    Renders a conversation that ends with an answer and its reasoning, once in a field of its own and once between think tags in
    the text, without a generation prompt, as training does. It is reported where the answer shows and the reasoning does not,
    although the template renders the reasoning of other answers, or of the last one where it comes in the other way, or writes
    its markers around nothing. Where a template only cuts answers and opens reasoning in its generation prompt, or keeps
    reasoning with tool calls alone, it is information and a warning in the training profile: it was made for serving.

    ## Why is this bad
    The last answer is what training learns from. The model is trained to answer without the reasoning that the data has.

    ## References
    - [open-r1 issue 604](https://github.com/huggingface/open-r1/issues/604)
    - [axolotl pull request 3728](https://github.com/axolotl-ai-cloud/axolotl/pull/3728)
    """

    code = "TPL509"
    name = "final-reasoning-dropped"
    category = "thinking"
    severity = Severity.WARNING
    raised_by: ClassVar[Mapping[str, Severity]] = {"training": Severity.WARNING}
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% set text = m.content %}{% set thought = '' %}"
            "{% if '</think>' in text %}{% set text = text.split('</think>')[-1] %}"
            "{% set thought = text.split('<think>')[-1] if '<think>' in text else '' %}{% endif %}"
            "{% if m.role == 'assistant' %}<think>{{ thought }}</think>{% endif %}{{ text }}<|end|>{% endfor %}",
            says="the reasoning of the last answer is lost where it stands between tags in the text",
            better="{% for m in messages %}<|{{ m.role }}|>{% set text = m.content %}{% set thought = '' %}"
            "{% if '</think>' in text %}{% set thought = text.split('</think>')[0].split('<think>')[-1] %}"
            "{% set text = text.split('</think>')[-1] %}{% endif %}"
            "{% if m.role == 'assistant' %}<think>{{ thought }}</think>{% endif %}{{ text }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>"
            "{% if m.reasoning_content and not loop.last %}<think>{{ m.reasoning_content }}"
            "</think>{% endif %}{{ m.content }}<|end|>{% endfor %}",
            says='the reasoning of the last answer is lost where it is in "reasoning_content"',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>"
            "{% endif %}{{ m.content }}<|end|>{% endfor %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        reasoning = template.reasoning
        if not reasoning.mentioned:
            return
        state = reasoning.shown[1] if reasoning.shown else ()
        if reasoning.shown and _loses(render := reasoning.render("reasoning-last", state)):
            kept_before = reasoning.shows("reasoning-old", state)
            yield _problem('is in "reasoning_content"', render, None if kept_before else Severity.INFO)
        render = reasoning.render("think-tags-last")
        if _loses(render) and (reasoning.known or reasoning.writes_blocks):
            meant = reasoning.shows("reasoning-last", state) or reasoning.writes_blocks
            yield _problem("stands between tags in the text", render, None if meant else Severity.INFO)


def _loses(render: Render) -> bool:
    return render.text is not None and ANSWER in render.text and THOUGHT not in render.text


def _problem(where: str, render: Render, severity: Severity | None = None) -> Problem:
    return Problem(
        f"the reasoning of the last answer is lost where it {where}",
        help="render the reasoning of the last answer; old answers may go without",
        severity=severity,
        render=render,
        shows=ANSWER,
    )
