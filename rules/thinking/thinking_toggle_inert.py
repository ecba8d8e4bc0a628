from __future__ import annotations

from collections.abc import Iterator

from tpllint import THINKING, Bad, Good, Problem, Rule, Severity, Template, quoted


class ThinkingToggleInert(Rule):
    """A variable about reasoning is read, but changes nothing.

    ## What it does
    Renders every canonical conversation with each value of each variable about reasoning that the template reads: true and
    false, the values that it is compared with, and none at all, each beside every value of the others. It is reported where
    no prompt changes, where the template asks whether the variable is passed after it has set it itself, and where all that a
    value does is to open the prompt with an empty block of reasoning, before the first message. A generation
    prompt that opens reasoning whatever a caller passes is information: there are models that always think, but
    `enable_thinking=false` is accepted for them and silently ignored.

    ## Why is this bad
    A caller who turns reasoning off still waits and pays for it, and nobody says that the switch is not connected.

    ## References
    - [transformers: writing a chat template](https://huggingface.co/docs/transformers/chat_templating_writing)
    """

    code = "TPL501"
    name = "thinking-toggle-inert"
    category = "thinking"
    severity = Severity.WARNING
    examples = (
        Bad(
            "{% set enable_thinking = enable_thinking | default(true) %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}",
            says='the template reads "enable_thinking", but no value of it changes any prompt',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% if not (enable_thinking | default(true)) %}<think></think>"
            "{% endif %}"
            "{% endif %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|><think>{% endif %}",
            says='the generation prompt opens reasoning with "<think>", and nothing that a caller can pass turns it off',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|><think>{% if enable_thinking is false %}</think>{% endif %}{% endif %}",
        ),
        Bad(
            "{% set enable_thinking = true %}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>"
            "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}{% endif %}",
            says='the template asks whether "enable_thinking" is passed, but has set it itself: what a caller passes is lost',
            better="{% set enable_thinking = enable_thinking | default(true) %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% if not enable_thinking %}<think></think>{% endif %}{% endif %}",
        ),
        Bad(
            "{% if enable_thinking is false %}<think></think>{% endif %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}",
            says='the prompt begins with "<think></think>" with enable_thinking=false: no answer begins there, '
            "and the generation prompt stays as it is",
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% if enable_thinking is false %}<think></think>{% endif %}{% endif %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        reasoning = template.reasoning
        if not reasoning.mentioned:
            return
        for control in reasoning.controls:
            if reasoning.is_inert(control):
                yield Problem(
                    f"the template reads {quoted(control.name)}, but no value of it changes any prompt",
                    help="let it decide what the generation prompt opens, or do not read it",
                    place=control.variable.place,
                )
        for read in reasoning.overwritten:
            yield Problem(
                f"the template asks whether {quoted(read.name)} is passed, but has set it itself: what a caller passes is lost",
                help=f"set it only where it is not passed, as in {{% set {read.name} = {read.name} | default(true) %}}",
                place=template.syntax.place(read.node) if template.syntax else None,
            )
        yield from _misplaced(template)
        prefill = reasoning.prefill()
        if (
            not reasoning.overwritten
            and reasoning.opens()
            and all(reasoning.prefill(state) == prefill for state in reasoning.states)
        ):
            yield Problem(
                f"the generation prompt opens reasoning with {quoted(prefill)}, "
                "and nothing that a caller can pass turns it off",
                help="where the model can answer without reasoning, let enable_thinking=false close it at once",
                severity=Severity.INFO,
                render=reasoning.render("user", generation_prompt=True),
                shows=prefill,
            )


def _misplaced(template: Template) -> Iterator[Problem]:
    """An empty block that a value writes in front of everything instead of where the answer begins."""
    reasoning = template.reasoning
    bos = template.tokens.get("bos_token", "")
    usual = (reasoning.render("user", generation_prompt=True).text or "").removeprefix(bos).lstrip()
    for state in reasoning.states[1:]:
        render = reasoning.render("user", state, generation_prompt=True)
        written = (render.text or "").removeprefix(bos).removesuffix(usual)
        tags = THINKING.findall(written)
        if usual and len(tags) == 2 and "/" in tags[1] and not THINKING.sub("", written).strip():
            yield Problem(
                f"the prompt begins with {quoted(written.strip())}{reasoning.passed(state)}: no answer begins there, "
                "and the generation prompt stays as it is",
                help="write the block behind the generation prompt",
                render=render,
                shows=written.strip(),
            )
            return
