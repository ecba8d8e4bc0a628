from __future__ import annotations

import re
from collections.abc import Iterator

from tpllint import ARGUMENT, Bad, Good, Place, Problem, Render, Rule, Severity, Template

READS = re.compile(r"""\barguments['"]?\]?$""")
CALL = "{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}{% for call in m.tool_calls or [] %}<call>"
NAME = "{{ call.function.name }}: "
END = "</call>{% endfor %}<|end|>{% endfor %}"
BY_KEY = "{% for key, value in call.function.arguments | items %}{{ key }}={{ value | tojson }}{% endfor %}"


class StringArgumentsDropped(Rule):
    """Arguments that come as a JSON string vanish, or are taken apart.

    ## What it does
    Renders a call whose arguments are an object, as transformers documents it, and the same with a JSON string, as OpenAI's
    API and its clients send it. Where the object shows and the string does not, without an error, it is reported: it is left
    out, or a loop over the keys runs over its letters. vLLM, which makes an object of the string first, never gets there;
    whoever passes a request on to transformers does.

    ## Why is this bad
    The model sees that it called the tool with no arguments, and does so again. Nobody is told.

    ## References
    - [mlx-lm issue 1065](https://github.com/ml-explore/mlx-lm/issues/1065)
    - [transformers: tool use](https://huggingface.co/docs/transformers/chat_extras)
    """

    code = "TPL407"
    name = "string-arguments-dropped"
    category = "tools"
    severity = Severity.WARNING
    examples = (
        Bad(
            CALL + NAME + "{% if call.function.arguments is mapping %}" + BY_KEY + "{% endif %}" + END,
            says="the arguments of a call vanish when they come as a JSON string",
            better=CALL
            + NAME
            + "{% if call.function.arguments is mapping %}"
            + BY_KEY
            + "{% else %}{{ call.function.arguments }}{% endif %}"
            + END,
        ),
        Bad(
            CALL
            + NAME
            + "{% for key in call.function.arguments %}{{ key }}={{ call.function.arguments[key] }} {% endfor %}"
            + END,
            says="the arguments of a call are taken apart, letter by letter, when they come as a JSON string",
        ),
        Good(CALL + NAME + BY_KEY + END),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        histories = template.tool_histories
        found = histories.best("string")
        like = histories.best("object")
        if found.status == "dropped" and like.works:
            longer = len(found.render.text or "") > len(like.render.text or "")
            happens = "are taken apart, letter by letter," if longer else "vanish"
            yield Problem(
                f"the arguments of a call {happens} when they come as a JSON string",
                help="write a string as it is, {% else %}{{ call.function.arguments }}, or refuse it with raise_exception",
                place=_place(template, found.render),
                render=found.render,
                lost=ARGUMENT,
                about="arguments",
            )


def _place(template: Template, render: Render) -> Place | None:
    """The condition that asks for the arguments or, where none does, the code that reads them."""
    asked = template.place_of_loss(render, ARGUMENT, "arguments")
    if template.syntax is None or (asked is not None and "arguments" in template.text[asked.start : asked.end]):
        return asked
    places = (template.syntax.expression(node) for node in template.syntax.find("Getattr", "Getitem"))
    return next((place for place in places if READS.search(template.text[place.start : place.end])), asked)
