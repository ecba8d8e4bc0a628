from __future__ import annotations

import re
from collections.abc import Iterator

from tpllint import ARGUMENT, SECOND_ARGUMENT, Bad, Good, Place, Problem, Rule, Severity, Template, quoted

WORDS = {ARGUMENT: "first", SECOND_ARGUMENT: "second"}
FIRST_ALONE = re.compile(r"""tool_calls['"\])]*\s{0,9}(?:\[\s{0,9}(?:0|:\s{0,9}1)\s{0,9}\]|\|\s{0,9}first)$""")
OPEN = "{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}"
ALL = OPEN + "{% for call in m.tool_calls or [] %}<call>{{ call.function | tojson }}</call>{% endfor %}<|end|>{% endfor %}"


class ParallelCallsDropped(Rule):
    """Of two calls in one turn, one is lost.

    ## What it does
    Renders a turn with two calls, alone and with both results, in the form in which the template shows a single call, and
    looks for the arguments of both. A silent loss is an error. A refusal is information, and so is a failure, which a template
    that takes one call at a time may well mean.

    ## Why is this bad
    Models and servers call several tools at once. The prompt then holds two results and one call, and whoever trains on it
    teaches the model to leave calls out.

    ## References
    - [vllm issue 11592](https://github.com/vllm-project/vllm/issues/11592)
    - [unsloth pull request 7426](https://github.com/unslothai/unsloth/pull/7426)
    """

    code = "TPL404"
    name = "parallel-calls-dropped"
    category = "tools"
    severity = Severity.ERROR
    examples = (
        Bad(
            OPEN + "{% if m.tool_calls %}<call>{{ m.tool_calls[0].function | tojson }}</call>{% endif %}<|end|>{% endfor %}",
            says='of two calls in one turn the second vanishes: "letter-onyx" is not in the prompt',
            better=ALL,
        ),
        Bad(
            "{% for m in messages %}{% if (m.tool_calls or []) | length > 1 %}{{ raise_exception('one call at a time') }}"
            "{% endif %}<|{{ m.role }}|>{{ m.content or '' }}{{ (m.tool_calls or '') | tojson }}<|end|>{% endfor %}",
            says='two calls in one turn are refused: "one call at a time"',
            better=ALL,
        ),
        Good(ALL),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        histories = template.tool_histories
        if histories.usual is None:
            return
        found = [histories.history(name, *WORDS) for name in ("two-calls", "two-calls-loop")]
        if any(one.works or one.status is None for one in found):
            return
        worst = next((one for one in found if one.status == "dropped"), found[0])
        if worst.lost is None and not any(histories.history(name).works for name in ("tool-call", "tool-loop")):
            return  # one call such as these fails as well
        if worst.lost is not None:
            message = f"of two calls in one turn the {WORDS[worst.lost]} vanishes: {quoted(worst.lost)} is not in the prompt"
        else:
            verb = "are refused" if worst.status == "rejected" else "make the template fail"
            message = f"two calls in one turn {verb}: {quoted(worst.render.error.message if worst.render.error else '')}"
        yield Problem(
            message,
            help="write every one of tool_calls: {% for call in message.tool_calls %}",
            severity=Severity.ERROR if worst.lost else Severity.INFO,
            place=_where_one_is_taken(template) if worst.lost else None,
            render=worst.render,
            lost=worst.lost,
            about="tool_calls",
        )


def _where_one_is_taken(template: Template) -> Place | None:
    """The code that takes the first of the calls alone."""
    if template.syntax is None:
        return None
    places = (template.syntax.expression(node) for node in template.syntax.find("Getitem", "Filter"))
    return next((place for place in places if FIRST_ALONE.search(template.text[place.start : place.end])), None)
