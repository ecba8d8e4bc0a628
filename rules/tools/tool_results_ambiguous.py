from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from tpllint import CALL_ID, RESULT, SECOND_RESULT, Bad, Good, Problem, Render, Rule, Severity, Template, quoted

RESULTS = (RESULT, SECOND_RESULT)
LOOP = "two-calls-two-results"
OPEN = "{% for m in messages %}{% if m.role == 'tool' %}"
SAID = "{{ m.content }}"
CLOSE = "{% else %}<|{{ m.role }}|>{{ m.content or '' }}{{ (m.tool_calls or '') | tojson }}<|end|>{% endif %}{% endfor %}"


class ToolResultsAmbiguous(Rule):
    """Nothing in the prompt tells which of two calls a result answers.

    ## What it does
    Renders two calls of the same tool and their results in the order of the calls, in the form in which the template takes
    calls, and the same with the ids of the results exchanged. Where both prompts are equal, the results are told apart by
    their place alone. That is a warning where the place tells nothing: the results stand in another order than the calls, or
    run together with nothing but blanks between them. Where the calls are written with their ids it is information, and a
    warning in the profile agent: the model sees ids, and the result that carries one leaves it out.

    The first idea was to exchange the results and to report whatever differs in their texts alone, as a warning. That
    is so in most formats, which show no ids at all and rely on results that come in the order of the calls. Clients send them
    so, and nobody can change it without leaving the format of the model; those are not reported.

    ## Why is this bad
    The model takes the weather of one city for that of the other.

    ## References
    - [OpenAI: chat completions](https://platform.openai.com/docs/api-reference/chat/create)
    - [transformers: tool use](https://huggingface.co/docs/transformers/chat_extras)
    """

    code = "TPL414"
    name = "tool-results-ambiguous"
    category = "tools"
    severity = Severity.WARNING
    raised_by: ClassVar[Mapping[str, Severity]] = {"agent": Severity.WARNING}
    examples = (
        Bad(
            OPEN + "<|tool|>" + SAID + "<|end|>" + CLOSE,
            says='a result does not say which call it answers, although the calls have ids, such as "callabc01"',
            better=OPEN + "<|tool|>{{ m.tool_call_id }}: " + SAID + "<|end|>" + CLOSE,
        ),
        Bad(
            OPEN + "{{ '<|tool|>' if loop.previtem.role != 'tool' }}" + SAID + CLOSE,
            says='two results of one tool run together: "result-irisresult-pearl"',
            better=OPEN + "<|tool|>{{ m.tool_call_id }}: " + SAID + "<|end|>" + CLOSE,
        ),
        Bad(
            "{% for m in messages if m.role != 'tool' %}<|{{ m.role }}|>{{ m.content or '' }}"
            "{{ (m.tool_calls or '') | tojson }}<|end|>{% endfor %}"
            "{% for m in messages | reverse if m.role == 'tool' %}<|tool|>{{ m.content }}<|end|>{% endfor %}",
            says="two results of one tool stand in another order than their calls, and nothing else tells which is which",
        ),
        Good(OPEN + "<|tool|>{{ m.tool_call_id }}: " + SAID + "<|end|>" + CLOSE),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}{% for call in m.tool_calls or [] %}"
            "{{ call.function | tojson }}{% endfor %}<|end|>{% endfor %}"
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        histories = template.tool_histories
        if histories.usual is None or not histories.history(LOOP, *RESULTS).works:
            return
        same = _of_one_tool(histories.conversation(LOOP).messages)
        render, exchanged = (_render(template, messages) for messages in (same, _with_ids_exchanged(same)))
        if render.text is None or render.text != exchanged.text:
            return
        found = _problem(render.text)
        if found is not None:
            message, shows, severity = found
            yield Problem(
                message,
                help="write the tool_call_id in the call and in its result, or every result in a turn or tags of its own",
                severity=severity,
                render=render,
                shows=shows,
            )


def _render(template: Template, messages: Sequence[Mapping[str, Any]]) -> Render:
    histories = template.tool_histories
    conversation = replace(histories.conversation(LOOP), messages=messages)
    keep_none = histories.usual is not None and histories.usual.keeps_none
    return template.render_conversation(conversation, generation_prompt=True, keep_none=keep_none)


def _problem(text: str) -> tuple[str, tuple[int, int], Severity] | None:
    """What leaves two results ambiguous in a prompt, in which their ids play no part."""
    first, second = (text.find(result) for result in RESULTS)
    if min(first, second) < 0:
        return None
    shown = min(first, second), max(first + len(RESULTS[0]), second + len(RESULTS[1]))
    if second < first:
        why = "stand in another order than their calls, and nothing else tells which is which"
        return f"two results of one tool {why}", shown, Severity.WARNING
    if not text[first + len(RESULTS[0]) : second].strip():
        return f"two results of one tool run together: {quoted(text[slice(*shown)])}", shown, Severity.WARNING
    if CALL_ID in text:
        message = f"a result does not say which call it answers, although the calls have ids, such as {quoted(CALL_ID)}"
        return message, (first, first + len(RESULTS[0])), Severity.INFO
    return None


def _of_one_tool(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The calls and results of two tools as those of one."""
    question, turn, *results = messages
    first, second = turn["tool_calls"]
    named = {**second, "function": {**second["function"], "name": first["function"]["name"]}}
    results = [{**result, "name": results[0].get("name")} for result in results]
    return [question, {**turn, "tool_calls": [first, named]}, *results]


def _with_ids_exchanged(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The same messages with the id of each of the two results in the other."""
    *before, first, second = messages
    return [
        *before,
        {**first, "tool_call_id": second.get("tool_call_id")},
        {**second, "tool_call_id": first.get("tool_call_id")},
    ]
