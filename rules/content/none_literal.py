from __future__ import annotations

import re
from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Render, Rule, Severity, Template

PAIRS = (
    ("tool-loop-null-content", "tool-loop"),
    ("tool-loop-missing-content", "tool-loop"),
    ("assistant-content-null", "assistant-content-empty"),
    ("user-content-null", "user-content-empty"),
    ("system-content-null", "system-content-empty"),
    ("tool-calls-null", "tool-calls-empty-list"),
)
WORD = re.compile(r"\bNone\b")


class NoneLiteral(Rule):
    """The word None enters the prompt for content that is null or absent.

    ## What it does
    Renders messages whose content is null or missing, beside the same messages with empty content, and compares how often
    `None` stands in the prompts. transformers drops null keys since 5.23; an agent's history is rendered both ways, because
    older versions and other engines keep them.

    ## Why is this bad
    OpenAI clients send `content: null` with every tool call. The model reads that the assistant said "None".

    ## References
    - [transformers pull request 45422](https://github.com/huggingface/transformers/pull/45422)
    - [vllm issue 54368](https://github.com/vllm-project/vllm/issues/54368)
    """

    code = "TPL306"
    name = "none-literal"
    category = "content"
    severity = Severity.ERROR
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.get('content') }}{{ m.tool_calls | default('') }}<|end|>{% endfor %}",
            says='the word "None" is written for content that is null',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}{{ m.tool_calls | default('') }}<|end|>"
            "{% endfor %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        for name, twin in PAIRS:
            conversation = template.conversation(name)
            keeps = (False, True) if name == "tool-loop-null-content" and template.anatomy.renders_calls else (False,)
            for keep_none in keeps:
                render = template.render_conversation(conversation, keep_none=keep_none)
                usual = template.render(twin)
                if not usual.limited and _nones(render.text or "") > _nones(usual.text or ""):
                    yield _problem(render, keep_none)
                    return


def _problem(render: Render, keep_none: bool) -> Problem:
    where = ", on engines that pass null on" if keep_none else ""
    return Problem(
        f'the word "None" is written for content that is null{where}',
        help="test the content before it is written, as in {{ message.content or '' }}",
        severity=Severity.WARNING if keep_none else None,
        render=render,
        shows="None",
    )


def _nones(text: str) -> int:
    return len(WORD.findall(text))
