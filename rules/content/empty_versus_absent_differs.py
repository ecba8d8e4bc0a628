from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, NamedTuple

from tpllint import ANSWER, ARGUMENT, Bad, Good, Problem, Render, Rule, Severity, Template, common_prefix, common_suffix, quoted

LONGEST = 40


class Case(NamedTuple):
    """Two conversations that say the same; `shows` has to be in the prompt of one of them, else there is no verdict."""

    conversation: str
    what: str
    usual: str
    like: str
    shows: str
    keep_none: bool = False


CASES = (
    Case("tool-calls-empty-list", 'an answer with "tool_calls": []', "user-assistant-user", "one without the key", ANSWER),
    Case("tool-calls-null", 'an answer with "tool_calls": null', "user-assistant-user", "one without the key", ANSWER, True),
    Case("tool-loop-missing-content", 'a tool call without "content"', "tool-loop", "one with empty content", ARGUMENT),
    Case("tool-loop-null-content", 'a tool call with "content": null', "tool-loop", "one with empty content", ARGUMENT, True),
    Case(
        "tool-loop-string-arguments-missing-content",
        'a tool call without "content"',
        "tool-loop-string-arguments",
        "one with empty content",
        ARGUMENT,
    ),
    Case(
        "tool-loop-string-arguments-null-content",
        'a tool call with "content": null',
        "tool-loop-string-arguments",
        "one with empty content",
        ARGUMENT,
        True,
    ),
)


class EmptyVersusAbsentDiffers(Rule):
    """Null, empty and absent are rendered differently, though they mean the same.

    ## What it does
    Compares an answer with `tool_calls` empty or null with one that has no such key, and a tool call with `content` null or
    absent with one whose content is empty. Different prompts are information, and a warning where the answer vanishes because
    it has an empty list of calls. What one key does is told once.

    Nothing is said where one of the two fails (`missing-key-crash`, `null-content-crash`), where the word None enters
    the prompt (`none-literal`), where a call is rendered in one of them only (`tool-calls-dropped`) or in none, and of `tools`
    (`empty-tools-changes-prompt`).

    ## Why is this bad
    Servers and typed clients fill in empty fields: an answer comes back with `tool_calls: []`, and the next prompt shows
    the beginning of a call that nobody made, or no answer at all.

    ## References
    - [OpenAI: chat completions](https://platform.openai.com/docs/api-reference/chat/create)
    - [transformers: tool use](https://huggingface.co/docs/transformers/chat_extras)
    """

    code = "TPL317"
    name = "empty-versus-absent-differs"
    category = "content"
    severity = Severity.INFO
    raised_by: ClassVar[Mapping[str, Severity]] = {"agent": Severity.WARNING}
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if 'tool_calls' in m %}{{ m.tool_calls | tojson }}{% else %}"
            "{{ m.content }}{% endif %}<|end|>{% endfor %}",
            says='an answer with "tool_calls": [] is not rendered like one without the key: "answer-birch" vanishes',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.tool_calls %}{{ m.tool_calls | tojson }}{% else %}"
            "{{ m.content }}{% endif %}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.content is defined %}{{ m.content | trim }}\n{% endif %}"
            "{{ (m.tool_calls or '') | tojson }}<|end|>{% endfor %}",
            says='a tool call without "content" is not rendered like one with empty content: "\\n" vanishes',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.content %}{{ m.content | trim }}\n{% endif %}"
            "{{ (m.tool_calls or '') | tojson }}<|end|>{% endfor %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ (m.tool_calls or '') | tojson }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        told: set[str] = set()
        for case in CASES:
            usual = template.render(case.usual)
            render = template.render_conversation(template.conversation(case.conversation), keep_none=case.keep_none)
            if case.shows not in told and _differ(case, usual, render):
                told.add(case.shows)
                yield _problem(case, usual, render)


def _differ(case: Case, usual: Render, render: Render) -> bool:
    if usual.text is None or render.text is None or usual.text == render.text:
        return False
    shown = [case.shows in text for text in (usual.text, render.text)]
    return (all(shown) if case.shows == ARGUMENT else any(shown)) and usual.text.count("None") == render.text.count("None")


def _problem(case: Case, usual: Render, render: Render) -> Problem:
    before, after = _differences(usual.text or "", render.text or "")
    was, now = ((of.text or "")[slice(*span)] for of, span in ((usual, before), (render, after)))
    lost = case.shows == ANSWER and not case.keep_none and ANSWER not in (render.text or "")
    change = f"{quoted(ANSWER)} vanishes" if lost else _change(was, now)
    return Problem(
        f"{case.what} is not rendered like {case.like}: {change}",
        help="ask for the value and not for the key, as in {% if message.tool_calls %}",
        severity=Severity.WARNING if lost else None,
        render=render if now or lost else usual,
        shows=after if now else before,
        lost=ANSWER if lost else None,
        about="tool_calls" if lost else "",
    )


def _differences(usual: str, other: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """What stands between the common beginning and the common end, as offsets into each."""
    start = common_prefix(usual, other)
    end = common_suffix(usual[start:], other[start:])
    return (start, len(usual) - end), (start, len(other) - end)


def _change(was: str, now: str) -> str:
    if not now:
        return f"{quoted(was[:LONGEST])} vanishes"
    return f"{quoted(was[:LONGEST])} becomes {quoted(now[:LONGEST])}" if was else f"{quoted(now[:LONGEST])} is added"
