from __future__ import annotations

from collections.abc import Iterator

from tpllint import ARGUMENT, THOUGHT, Bad, Good, Problem, Rule, Severity, Template


class ReasoningLostInToolLoop(Rule):
    """Reasoning is kept in an answer, but lost between a tool call and its result.

    ## What it does
    Renders reasoning, a tool call and its result, and asks for the next step. It is reported where the call shows and the
    reasoning does not, although the template renders reasoning in a last or in an earlier answer, with the variables passed
    that it takes for that. That reasoning is dropped once the user has spoken again is no finding.

    ## Why is this bad
    The model is in the middle of its work: it has asked for something and no longer knows why. Models that were trained to
    reason between calls plan anew after every result.

    ## References
    - [Qwen3.8 issue 26](https://github.com/QwenLM/Qwen3.8/issues/26)
    - [langchain pull request 34177](https://github.com/langchain-ai/langchain/pull/34177)
    """

    code = "TPL510"
    name = "reasoning-lost-in-tool-loop"
    category = "thinking"
    severity = Severity.WARNING
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content and loop.last %}<think>{{ m.reasoning_content }}"
            "</think>{% endif %}{{ m.content }}{{ (m.tool_calls or '') | tojson }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}",
            says="reasoning is rendered in a last answer, but not between a tool call and its result",
            better="{% set ns = namespace(last=-1) %}{% for m in messages if m.role == 'user' %}"
            "{% set ns.last = messages.index(m) %}{% endfor %}"
            "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content and loop.index0 > ns.last %}"
            "<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}{{ (m.tool_calls or '') | tojson }}<|end|>"
            "{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ (m.tool_calls or '') | tojson }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        reasoning = template.reasoning
        if reasoning.shown is None:
            return
        _, state = reasoning.shown
        shown = [name for name in ("reasoning-last", "reasoning-old") if reasoning.shows(name, state)]
        render = reasoning.render("reasoning-in-open-tool-loop", state, generation_prompt=True)
        if not shown or render.text is None or ARGUMENT not in render.text or THOUGHT in render.text:
            return
        where = "a last answer" if "reasoning-last" in shown else "an earlier answer"
        yield Problem(
            f"reasoning is rendered in {where}, but not between a tool call and its result",
            help="keep the reasoning of every answer after the user's last message",
            render=render,
            shows=ARGUMENT,
        )
