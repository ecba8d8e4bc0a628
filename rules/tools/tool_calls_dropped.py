from __future__ import annotations

from collections.abc import Iterator

from tpllint import ANSWER, ARGUMENT, QUESTION, Bad, Good, Place, Problem, Render, Rule, Severity, Template, listed

SPECIAL = {
    "tool-call": "it is the last message",
    "tool-loop-text-beside-call": "text stands beside it",
    "tool-loop-without-tools": "no tools are declared",
}
"""Canonical conversations in which a call may show that shows nowhere else, and what they have in common."""
AS_AN_OBJECT = "its arguments are an object"
CONTENTS = {"empty": "its content is empty", "absent": "it has no content", "null": "its content is null"}
WITH_CALLS = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}"
    "{% for call in m.tool_calls or [] %}<call>{{ call.function | tojson }}</call>{% endfor %}<|end|>{% endfor %}"
)
TOOLS = "{% if tools %}<|tools|>{{ tools | tojson }}<|end|>{% endif %}"


class ToolCallsDropped(Rule):
    """The assistant's tool calls vanish from the history.

    ## What it does
    Renders a call with its arguments as an object and as a string, with empty, absent and null content, with text beside it,
    as the last message and followed by a result, and looks for its argument. A call that shows in none of them, though none
    is refused, is an error where the template renders tools. Where it shows in some and vanishes in others, it is a warning
    that tells when, and information where only engines that pass null on would see it. String arguments alone are
    `string-arguments-dropped`.

    A template that renders neither tools nor calls makes no promise: then it is information.

    ## Why is this bad
    After the first call the model reads a result that nobody asked for, next to its own empty answer. It calls the tool again,
    or learns to answer with nothing.

    ## References
    - [transformers: tool use](https://huggingface.co/docs/transformers/chat_extras)
    - [oumi pull request 2603](https://github.com/oumi-ai/oumi/pull/2603)
    """

    code = "TPL402"
    name = "tool-calls-dropped"
    category = "tools"
    severity = Severity.ERROR
    examples = (
        Bad(
            TOOLS + "{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}<|end|>{% endfor %}",
            says="the assistant's tool call vanishes from the prompt without an error",
            better=TOOLS + WITH_CALLS,
        ),
        Bad(
            TOOLS + "{% for m in messages %}<|{{ m.role }}|>{% if m.content %}{{ m.content }}{% else %}"
            "{{ m.tool_calls | tojson }}{% endif %}<|end|>{% endfor %}",
            says="the assistant's tool call vanishes from the prompt when text stands beside it",
            better=TOOLS + WITH_CALLS,
        ),
        Bad(
            TOOLS + "{% for m in messages %}<|{{ m.role }}|>{% if m.content is defined %}{{ m.content }}{% else %}"
            "{{ m.tool_calls | tojson }}{% endif %}<|end|>{% endfor %}",
            says="the assistant's tool call vanishes from the prompt when its content is empty and when text stands beside it",
            better=TOOLS + WITH_CALLS,
        ),
        Good(TOOLS + WITH_CALLS),
        Good(
            TOOLS + "{% for m in messages %}{% if m.tool_calls %}{{ raise_exception('no calls, please') }}{% endif %}"
            "<|{{ m.role }}|>{{ m.content or '' }}<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if not template.text.strip():
            return  # empty-template-shadows tells that nothing is rendered
        histories = template.tool_histories
        found = _sometimes(template) if histories.usual else _always(template)
        if found is None or (histories.in_use and QUESTION not in (found[1].text or "")):
            return  # the loss of every message is role-dropped's to tell
        when, render, severity = found
        yield Problem(
            f"the assistant's tool call vanishes from the prompt {when}",
            help="write tool_calls whatever else the message holds, or refuse them with raise_exception",
            severity=severity if histories.in_use else Severity.INFO,
            place=_where_answers_are_written(template) if histories.in_use else None,
            render=render,
            lost=ARGUMENT,
            about="tool_calls" if AS_AN_OBJECT in when or not histories.usual else "content",
        )


def _where_answers_are_written(template: Template) -> Place | None:
    """The code that writes what the assistant says, for a template that never asks for calls."""
    render = template.render("user-assistant-user", generation_prompt=True)
    return None if "tool_calls" in template.text or ANSWER not in (render.text or "") else template.place_of(render, ANSWER)


def _always(template: Template) -> tuple[str, Render, Severity] | None:
    """A call that shows in no form; where it shows in a special place, a warning that says so."""
    histories = template.tool_histories
    dropped = next((found for found in histories.calls.values() if found.status == "dropped"), None)
    if dropped is None:
        return None
    for name, when in SPECIAL.items():
        if histories.history(name, ARGUMENT).works:
            return f"unless {when}", dropped.render, Severity.WARNING
    if histories.best("object").status != "dropped":
        return None  # refused or failing in the documented form
    shortest = histories.history("tool-call", ARGUMENT)
    return "without an error", shortest.render if shortest.status == "dropped" else dropped.render, Severity.ERROR


def _sometimes(template: Template) -> tuple[str, Render, Severity] | None:
    """When a call vanishes that shows in its usual form."""
    histories = template.tool_histories
    lost = dict(_lost(template))
    if not lost:
        return None
    if list(lost) == [CONTENTS["null"]]:
        return f"when {CONTENTS['null']}, on engines that pass null on", lost[CONTENTS["null"]], Severity.INFO
    severity = Severity.ERROR if AS_AN_OBJECT in lost else Severity.WARNING
    only_null = histories.usual is not None and histories.usual.keeps_none
    return listed([f"when {why}" for why in lost]), next(iter(lost.values())), Severity.INFO if only_null else severity


def _lost(template: Template) -> Iterator[tuple[str, Render]]:
    """Why a call is lost, and the evidence; what null does is told where nothing else does it."""
    histories = template.tool_histories
    if histories.best("object").status == "dropped":
        yield AS_AN_OBJECT, histories.best("object").render
    arguments = histories.usual.arguments if histories.usual else ""
    dropped = [form for form, found in histories.calls.items() if form.arguments == arguments and found.status == "dropped"]
    for form in dropped:
        if not form.keeps_none or dropped == [form]:
            yield CONTENTS[form.content], histories.calls[form].render
    beside = histories.history("tool-loop-text-beside-call", ARGUMENT)
    if beside.status == "dropped":
        yield SPECIAL["tool-loop-text-beside-call"], beside.render
