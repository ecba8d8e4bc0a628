from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar

from tpllint import Bad, Good, Problem, Rule, Severity, Template, listed

OBJECT: dict[str, Any] = {"inner": "jasper"}
LITERALS = {"True": True, "None": None}
JUDGED_ELSEWHERE = ("JSON", "escaped JSON", "a Python call", "a Python dictionary")
"""What has to be JSON as a whole is tool-payload-invalid's, a printed dictionary is python-repr-content's."""


class PythonLiteralsInArguments(Rule):
    """An argument of a tool call is written as True or None, while others are written as JSON.

    ## What it does
    Calls a tool with a boolean, null and an object, in formats that write each argument by itself, such as
    `<parameter=days>3</parameter>`. It speaks where true or null appear as Python writes them and the rest appears as JSON.
    Where only null does, and true is right, it is a warning; where both do it is information, since parsers of such formats
    are used to it. Calls of Python and calls that are JSON as a whole are not judged here.

    ## Why is this bad
    The model learns two notations for one thing. What reads the answer as JSON takes `True` for a word, or fails.

    ## References
    - [transformers: tool use](https://huggingface.co/docs/transformers/chat_extras)
    """

    code = "TPL409"
    name = "python-literals-in-arguments"
    category = "tools"
    severity = Severity.WARNING
    raised_by: ClassVar = {"agent": Severity.WARNING}
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}<call="
            "{{ c.function.name }}>"
            "{% for key, value in c.function.arguments.items() %}<arg={{ key }}>"
            "{{ value | tojson if value is mapping else value }}</arg>{% endfor %}</call>{% endfor %}<|end|>{% endfor %}",
            says="an argument that is true or null is written as True and None, while an object is written as JSON",
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}"
            "<call={{ c.function.name }}>{% for key, value in c.function.arguments.items() %}<arg={{ key }}>"
            "{{ value if value is string else value | tojson }}</arg>{% endfor %}</call>{% endfor %}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}<call="
            "{{ c.function.name }}>"
            "{% for key, value in c.function.arguments.items() %}<arg={{ key }}>"
            "{{ value if value is string or value is none else value | tojson }}</arg>{% endfor %}</call>{% endfor %}<|end|>"
            "{% endfor %}",
            says="an argument that is null is written as None, while true is written as JSON",
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}[{{ c.function.name }}("
            "{% for key, value in c.function.arguments.items() %}{{ key }}="
            "{{ value | tojson if value is string else value }}{% endfor %})]{% endfor %}<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        payloads = template.payloads
        if payloads.plain is None or payloads.format in JUDGED_ELSEWHERE:
            return
        words = [word for word, value in LITERALS.items() if payloads.value_text(value) == word]
        as_json = payloads.value_text(OBJECT) == json.dumps(OBJECT)
        true_as_json = (payloads.value_text(True) or "").endswith("true")
        if words and (as_json or true_as_json):
            call = payloads.written({"place": LITERALS[words[0]]})
            passed = " or ".join(json.dumps(LITERALS[word]) for word in words)
            other = "true" if true_as_json else "an object"
            yield Problem(
                f"an argument that is {passed} is written as {listed(words)}, while {other} is written as JSON",
                help="write every value that is no string with the filter tojson",
                severity=Severity.WARNING if true_as_json else Severity.INFO,
                render=call.render if call else None,
                shows=words[0],
            )
