from __future__ import annotations

import re
from collections.abc import Iterator

from tpllint import QUESTION, TOOL, Bad, Good, Problem, Rule, Severity, Template, common_prefix, common_suffix, quoted

NEAR, SHOWN = 600, 60
ABOUT_TOOLS = re.compile(r"tools?\b|functions?\b|plugins?\b", re.IGNORECASE)
NOTHING = ("", "null", "None", "[]", "{}")
"""What may stand in the place of the definitions where there are none."""


class ToolPromptWithoutTools(Rule):
    """A chat without tools gets the instructions for tools, or an empty section for them.

    ## What it does
    Compares a chat with a tool and the same chat without, for which transformers passes `tools` as None. It speaks where they
    differ in nothing but the definition itself, so that the words around it, which tell of tools, stand in both. It is an
    error where the template meant to leave them out: where they are gone once not even the name `tools` is given, as `tools is
    defined` asks, or where `null` stands in the place of the definitions. Where a template always writes its section it is
    information: some models are trained so.

    The first idea, to learn the section's words as the difference between both chats, finds nothing where they are
    equal; what tells is that the difference has no words of its own.

    ## Why is this bad
    The model is told to call functions and has none; it invents one, or answers a greeting with a call.

    ## References
    - [transformers: tool use](https://huggingface.co/docs/transformers/chat_extras)
    """

    code = "TPL418"
    name = "tool-prompt-without-tools"
    category = "tools"
    severity = Severity.ERROR
    examples = (
        Bad(
            "{% if tools is defined %}<|system|>You can call these tools: {% for t in tools or [] %}{{ t | tojson }}"
            "{% endfor %}"
            "<|end|>{% endif %}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says='a chat without tools is told of tools: "<|system|>You can call these tools: <|end|><|user|>"',
            better="{% if tools %}<|system|>You can call these tools: {% for t in tools or [] %}{{ t | tojson }}{% endfor %}"
            "<|end|>{% endif %}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "[TOOLS]{{ tools | tojson }}[/TOOLS]{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says='a chat without tools is told of tools: "[TOOLS]null[/TOOLS]<|user|>"',
        ),
        Good(
            "<|system|>You are a helpful assistant with tools.<|end|>{% if tools %}<|system|>Your tools: {{ tools | tojson }}"
            "<|end|>{% endif %}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        render = template.render("user", generation_prompt=True)
        with_tool, text = template.render("tools-declared", generation_prompt=True).text, render.text
        if with_tool is None or text is None or not template.anatomy.renders_tools:
            return
        start = common_prefix(text, with_tool)
        end = len(text) - common_suffix(text[start:], with_tool[start:])
        added = with_tool[start : len(with_tool) - (len(text) - end)]
        before, after = text[max(0, start - NEAR) : start], text[end:].partition(QUESTION)[0][:NEAR]
        if text[start:end].strip() not in NOTHING or not _is_only_a_definition(added):
            return
        if QUESTION in before:
            before = before.rpartition(QUESTION)[2]
        if ABOUT_TOOLS.search(before) or ABOUT_TOOLS.search(after):
            shown = start - len(_end_of(before)), end + min(len(after), SHOWN)
            meant = text[start:end].strip() not in ("", "[]") or template.payloads.without_name != text
            yield Problem(
                f"a chat without tools is told of tools: {quoted(text[slice(*shown)])}",
                help="write this part only where {% if tools %} holds: None is defined, and its list is empty",
                severity=Severity.ERROR if meant else Severity.INFO,
                render=render,
                shows=shown,
            )


def _is_only_a_definition(added: str) -> bool:
    """Whether a text that comes with a tool is its definition and has no words about tools of its own before it."""
    words = added.lstrip()
    return words.startswith(("{", "[")) or ABOUT_TOOLS.search(words.partition(TOOL)[0]) is None


def _end_of(text: str) -> str:
    """The last words of a text."""
    return text if len(text) <= SHOWN else text[-SHOWN:].partition(" ")[2]
