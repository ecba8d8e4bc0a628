from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from tpllint import ARGUMENT, TOOL_LOOPS, Bad, Good, Problem, Rule, Severity, Template, fails_alike


class NullContentCrash(Rule):
    """Content that is null makes the template fail.

    ## What it does
    Renders a tool call with `content: null` as engines do that pass null on, beside the same call with empty content. What
    fails only with null is reported. transformers drops null keys since 5.23; before, and in other engines, the template has to
    cope with them.

    Nothing is said of templates that render no tool calls, of messages that are nothing but null, which no client sends, and
    where the call fails as well when `content` is absent: `missing-key-crash` tells that.

    ## Why is this bad
    OpenAI's clients send `content: null` with every tool call. The second request of an agent raises.

    ## References
    - [vllm issue 54368](https://github.com/vllm-project/vllm/issues/54368)
    - [transformers pull request 45422](https://github.com/huggingface/transformers/pull/45422)
    """

    code = "TPL307"
    name = "null-content-crash"
    category = "content"
    severity = Severity.INFO
    only_infos = True
    raised_by: ClassVar[Mapping[str, Severity]] = {"agent": Severity.WARNING}
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.content is defined %}{{ m.content | trim + '' if m.content is "
            "string else m.content | join }}{% endif %}{{ (m.tool_calls or []) | tojson }}<|end|>{% endfor %}",
            says="a tool call whose content is null makes the template fail on engines that pass null on: "
            "'NoneType' object is not iterable",
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.content %}{{ m.content | trim + '' if m.content is "
            "string else m.content | join }}{% endif %}{{ (m.tool_calls or []) | tojson }}<|end|>{% endfor %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content + '<|end|>' }}{% endfor %}"),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content + '' }}{{ (m.tool_calls or []) | tojson }}<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        for loop in TOOL_LOOPS:
            render = template.render_conversation(template.conversation(f"{loop}-null-content"), keep_none=True)
            absent = template.render(f"{loop}-missing-content").error
            if render.error is None or render.error.kind != "error" or absent is not None:
                continue
            if ARGUMENT in (template.render(loop).text or ""):
                yield Problem(
                    "a tool call whose content is null makes the template fail on engines that pass null on: "
                    f"{render.error.message}",
                    help="test the content before it is used, as in {% if message.content %}",
                    render=render,
                    holds=fails_alike(render),
                )
                return
