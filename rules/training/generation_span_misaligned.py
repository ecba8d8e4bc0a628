from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, GeneratedBlock, Good, Problem, Render, Rule, Severity, Template, masked_renders, misaligned, quoted

LONGEST = 60


class GenerationSpanMisaligned(Rule):
    """The assistant mask lies on other text than a generation block wrote.

    ## What it does
    Renders conversations with answers, reasoning and tool calls, and holds what each run of a `{% generation %}` block wrote
    against the text that transformers' span of it covers.

    transformers counts what the template has put out so far. Inside of a macro, a block `{% set %}` or a `{% filter %}`
    the text before the block has not been put out yet, so that the span begins too early; what is trimmed or changed
    afterwards moves it further.

    ## Why is this bad
    The training learns the user's words or half a control token, and misses the answer. Nothing says so.

    ## References
    - [transformers: chat_template_utils.py](https://github.com/huggingface/transformers/blob/main/src/transformers/utils/chat_template_utils.py)
    """

    code = "TPL602"
    name = "generation-span-misaligned"
    category = "training"
    severity = Severity.ERROR
    examples = (
        Bad(
            "{% macro turn(m) %}<|{{ m.role }}|>{% generation %}{{ m.content }}<|end|>{% endgeneration %}{% endmacro %}"
            "{% for m in messages %}{% if m.role == 'assistant' %}{{ turn(m) }}{% else %}<|user|>{{ m.content }}<|end|>"
            "{% endif %}{% endfor %}",
            says='a generation block writes "answer-birch<|end|>", but the mask lies on "<|assistant|>answer"',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}"
            "{% generation %}{{ m.content }}<|end|>{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}{% set text %}<|{{ m.role }}|>{% if m.role == 'assistant' %}"
            "{% generation %}{{ m.content }}<|end|>{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{% endset %}"
            "{{ text }}{% endfor %}",
            says='a generation block writes "answer-birch<|end|>", but the mask lies on "<|assistant|>answer"',
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% filter trim %}Answer: "
            "{% generation %}{{ m.content }}<|end|>{% endgeneration %}{% endfilter %}{% else %}{{ m.content }}<|end|>"
            "{% endif %}{% endfor %}",
            says='a generation block writes "answer-birch<|end|>", but the mask lies on "Answer: answer-birc"',
        ),
        Good(
            "{% macro turn(m) %}{% generation %}{{ m.content }}<|end|>{% endgeneration %}{% endmacro %}"
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{{ turn(m) }}{% else %}{{ m.content }}<|end|>"
            "{% endif %}{% endfor %}",
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        told: set[int] = set()
        for render in masked_renders(template):
            for block in misaligned(render):
                if not block.depth and block.offset not in told:  # nested-generation tells of what runs inside another one
                    told.add(block.offset)
                    yield _problem(template, render, block)


def _problem(template: Template, render: Render, block: GeneratedBlock) -> Problem:
    masked = (render.text or "")[block.start : block.end]
    lies = f"the mask lies on {_short(masked)}" if masked else "the mask lies behind the end of the prompt"
    return Problem(
        f"a generation block writes {_short(block.text)}, but {lies}",
        help="put the block where the template writes out directly: in no macro, set block or filter, or at the start of one",
        place=template.place(block.offset),
        render=render,
        shows=(block.start, block.end),
    )


def _short(text: str) -> str:
    return quoted(text) if len(text) <= LONGEST else f"{quoted(text[:LONGEST])} ..."
