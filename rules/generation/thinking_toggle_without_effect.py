from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations

from tpllint import Bad, Completion, Good, Problem, Reply, Rule, Severity, Template, quoted

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking is defined and enable_thinking is false %}"
    "<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
THOUGHT = "<think>\nThey ask for a city.\n</think>\n\nParis"


class ThinkingToggleWithoutEffect(Rule):
    """The model answers the same whether it is asked to think or not.

    ## What it does
    Takes answers to the same conversation that differ in nothing but the value of a variable about reasoning which the template
    reads. It is reported where the prompts differ and all such answers are the same, letter by letter: as a warning where there
    are several conversations of that kind, as information where there is one.

    ## Why is this bad
    The template has a switch that the model does not know. Who turns reasoning on gets none, or cannot turn it off.

    ## References
    - [thinking-toggle-inert](thinking-toggle-inert.md), where not even the prompts differ
    """

    code = "TPL960"
    name = "thinking-toggle-without-effect"
    category = "generation"
    severity = Severity.WARNING
    judges_replies = True
    examples = (
        Bad(
            TEMPLATE,
            replies=(
                Reply("thinking-on", "Paris", "<|im_end|>", tokens=2, limit=64),
                Reply("thinking-off", "Paris", "<|im_end|>", tokens=2, limit=64),
            ),
            says='the model answers "Paris", whatever "enable_thinking" says',
        ),
        Good(
            TEMPLATE,
            replies=(
                Reply("thinking-on", THOUGHT, "<|im_end|>", tokens=12, limit=64),
                Reply("thinking-off", "Paris", "<|im_end|>", tokens=2, limit=64),
            ),
        ),
        Good(
            TEMPLATE.replace("enable_thinking", "think_hard"),
            replies=(
                Reply("thinking-on", "Paris", "<|im_end|>", tokens=2, limit=64),
                Reply("thinking-off", "Paris", "<|im_end|>", tokens=2, limit=64),
            ),
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        for control in template.reasoning.controls:
            pairs = list(_pairs(template, control.name))
            if pairs and all(_same(*pair) for pair in pairs):
                first = pairs[0][0]
                yield Problem(
                    f"the model answers {quoted(first.text)}, whatever {quoted(control.name)} says",
                    help="let the variable write what the model was trained to take as a sign, or do not read it",
                    severity=Severity.WARNING if len(pairs) > 1 else Severity.INFO,
                    render=first.render,
                )


def _pairs(template: Template, name: str) -> Iterator[tuple[Completion, Completion]]:
    """Answers to prompts that differ, and for which nothing differs but the value of this variable."""
    passed = [one for one in template.completions.all if name in one.conversation.variables and not one.continues]
    for left, right in combinations(passed, 2):
        if _without(left, name) == _without(right, name) and left.render.text != right.render.text:
            yield left, right


def _without(completion: Completion, name: str) -> str:
    asked = completion.conversation.as_json()
    return json.dumps({key: value for key, value in asked.items() if key != name}, sort_keys=True, default=str)


def _same(left: Completion, right: Completion) -> bool:
    return (left.text, left.stop) == (right.text, right.stop)
