"""A finding stands at the code that is wrong: what the file holds at its place is what one would repair."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tpllint.checking import Check, check
from tpllint.pool import Pool
from tpllint.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tpllint.finding import Finding
    from tpllint.span import Span

TURNS = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}"
PROMPT = "{% if add_generation_prompt %}<|assistant|>{% endif %}"
GOOD = TURNS + PROMPT
MACRO = "{% macro turn(m) %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endmacro %}"
TOLD = '{% for m in messages %}{{ "<|" + m.role + "|>" + m.content + "<|end|>\\n" }}{% endfor %}'

PLACES: dict[str, tuple[str, str, str]] = {
    "a condition that takes an empty list for calls": (
        "empty-versus-absent-differs",
        "{% for m in messages %}<|{{ m.role }}|>{% if 'tool_calls' in m %}<calls>{{ m.tool_calls | tojson }}</calls>{% else %}"
        "{{ m.content }}{% endif %}<|end|>{% endfor %}" + PROMPT,
        "'tool_calls' in m",
    ),
    "the first character that differs": (
        "generation-prompt-mismatch",
        TURNS + "{% if add_generation_prompt %}{{ '\\n' }}{{ '<|assistant|>' }}{% endif %}",
        "'\\n' }}{{ '<|assistant|>",
    ),
    "a generation prompt that is always switched on": (
        "generation-prompt-unconditional",
        "{% set add_generation_prompt = true %}" + TURNS + PROMPT.replace(" %}<", " and messages[-1].role == 'user' %}<", 1),
        "set",
    ),
    "a syntax error": ("template-syntax-error", GOOD + "{{ messages | }}", "}"),
    "a block that Python refuses": (
        "template-syntax-error",
        "{% for m in messages %}{% generation %}{% break %}{% endgeneration %}{% endfor %}",
        "break",
    ),
    "an undefined variable": ("template-render-error", TOLD.replace('"<|" +', "prefix + "), "prefix"),
    "an undefined attribute": ("template-render-error", TOLD.replace("m.content", "m.text"), "m.text"),
    "an operation that fails": (
        "template-render-error",
        TOLD.replace("m.role", "1"),
        '"<|" + 1 + "|>" + m.content + "<|end|>\\n"',
    ),
    "a filter that fails": ("template-render-error", GOOD.replace("m.content", "m.text | tojson"), "m.text | tojson"),
    "a loop over nothing": ("template-render-error", "{% for t in tools %}{{ t.name }}{% endfor %}" + GOOD, "for"),
    "an unknown filter": ("unknown-filter-or-test", GOOD.replace("m.content", "m.content | strip"), "strip"),
    "a loader": ("loader-statement", "{% include 'a.jinja' %}" + GOOD, "include"),
    "a list that is changed": (
        "sandbox-violation",
        "{% set seen = [] %}{% for m in messages %}{% set _ = seen.append(m.role) %}{% endfor %}" + GOOD,
        ".append",
    ),
    "a refusal": (
        "role-rejected",
        "{% for m in messages %}{% if m.role == 'developer' %}{{ raise_exception('no') }}{% endif %}{% endfor %}" + GOOD,
        "raise_exception('no')",
    ),
    "a namespace's attribute that nothing reads": (
        "unused-set-or-macro",
        "{% set ns = namespace() %}{% for m in messages %}{% set ns . last = m %}{% endfor %}" + GOOD,
        "ns . last",
    ),
    "a header that is written after every answer": (
        "generation-prompt-unconditional",
        "{% for m in messages %}<|open|><|{{ m.role }}|>{% if m.role == 'assistant' %}<|says|>{{ m.content }}<|said|><|end|>"
        "{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}<|open|><|assistant|>",
        "<|open|><|assistant|>",
    ),
    "a generation prompt that ends with a space": (
        "generation-prompt-mismatch",
        "{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}",
        "assistant: ",
    ),
    "the condition that drops a role": (
        "role-dropped",
        "{% for m in messages %}{% if m.role == 'user' %}U{{ m.content }}<|end|>\n{% elif m.role == 'assistant' %}"
        "A{{ m.content }}<|end|>\n{% endif %}{% endfor %}",
        "m.role == 'user'",
    ),
    "the loop that drops a message": (
        "role-dropped",
        "{% for m in messages[1:] %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}" + PROMPT,
        "messages[1:]",
    ),
    "the condition that drops a tool's result": (
        "tool-result-dropped",
        "{% for m in messages %}{% if m.role in ['system', 'user', 'assistant'] %}<|{{ m.role }}|>{{ m.content or '' }}"
        "{{ m.tool_calls or '' }}<|end|>\n{% endif %}{% endfor %}" + PROMPT,
        "m.role in ['system', 'user', 'assistant']",
    ),
    "the condition that drops a string": (
        "string-arguments-dropped",
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}{% for c in m.tool_calls or [] %}"
        "{% if c.function.arguments is mapping %}{{ c.function.arguments | tojson }}{% endif %}{% endfor %}<|end|>\n"
        "{% endfor %}" + PROMPT,
        "c.function.arguments is mapping",
    ),
    "the call that stands without its text": (
        "text-beside-tool-call-dropped",
        "{% for m in messages %}<|{{ m.role }}|>{% if m.tool_calls %}{{ m.tool_calls | tojson }}{% else %}{{ m.content }}"
        "{% endif %}<|end|>\n{% endfor %}" + PROMPT,
        "m.tool_calls | tojson",
    ),
    "arguments that are put together as text": (
        "dict-arguments-crash",
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}{% for c in m.tool_calls or [] %}"
        "{{ 'args: ' + c.function.arguments }}{% endfor %}<|end|>\n{% endfor %}" + PROMPT,
        "'args: ' + c.function.arguments",
    ),
    "a role that a macro drops": (
        "role-dropped",
        "{% macro turn(m) %}{% if m.role != 'system' %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endif %}{% endmacro %}"
        "{% for m in messages %}{{ turn(m) }}{% endfor %}" + PROMPT,
        "m.role != 'system'",
    ),
    "the condition that drops a list": (
        "list-content-dropped",
        "{% for m in messages %}{% set text = m.content if m.content is string else '' %}"
        "{% if m.role in ['user', 'assistant'] %}<|{{ m.role }}|>{{ text }}<|end|>\n{% endif %}{% endfor %}" + PROMPT,
        "m.content is string",
    ),
    "the end that lacks a generation prompt": ("generation-prompt-missing", TURNS, "<|end|>\n"),
    "a generation prompt of another kind": (
        "generation-prompt-mismatch",
        TURNS + "{% if add_generation_prompt %}<|bot|>{% endif %}",
        "<|bot|>",
    ),
    "a generation prompt in a set block": (
        "generation-prompt-mismatch",
        "{% set opener %}<|bot|>{% endset %}" + TURNS + "{% if add_generation_prompt %}{{ opener }}{% endif %}",
        "<|bot|>",
    ),
    "a generation prompt that is always there": ("generation-prompt-unconditional", TURNS + "<|assistant|>", "<|assistant|>"),
    "a placeholder": (
        "generation-prompt-literal-placeholder",
        TURNS + "{% if add_generation_prompt %}{{ '<|{role}|>' }}{% endif %}",
        "{role}",
    ),
    "an end of sequence that stands twice": ("eos-duplicated", TOLD + "{{ eos_token }}{{ eos_token }}", "eos_token"),
    "a beginning of sequence that stands twice": (
        "bos-duplicated",
        "{{ bos_token }}{% set b = bos_token %}{{ b }}" + GOOD,
        "b",
    ),
    "an answer that nothing ends": (
        "turn-terminator-missing",
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% if m.role == 'user' %}<|end|>{% endif %}{% endfor %}"
        + PROMPT,
        "m.content",
    ),
    "Python's notation": ("python-repr-content", "{% if tools %}[{{ tools }}]{% endif %}" + GOOD, "tools"),
    "Python's notation in a namespace": (
        "python-repr-content",
        "{% set ns = namespace(t='') %}{% if tools %}{% set ns.t = 'T: ' ~ tools %}{% endif %}{{ ns.t }}" + GOOD,
        "tools",
    ),
    "the word None": ("none-literal", GOOD.replace("m.content", "m.get('content')"), "m.get('content')"),
    "indentation that leaks": ("whitespace-leak", "{% for m in messages %}\n    {{ m.content }}<|end|>\n{% endfor %}", "    "),
    "an escape that was escaped twice": (
        "control-character-in-output",
        r"{% for m in messages %}{{ '<|' + m.role + '|>\\n' + m.content + '<|end|>' }}{% endfor %}",
        r"'|>\\n'",
    ),
    "text before the beginning of sequence": ("text-outside-turn", "Be nice.{{ bos_token }}" + GOOD, "Be nice."),
    "a default system message": (
        "default-system-injected",
        "{% if messages[0].role != 'system' %}<|system|>Be brief and kind.<|end|>\n{% endif %}" + GOOD,
        "Be brief and kind.",
    ),
    "a text that is written twice": (
        "content-duplicated",
        GOOD.replace("{{ m.content }}", "{{ m.content }}{{ '\\n' + m.content }}"),
        "m.content",
    ),
    "the clock": ("clock-dependent", "Today is {{ strftime_now('%d %B %Y') }}.\n" + GOOD, "strftime_now('%d %B %Y')"),
    "chance": ("random-output", "{{ ['a', 'b'] | random }}" + GOOD, "random"),
    "a value that is lost": (
        "unset-variable-read",
        "{% set ns = 0 %}{% for m in messages %}{% set last = m.role %}{% endfor %}{{ last }}" + GOOD,
        "last",
    ),
    "a macro that nobody calls": ("unused-set-or-macro", MACRO + GOOD, "macro"),
    "a macro's own literal": (
        "generation-prompt-mismatch",
        "{% macro open(role) %}<|{{ role }}|>{% endmacro %}"
        + TURNS
        + "{% if add_generation_prompt %}{{ open('bot') }}{% endif %}",
        "<|",
    ),
}


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool() as pool:
        yield pool


def found(pool: Pool, folder: Path, rule: str) -> Finding:
    report = check([str(folder)], pool, Check(selection=Selection(select=(rule,))))
    assert report.findings, f"{rule} says nothing"
    return report.findings[0]


def at(text: str, span: Span | None) -> str:
    """What a file holds at a place."""
    assert span is not None
    lines = text.split("\n")
    first, last = span.start.line - 1, span.end.line - 1
    if first == last:
        return lines[first][span.start.column - 1 : span.end.column - 1]
    inner = [lines[first][span.start.column - 1 :], *lines[first + 1 : last], lines[last][: span.end.column - 1]]
    return "\n".join(inner)


@pytest.mark.parametrize(("rule", "source", "code"), PLACES.values(), ids=PLACES)
def test_in_a_template_file(pool: Pool, tmp_path: Path, rule: str, source: str, code: str) -> None:
    (tmp_path / "chat_template.jinja").write_text(source, encoding="utf-8")
    assert at(source, found(pool, tmp_path, rule).span) == code


@pytest.mark.parametrize(("rule", "source", "code"), PLACES.values(), ids=PLACES)
def test_in_the_string_of_a_configuration_file(pool: Pool, tmp_path: Path, rule: str, source: str, code: str) -> None:
    text = json.dumps({"model_max_length": 8, "chat_template": source}, indent=2)
    (tmp_path / "tokenizer_config.json").write_text(text, encoding="utf-8")
    assert at(text, found(pool, tmp_path, rule).span) == json.dumps(code)[1:-1]


def test_what_contradicts_it_is_placed_too(pool: Pool, tmp_path: Path) -> None:
    source = TURNS + "{% if add_generation_prompt %}<|bot|>{% endif %}"
    (tmp_path / "chat_template.jinja").write_text(source, encoding="utf-8")
    (related,) = found(pool, tmp_path, "generation-prompt-mismatch").related
    assert (related.message, at(source, related.span)) == ("answers in the history open here", "<|{{ m.role }}|>")
