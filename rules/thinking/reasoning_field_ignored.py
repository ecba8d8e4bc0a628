from __future__ import annotations

from collections.abc import Iterator

from tpllint import ANSWER, Bad, Good, Problem, Rule, Severity, Template, quoted

FIELD = "reasoning_content"


class ReasoningFieldIgnored(Rule):
    """Reasoning in a field of its own is never rendered, though the template knows reasoning.

    ## What it does
    Renders reasoning in the field `reasoning_content`, which transformers also fills from `thinking` and `reasoning`: in a last
    answer, in an earlier one, and between a tool call and its result, with every value of the variables about reasoning. It is
    reported where none of these prompts holds it, although the generation prompt opens or closes reasoning or answers are cut
    at its end marker.

    That the reasoning of old turns is dropped is a choice of the model's makers and no finding.

    ## Why is this bad
    Servers hand out reasoning in this field and clients send it back in it. A model that works in several steps loses between a
    call and its result what it had thought, and a training set that holds reasoning there trains none.

    ## References
    - [Qwen3.8 issue 26](https://github.com/QwenLM/Qwen3.8/issues/26)
    - [vLLM: reasoning outputs](https://docs.vllm.ai/en/latest/features/reasoning_outputs.html)
    """

    code = "TPL505"
    name = "reasoning-field-ignored"
    category = "thinking"
    severity = Severity.INFO
    only_infos = True
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{{ '<think>' if enable_thinking else '' }}{% endif %}",
            says='reasoning in "reasoning_content" is never rendered, though the generation prompt ends with "<think>"',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>"
            "{% endif %}{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{{ '<think>' if enable_thinking else '' }}{% endif %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content.split('</think>')[-1] }}<|end|>{% endfor %}",
            says='reasoning in "reasoning_content" is never rendered, though answers are cut at "</think>"',
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        reasoning = template.reasoning
        if not reasoning.mentioned or reasoning.shown is not None or reasoning.shows("reasoning-last") is None:
            return
        if reasoning.reads("reasoning"):
            return  # reasoning-alias-only says it better
        prefill = next(filter(None, map(reasoning.prefill, reasoning.states)), None)
        why = f"the generation prompt ends with {quoted(prefill)}" if prefill else None
        if why is None and reasoning.cut_at and reasoning.tags:
            why = f"answers are cut at {quoted(reasoning.tags.close)}"
        if why is not None:
            yield Problem(
                f"reasoning in {quoted(FIELD)} is never rendered, though {why}",
                help="render message.reasoning_content at least between a tool call and its result",
                render=reasoning.render("reasoning-last"),
                shows=ANSWER,
            )
