from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template

TOOLS = "{% if tools %}<|tools|>{{ tools | tojson }}<|end|>{% endif %}"
CALL = "{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}{% for call in m.tool_calls or [] %}<call>"
END = "</call>{% endfor %}<|end|>{% endfor %}"
STRING = "{{ call.function.name + ': ' + call.function.arguments }}"
EITHER = (
    "{{ call.function.name }}: {% if call.function.arguments is string %}{{ call.function.arguments }}{% else %}"
    "{{ call.function.arguments | tojson }}{% endif %}"
)


class DictArgumentsCrash(Rule):
    """Arguments that come as an object make the template fail.

    ## What it does
    Renders a call whose arguments are a JSON string, and the same with an object, the form that transformers documents and
    that servers make of the string before they render. Where the string is rendered and every object fails, it is an error if
    the template renders tools too, so that it takes part in `apply_chat_template(messages, tools=...)`. Where it renders calls
    and no definitions it is a warning: whoever uses tools with it builds the prompt by hand. Where calls render only on engines
    that pass `content: null` on, it is information. The catalogue makes an error of every template that renders calls; the
    two lesser grades are kept for those that nobody can use with tools as they are.

    ## Why is this bad
    Whoever follows the documentation, or serves the model with vLLM or mlx-lm, which make an object of every string before they
    render, gets an error at the second request of an agent. llama.cpp asks the template first and leaves the string as it is.

    ## References
    - [transformers: tool use](https://huggingface.co/docs/transformers/chat_extras)
    - [mlx-lm issue 1065](https://github.com/ml-explore/mlx-lm/issues/1065)
    - [vllm pull request 28820](https://github.com/vllm-project/vllm/pull/28820)
    """

    code = "TPL408"
    name = "dict-arguments-crash"
    category = "tools"
    severity = Severity.ERROR
    examples = (
        Bad(
            TOOLS + CALL + STRING + END,
            says="arguments that come as an object, the documented form, make the template fail: "
            'can only concatenate str (not "dict") to str',
            better=TOOLS + CALL + EITHER + END,
        ),
        Good(TOOLS + CALL + EITHER + END),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content + '<|end|>' }}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        histories = template.tool_histories
        if not histories.strings_only:
            return
        found = histories.best("object").render
        yield Problem(
            "arguments that come as an object, the documented form, make the template fail: "
            f"{found.error.message if found.error else ''}",
            help="write {{ arguments if arguments is string else arguments | tojson }}",
            severity=_severity(template),
            render=found,
        )


def _severity(template: Template) -> Severity:
    usual = template.tool_histories.usual
    if usual is not None and usual.keeps_none:
        return Severity.INFO
    return Severity.ERROR if template.anatomy.renders_tools else Severity.WARNING
