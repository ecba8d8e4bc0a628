from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from tpllint import ARGUMENT, REMARK, Bad, Good, Problem, Rule, Severity, Template, quoted

LOOP = "tool-loop-text-beside-call"


class TextBesideToolCallDropped(Rule):
    """What the assistant says beside a tool call vanishes.

    ## What it does
    Renders a call with text beside it, in the form in which the template takes calls, answered and awaiting an answer. Where
    the call shows and the text never does, it is information, and a warning in the profile agent: many formats know either
    text or a call, and their models write no text beside one.

    A template that shows the text while the loop is open and leaves it out later takes it for reasoning: that is not reported.

    ## Why is this bad
    Models announce what they are about to look up, and agents send it back. The history then lacks half of a turn.

    ## References
    - [transformers: tool use](https://huggingface.co/docs/transformers/chat_extras)
    - [OpenAI: chat completions](https://platform.openai.com/docs/api-reference/chat/create)
    """

    code = "TPL412"
    name = "text-beside-tool-call-dropped"
    category = "tools"
    severity = Severity.INFO
    only_infos = True
    raised_by: ClassVar[Mapping[str, Severity]] = {"agent": Severity.WARNING}
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.tool_calls %}{{ m.tool_calls | tojson }}{% else %}"
            "{{ m.content }}{% endif %}<|end|>{% endfor %}",
            says='the text beside a tool call, "remark-marble", vanishes from the prompt without an error',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% if m.tool_calls %}{{ m.tool_calls | tojson }}"
            "{% endif %}<|end|>{% endfor %}",
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{% if not m.tool_calls %}{{ m.content }}"
            "{% elif messages[-1].role == 'tool' %}{{ m.content }}{% endif %}"
            "{{ (m.tool_calls or '') | tojson }}<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        histories = template.tool_histories
        found = histories.history(LOOP, ARGUMENT, REMARK)
        if histories.usual is None or found.lost != REMARK:
            return
        loop = histories.conversation(LOOP)
        waiting = template.render_conversation(replace(loop, messages=loop.messages[:-1]), generation_prompt=True)
        if waiting.text is not None and REMARK not in waiting.text:
            yield Problem(
                f"the text beside a tool call, {quoted(REMARK)}, vanishes from the prompt without an error",
                help="write the content of a message whether or not it has tool_calls",
                render=found.render,
                shows=ARGUMENT,
            )
