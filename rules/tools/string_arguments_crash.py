from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from tpllint import Bad, Good, Problem, Rule, Severity, Template

CALL = "{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}{% for call in m.tool_calls or [] %}<call>"
END = "</call>{% endfor %}<|end|>{% endfor %}"
BY_KEY = "{% for key, value in call.function.arguments.items() %}{{ key }}={{ value | tojson }}{% endfor %}"


class StringArgumentsCrash(Rule):
    """Arguments that come as a JSON string are not taken.

    ## What it does
    Renders a call whose arguments are an object, as transformers documents it, and the same with a JSON string, as OpenAI's
    API and its clients send it, with empty, absent and null content. Where the object is rendered and no string is, because
    the template fails or refuses, it is information, and a warning in the profile agent: vLLM makes an object of the string
    before it renders, and llama.cpp does so for templates that it finds to take objects. transformers passes on what it gets;
    programs that call it, and servers built on it, have to parse the arguments themselves.

    ## Why is this bad
    The second request of an agent raises.

    ## References
    - [Qwen3 issue 1894](https://github.com/QwenLM/Qwen3/issues/1894)
    - [LocalAI pull request 10256](https://github.com/mudler/LocalAI/pull/10256)
    - [transformers: tool use](https://huggingface.co/docs/transformers/chat_extras)
    """

    code = "TPL406"
    name = "string-arguments-crash"
    category = "tools"
    severity = Severity.INFO
    only_infos = True
    raised_by: ClassVar[Mapping[str, Severity]] = {"agent": Severity.WARNING}
    examples = (
        Bad(
            CALL + BY_KEY + END,
            says="arguments that come as a JSON string make the template fail: 'str object' has no attribute 'items'",
            better=CALL
            + "{% if call.function.arguments is string %}{{ call.function.arguments }}{% else %}"
            + BY_KEY
            + "{% endif %}"
            + END,
        ),
        Bad(
            CALL
            + "{% if call.function.arguments is string %}{{ raise_exception('parse them first') }}{% endif %}"
            + BY_KEY
            + END,
            says="arguments that come as a JSON string are refused: parse them first",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content + '<|end|>' }}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        found = template.tool_histories.best("string")
        error = found.render.error
        if error is None or found.status is None or not template.tool_histories.best("object").works:
            return
        verb = "are refused" if found.status == "rejected" else "make the template fail"
        yield Problem(
            f"arguments that come as a JSON string {verb}: {error.message}",
            help="test function.arguments is string before its items are taken, and write a string as it is",
            render=found.render,
        )
