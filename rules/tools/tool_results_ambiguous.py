from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from tpllint import RESULT, SECOND_RESULT, Bad, Good, Problem, Rule, Severity, Template

RESULTS = (RESULT, SECOND_RESULT)
LOOP = "two-calls-two-results"
OPEN = "{% for m in messages %}{% if m.role == 'tool' %}<|tool|>"
CLOSE = (
    "{{ m.content }}<|end|>{% else %}<|{{ m.role }}|>{{ m.content or '' }}{{ (m.tool_calls or '') | tojson }}<|end|>"
    "{% endif %}{% endfor %}"
)


class ToolResultsAmbiguous(Rule):
    """Two results render alike, whichever call they belong to.

    ## What it does
    Renders two calls of the same tool and their results, once in the order of the calls and once the other way round, in the
    form in which the template takes calls. Where the results stand in the order of the messages and nothing but their texts
    differs, neither an id nor an order tells which call each one answers.

    It is information, and a warning in the profile agent: most formats rely on results that come in the order of the calls.

    ## Why is this bad
    Tools that run side by side finish in any order, and agents append each result as it comes. The model takes the weather of
    one city for that of the other.

    ## References
    - [OpenAI: chat completions](https://platform.openai.com/docs/api-reference/chat/create)
    - [transformers: tool use](https://huggingface.co/docs/transformers/chat_extras)
    """

    code = "TPL414"
    name = "tool-results-ambiguous"
    category = "tools"
    severity = Severity.INFO
    raised_by: ClassVar[Mapping[str, Severity]] = {"agent": Severity.WARNING}
    examples = (
        Bad(
            OPEN + CLOSE,
            says="two results of one tool render alike, whichever call they belong to",
            better=OPEN + "{{ m.tool_call_id }}: " + CLOSE,
        ),
        Good(OPEN + "{{ m.tool_call_id }}: " + CLOSE),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        histories = template.tool_histories
        if histories.usual is None or not histories.history(LOOP, *RESULTS).works:
            return
        keep_none = histories.usual.keeps_none
        same = _of_one_tool(histories.conversation(LOOP).messages)
        prompts = []
        for messages in (same, [*same[:2], same[3], same[2]]):
            conversation = replace(histories.conversation(LOOP), messages=messages)
            prompts.append(template.render_conversation(conversation, generation_prompt=True, keep_none=keep_none))
        texts = [render.text for render in prompts]
        if texts[0] is None or texts[1] is None or texts[0] == texts[1] or _swapped(texts[1]) != texts[0]:
            return
        yield Problem(
            "two results of one tool render alike, whichever call they belong to",
            help="write the tool_call_id in the call and in its result, or write results in the order of the calls",
            render=prompts[0],
            shows=RESULTS[1],
        )


def _of_one_tool(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The calls and results of two tools as those of one."""
    question, turn, *results = messages
    first, second = turn["tool_calls"]
    named = {**second, "function": {**second["function"], "name": first["function"]["name"]}}
    results = [{**result, "name": results[0].get("name")} for result in results]
    return [question, {**turn, "tool_calls": [first, named]}, *results]


def _swapped(text: str) -> str:
    """The text with the two results in each other's place."""
    first, second = RESULTS
    return second.join(part.replace(second, first) for part in text.split(first))
