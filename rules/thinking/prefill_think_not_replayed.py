from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from tpllint import Bad, Good, Problem, Related, Rule, Severity, Template, quoted


class PrefillThinkNotReplayed(Rule):
    """What the generation prompt says of reasoning is not in the history afterwards.

    ## What it does
    Compares what the generation prompt adds about reasoning, an opened block, an empty one or the end of one, with what the
    same answer follows once it is an earlier one. An opened block is compared with an answer that brings its reasoning. Each
    variable about reasoning is tried with each of its values; one difference is told, of an opened block where there is one.
    That old reasoning is dropped is a choice of the model's makers; this tells what it costs, and is therefore information,
    and a warning in the training profile.

    ## Why is this bad
    The prompt of every next request differs from what the server has computed, from the first answer on: nothing can be reused.
    And a model that is trained on such histories never sees the text that it is asked with.

    ## References
    - [Qwen3 issue 1826](https://github.com/QwenLM/Qwen3/issues/1826)
    - [Qwen3.8 issue 48](https://github.com/QwenLM/Qwen3.8/issues/48)
    """

    code = "TPL507"
    name = "prefill-think-not-replayed"
    category = "thinking"
    severity = Severity.INFO
    only_infos = True
    raised_by: ClassVar[Mapping[str, Severity]] = {"training": Severity.WARNING}
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>"
            "{% if enable_thinking is false %}<think></think>{% endif %}{% endif %}",
            says='the generation prompt ends with "<think></think>" with enable_thinking=false, '
            'but in the history the answer follows "<|assistant|>" alone',
            better="{% for m in messages %}<|{{ m.role }}|>{% if enable_thinking is false and m.role == 'assistant' %}"
            "<think></think>{% endif %}{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>"
            "{% if enable_thinking is false %}<think></think>{% endif %}{% endif %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content and loop.last %}<think>{{ m.reasoning_content }}"
            "</think>{% endif %}{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|><think>"
            "{% endif %}",
            says='the generation prompt ends with "<think>", but in the history the answer follows "<|assistant|>" alone',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content %}<think>{{ m.reasoning_content }}"
            "</think>{% endif %}{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|><think>"
            "{% endif %}",
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>"
            "{% endif %}"
            "{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        reasoning = template.reasoning
        usual = reasoning.prefill()
        for state in sorted(reasoning.states, key=reasoning.opens, reverse=True):
            prefill = reasoning.prefill(state)
            if state and prefill == usual:
                continue  # whoever passes it wants the history to be another one
            past = "reasoning-old" if reasoning.opens(state) else "user-assistant-user"
            opening = reasoning.past_opening(past, state)
            if not prefill or opening is None or opening.startswith(reasoning.header + prefill):
                continue
            before, after = (text.removeprefix(template.anatomy.user_end or "") for text in (reasoning.header, opening))
            alone = " alone" if before.strip() == after.strip() else ""
            yield Problem(
                f"the generation prompt ends with {quoted(prefill)}{reasoning.passed(state)}, "
                f"but in the history the answer follows {quoted(after)}{alone}",
                help="write in the history what the answer was generated after, or train and serve without the generation "
                "prompt's",
                render=reasoning.render(past, state),
                shows=opening,
                related=(
                    Related(
                        "the generation prompt is written here",
                        render=reasoning.render("user", state, generation_prompt=True),
                        shows=prefill,
                    ),
                ),
            )
            return
