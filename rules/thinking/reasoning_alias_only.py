from __future__ import annotations

from collections.abc import Iterator

from tpllint import THOUGHT, Bad, Good, Problem, Rule, Severity, Template, quoted

USUAL = "reasoning_content"


class ReasoningAliasOnly(Rule):
    """Reasoning is read from a field that clients do not send.

    ## What it does
    Renders reasoning in each of the fields `reasoning_content`, `thinking` and `reasoning` alone, with the others empty, and
    reports a template that names and renders only `thinking` or only `reasoning`. From transformers 5.21 on `thinking` is
    filled from the others, so that reading it alone is information; `reasoning` is never filled.

    ## Why is this bad
    Most servers and data sets have `reasoning_content`. In older versions of transformers and in other engines nothing copies
    it over, and the reasoning vanishes without a word.

    ## References
    - [fireworks cookbook, pull request 378](https://github.com/fw-ai/cookbook/pull/378)
    - [OpenVINO model server, pull request 3858](https://github.com/openvinotoolkit/model_server/pull/3858)
    """

    code = "TPL506"
    name = "reasoning-alias-only"
    category = "thinking"
    severity = Severity.WARNING
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning %}<think>{{ m.reasoning }}</think>{% endif %}"
            "{{ m.content }}<|end|>{% endfor %}",
            says='reasoning is read from "reasoning" alone: in "reasoning_content" it vanishes',
            better="{% for m in messages %}<|{{ m.role }}|>{% set thought = m.reasoning_content or m.reasoning %}"
            "{% if thought %}<think>{{ thought }}</think>{% endif %}{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.thinking %}<think>{{ m.thinking }}</think>{% endif %}"
            "{{ m.content }}<|end|>{% endfor %}",
            says='reasoning is read from "thinking" alone: in "reasoning_content" it vanishes with transformers before 5.21',
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>"
            "{% endif %}"
            "{{ m.content }}<|end|>{% endfor %}",
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        reasoning = template.reasoning
        if not reasoning.mentioned or not reasoning.fields or USUAL in reasoning.fields:
            return
        field = next((name for name in ("thinking", "reasoning") if reasoning.reads(name)), None)
        if field is None:
            return
        filled = field == "thinking"
        yield Problem(
            f"reasoning is read from {quoted(field)} alone: in {quoted(USUAL)} it vanishes"
            + (" with transformers before 5.21" if filled else ""),
            help=f"read message.reasoning_content first, and message.{field} where that is not there",
            severity=Severity.INFO if filled else None,
            render=reasoning.reads(field),
            shows=THOUGHT,
        )
