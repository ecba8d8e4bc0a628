from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from tpllint import Bad, Good, Problem, Rule, Severity, Template, quoted

CALL = "{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}{% for call in m.tool_calls or [] %}<call>"
END = "</call>{% endfor %}<|end|>{% endfor %}"
AS_GIVEN = "{% if call.function.arguments is string %}{{ call.function.arguments }}{% else %}"
AS_JSON = "{{ call.function.arguments | tojson }}"
BY_KEY = "{% for key, value in call.function.arguments.items() %}{{ key }}: {{ value | tojson }} {% endfor %}"
BEGINNINGS = ('{\\"place\\"', '\'{"place"', '{{"place"')
AROUND = 29


class StringArgumentsDoubleEncoded(Rule):
    """Arguments that come as a JSON string are encoded a second time.

    ## What it does
    Renders a call whose arguments are an object, as transformers documents it, and the same with a JSON string, as OpenAI's
    API and its clients send it. Where the object is written well and the string as a quoted string with escaped quotes, or in
    braces of the template's own around those that it has, it is information, and a warning in the profile agent.

    Who meets it: vLLM makes an object of the string before it renders, and llama.cpp does so for templates that it finds to
    take objects. transformers passes on what it gets, and so does a trainer that is fed recorded requests. A template that
    used to fail on objects and now writes them with `tojson` gets this finding new: strings, which were right before, now
    are not.

    ## Why is this bad
    The model reads `"{\\"city\\": \\"Paris\\"}"` where it learnt `{"city": "Paris"}`. It copies the form, and the next call
    does not parse.

    ## References
    - [sglang pull request 12123](https://github.com/sgl-project/sglang/pull/12123)
    - [flama issue 258](https://github.com/vortico/flama/issues/258)
    - [d-inference issue 249](https://github.com/Layr-Labs/d-inference/issues/249)
    - [oumi pull request 2599](https://github.com/oumi-ai/oumi/pull/2599)
    """

    code = "TPL405"
    name = "string-arguments-double-encoded"
    category = "tools"
    severity = Severity.INFO
    only_infos = True
    raised_by: ClassVar[Mapping[str, Severity]] = {"agent": Severity.WARNING}
    examples = (
        Bad(
            CALL + AS_JSON + END,
            says=r'arguments that come as a JSON string are encoded twice: "\"{\\\"place\\\": \\\"harbour-jasper"',
            better=CALL + AS_GIVEN + AS_JSON + "{% endif %}" + END,
        ),
        Bad(
            CALL + "{{ '{' }}" + AS_GIVEN + BY_KEY + "{% endif %}{{ '}' }}" + END,
            says=r'arguments that come as a JSON string are encoded twice: "{{\"place\": \"harbour-jasper\", "',
        ),
        Good(CALL + AS_GIVEN + AS_JSON + "{% endif %}" + END),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        histories = template.tool_histories
        found = histories.best("string")
        if found.status != "double-encoded" or histories.best("object").status != "shown":
            return
        text = found.render.text or ""
        at = max(text.find(beginning) for beginning in BEGINNINGS)
        start = at - 1 if text[at - 1 : at] == '"' else at
        yield Problem(
            f"arguments that come as a JSON string are encoded twice: {quoted(text[start : start + AROUND])}",
            help="write them as they are where message.tool_calls[0].function.arguments is string",
            render=found.render,
            shows=(start, start + AROUND),
        )
