from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from tpllint import (
    ARGUMENT,
    RESULT,
    TOOL,
    Bad,
    Conversation,
    Good,
    Problem,
    Render,
    RenderError,
    Rule,
    Severity,
    Template,
    fails_alike,
)

LOOP = (("tool-loop", False),)
DECLARED = (("tools-declared", False),)


class Case(NamedTuple):
    """A conversation in which a key is absent, and the same with the key: names, and whether null is passed on.

    One of the latter has to render and to show `shows`, or tools and a result, else the template promises nothing of the key.
    """

    conversation: str
    what: str
    complete: tuple[tuple[str, bool], ...]
    shows: str
    severity: Severity | None = None


CASES = (
    Case(
        "tool-loop-missing-content",
        'a tool call without "content"',
        (("tool-loop", False), ("tool-loop-null-content", True)),
        ARGUMENT,
    ),
    Case(
        "tool-loop-string-arguments-missing-content",
        'a tool call without "content"',
        (("tool-loop-string-arguments", False), ("tool-loop-string-arguments-null-content", True)),
        ARGUMENT,
    ),
    Case("tool-loop-no-call-id", 'a tool call without "id"', LOOP, ARGUMENT, Severity.INFO),
    Case("tool-loop-no-result-id", 'a tool\'s result without "tool_call_id"', LOOP, ARGUMENT, Severity.INFO),
    Case("tool-loop-no-result-name", 'a tool\'s result without "name"', LOOP, ARGUMENT),
    Case(
        "tool-loop-missing-result",
        'a tool\'s result without "content"',
        (("tool-loop-empty-result", False),),
        ARGUMENT,
        Severity.INFO,
    ),
    Case("tools-without-description", 'a tool without "description"', DECLARED, TOOL),
    Case("tools-without-parameters", 'a tool without "parameters"', DECLARED, TOOL),
    Case("tools-without-properties", 'a tool whose "parameters" have no "properties"', DECLARED, TOOL),
    Case("tools-with-bare-parameter", "a tool's parameter without type and description", DECLARED, TOOL),
)


class MissingKeyCrash(Rule):
    """An optional key that is absent makes the template fail.

    ## What it does
    Renders tool calls, results and definitions with a key left out, beside the same with the key: `content` and `id` of a call,
    `tool_call_id` and `name` of a result, `description`, `parameters` and `properties` of a tool, type and description of a
    parameter. What fails only without the key is reported once for each place in the template. The ids, which some formats
    need, and a result without `content` are information, and so is what concerns calls in a template that renders none. A
    template that fails on tools in their envelope (`{"type": "function", "function": {...}}`) is asked with bare ones.

    Nothing is said of a refusal with `raise_exception`, of templates that render neither calls nor tools, of `arguments`,
    `role` and `type`, which callers always send, and of plain messages without `content`.

    ## Why is this bad
    OpenAI's clients send neither the name of a result nor, beside a call, any content, and transformers drops `content: null`
    since 5.23. The first call of an agent works, and the next request raises.

    ## References
    - [OpenAI: chat completions](https://platform.openai.com/docs/api-reference/chat/create)
    - [transformers pull request 45422](https://github.com/huggingface/transformers/pull/45422)
    """

    code = "TPL316"
    name = "missing-key-crash"
    category = "content"
    severity = Severity.WARNING
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content + '' }}{{ (m.tool_calls or []) | tojson }}<|end|>{% endfor %}",
            says="a tool call without \"content\" makes the template fail: 'dict object' has no attribute 'content'",
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}{{ (m.tool_calls or []) | tojson }}<|end|>"
            "{% endfor %}",
        ),
        Bad(
            "{% for tool in tools or [] %}{{ tool.function.name + ': ' + tool.function.description }}\n{% endfor %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says="a tool without \"description\" makes the template fail: 'dict object' has no attribute 'description'",
            better="{% for tool in tools or [] %}{{ tool.function.name }}: {{ tool.function.description or '' }}\n{% endfor %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content + '<|end|>' }}{% endfor %}"),
        Good(
            "{% for m in messages %}{% if m.role == 'tool' and not m.name %}{{ raise_exception('a result needs a name') }}"
            "{% endif %}<|{{ m.role }}|>{{ m.content or '' }}{{ (m.tool_calls or []) | tojson }}<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        told: set[int | None] = set()
        for case in CASES:
            render = _render(template, case)
            error = _crash(render)
            if error is None or error.offset in told or not _is_expected(template, case):
                continue
            told.add(error.offset)
            plays_no_part = case.shows == ARGUMENT and not template.anatomy.renders_calls
            yield Problem(
                f"{case.what} makes the template fail: {error.message}",
                help="test that the key is there before it is used, as in {{ message.content or '' }}",
                severity=Severity.INFO if plays_no_part else case.severity,
                render=render,
                holds=fails_alike(render),
            )


def _render(template: Template, case: Case) -> Render:
    """The conversation through the template; without the envelopes of its tools where no tool in one renders."""
    if case.complete is DECLARED and template.render("tools-declared").error is not None:
        return template.render_conversation(_bare(template.conversation(case.conversation)))
    return template.render(case.conversation)


def _bare(conversation: Conversation) -> Conversation:
    return replace(conversation, tools=[tool["function"] for tool in conversation.tools or ()])


def _crash(render: Render) -> RenderError | None:
    """How the render failed, unless the template refused it on purpose."""
    return render.error if render.error is not None and render.error.kind == "error" else None


def _is_expected(template: Template, case: Case) -> bool:
    """Whether the conversation renders with the key, and the template takes part in the use of tools."""
    for name, keep_none in case.complete:
        render = template.render_conversation(template.conversation(name), keep_none=keep_none)
        if case.complete is DECLARED and render.error is not None:
            render = template.render_conversation(_bare(template.conversation(name)))
        text = render.text or ""
        if case.shows in text or (RESULT in text and template.anatomy.renders_tools):
            return True
    return False
