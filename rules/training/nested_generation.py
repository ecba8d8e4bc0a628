from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template, masked_renders, quoted


class NestedGeneration(Rule):
    """A generation block runs inside another one.

    ## What it does
    Renders conversations with answers, reasoning and tool calls, and looks for a `{% generation %}` block that runs while
    another one does, written inside of it or in a macro that is called there.

    ## Why is this bad
    Two spans overlap, and the inner one begins where the outer one does: transformers counts what was put out before the outer
    block. Whoever counts answers by spans, or cuts the text at them, gets one twice.

    ## References
    - [transformers: chat_template_utils.py](https://github.com/huggingface/transformers/blob/main/src/transformers/utils/chat_template_utils.py)
    """

    code = "TPL609"
    name = "nested-generation"
    category = "training"
    severity = Severity.WARNING
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}answer: "
            "{% generation %}{{ m.content }}{% endgeneration %}<|end|>{% endgeneration %}{% else %}{{ m.content }}<|end|>"
            "{% endif %}{% endfor %}",
            says='a generation block runs inside another one: it writes "answer-birch"',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}answer: "
            "{{ m.content }}<|end|>{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}",
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
            "{% endgeneration %}{% generation %}<|end|>{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}"
            "{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        told: set[int] = set()
        for render in masked_renders(template):
            for block in render.blocks:
                if block.depth and block.offset not in told:
                    told.add(block.offset)
                    yield Problem(
                        f"a generation block runs inside another one: it writes {quoted(block.text)}",
                        help="leave the inner block out: the outer one marks its text too",
                        place=template.place(block.offset),
                        render=render,
                        shows=block.text or None,
                    )
