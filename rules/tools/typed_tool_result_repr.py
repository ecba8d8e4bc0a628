from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from tpllint import QUESTION, RESULT, Bad, Good, Problem, Rule, Severity, Template, quoted

LOOP = "tool-loop-parts-result"
BEFORE_TEXT = r"""\[?\{\\?['"]type\\?['"]: ?\\?['"]text\\?['"][^{}\n]{0,80}?"""
BEHIND_TEXT = r"""\\?['"]\}\]?"""
PART, PART_OF_QUESTION = (re.compile(BEFORE_TEXT + word + BEHIND_TEXT) for word in (RESULT, QUESTION))
TEXT = "{{ m.content if m.content is string else m.content | map(attribute='text') | join }}"
CALLS = "{{ (m.tool_calls or '') | tojson }}"


class TypedToolResultRepr(Rule):
    """A tool's result that comes as a list of parts is printed as a list, or vanishes.

    ## What it does
    Renders a result as `[{"type": "text", "text": ...}]` beside the same as plain text, in the form in which the template takes
    calls. A printed list and a lost text are information, and a warning in the profile agent. Templates that fail on the list
    are `list-content-crash`, and templates that read nothing but lists are left alone. So are those that render neither tools
    nor calls, and those that do the same with what the user says: `python-repr-content` and `list-content-dropped` tell that.

    ## Why is this bad
    MCP and OpenAI's API allow results in parts, and agents pass them on. The model reads a data structure in place of
    a result, or nothing.

    ## References
    - [transformers: tool use](https://huggingface.co/docs/transformers/chat_extras)
    - [OpenAI: chat completions](https://platform.openai.com/docs/api-reference/chat/create)
    """

    code = "TPL413"
    name = "typed-tool-result-repr"
    category = "tools"
    severity = Severity.INFO
    only_infos = True
    raised_by: ClassVar[Mapping[str, Severity]] = {"agent": Severity.WARNING}
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'tool' %}{{ m.content }}{% else %}"
            + TEXT
            + CALLS
            + "{% endif %}<|end|>{% endfor %}",
            says="a tool's result in parts is printed as a list: \"[{'type': 'text', 'text': 'result-iris'}]\"",
            better="{% for m in messages %}<|{{ m.role }}|>" + TEXT + CALLS + "<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'tool' %}{{ m.content if m.content is string }}"
            "{% else %}" + TEXT + CALLS + "{% endif %}<|end|>{% endfor %}",
            says='a tool\'s result in parts vanishes: "result-iris" is not in the prompt',
            better="{% for m in messages %}<|{{ m.role }}|>" + TEXT + CALLS + "<|end|>{% endfor %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}" + CALLS + "<|end|>{% endfor %}"),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content + '<|end|>' }}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        histories = template.tool_histories
        if (
            template.anatomy.reads_parts_only
            or not histories.in_use
            or histories.history("tool-loop", RESULT).status != "shown"
        ):
            return
        found = histories.history(LOOP, RESULT)
        printed = PART.search(found.render.text or "")
        if (not printed and found.status != "dropped") or _happens_to_users(template, printed is not None):
            return
        how = f"is printed as a list: {quoted(printed[0])}" if printed else f"vanishes: {quoted(RESULT)} is not in the prompt"
        yield Problem(
            f"a tool's result in parts {how}",
            help="write the text of every part: {% for part in message.content %}{{ part.text }}{% endfor %} "
            "where message.content is not string",
            render=found.render,
            shows=printed.span() if printed else None,
            lost=None if printed else RESULT,
            about="content",
        )


def _happens_to_users(template: Template, printed: bool) -> bool:
    """Whether what the user says in parts is printed, or vanishes, as a tool's result does."""
    text = template.render("user-parts", generation_prompt=True).text
    return text is not None and (PART_OF_QUESTION.search(text) is not None if printed else QUESTION not in text)
