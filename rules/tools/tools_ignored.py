from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tpllint import TOOL, Bad, Good, Model, Place, Problem, Rule, Severity, Template

CONVERSATIONS = ("tools-declared", "tools-declared-with-system", "tool-loop")


class ToolsIgnored(Rule):
    """Declared tools do not reach the prompt.

    ## What it does
    Passes a tool, alone, beside a system message and with a call of it in the history, and looks for its name. It judges the
    template that transformers takes for a call with tools: `tool_use` where there is one, else the default.

    Many models know no tools, so this is information. Whoever wants it to be an error says `--expect tools`; then
    `expected-capability-absent` speaks, and this rule does not.

    ## Why is this bad
    `tools=[...]` is accepted without an error. The model answers in plain text or invents calls.

    ## References
    - [llama.cpp issue 27129](https://github.com/ggml-org/llama.cpp/issues/27129)
    - [transformers issue 32130](https://github.com/huggingface/transformers/issues/32130)
    """

    code = "TPL401"
    name = "tools-ignored"
    category = "tools"
    severity = Severity.INFO
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says="declared tools do not reach the prompt, and nothing is raised",
            better="{% if tools %}<|tools|>{{ tools | tojson }}<|end|>{% endif %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for tool in tools or [] if tool.name %}<|tool|>{{ tool | tojson }}<|end|>{% endfor %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says='declared tools reach the prompt only without the envelope {"type": "function", "function": ...}',
            better="{% for tool in tools or [] %}<|tool|>{{ (tool.function or tool) | tojson }}<|end|>{% endfor %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Good(
            "{% if tools %}{{ raise_exception('this model knows no tools') }}{% endif %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}", expect=("tools",)),
    )

    def check_model(self, model: Model) -> Iterator[Problem]:
        chosen = "tool_use" if any(template.name == "tool_use" for template in model.templates) else "default"
        for template in model.templates:
            if template.name != chosen or "tools" in template.expected or not _ignores(template):
                continue
            bare = _shows_bare(template)
            only = 'reach the prompt only without the envelope {"type": "function", "function": ...}'
            yield Problem(
                f"declared tools {only if bare else 'do not reach the prompt, and nothing is raised'}",
                help="write each of tools with the filter tojson, or refuse them with raise_exception",
                template=template,
                place=_mention(template, "tools") or _mention(template, "messages"),
                render=template.render("tools-declared", generation_prompt=True),
            )


def _ignores(template: Template) -> bool:
    texts = [template.render(name, generation_prompt=name != "tool-loop").text for name in CONVERSATIONS]
    if texts[0] is None or not template.text.strip():
        return False
    without_results = [text for text in texts[:2] if text is not None]
    in_the_loop = TOOL in (texts[2] or "") and TOOL not in (template.render("tool-loop-without-tools").text or "")
    return not in_the_loop and not any(TOOL in text for text in without_results)


def _shows_bare(template: Template) -> bool:
    """Whether a tool shows as a bare function, as some templates want it."""
    declared = template.conversation("tools-declared")
    bare = replace(declared, tools=[tool["function"] for tool in declared.tools or ()])
    return TOOL in (template.render_conversation(bare, generation_prompt=True).text or "")


def _mention(template: Template, name: str) -> Place | None:
    """The first mention of a variable in the source."""
    if template.syntax is None:
        return None
    return next((template.syntax.place(node) for node in template.syntax.find("Name") if node.name == name), None)
