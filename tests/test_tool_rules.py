"""The rules about tool histories together: each defect is said once, and as loudly as the template's promise makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.command import tpllint

if TYPE_CHECKING:
    from pathlib import Path

TOOLS = "{% if tools %}<|tools|>{{ tools | tojson }}<|end|>{% endif %}"
OPEN = "{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}"
CLOSE = "<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
EITHER = "{{ c.function.arguments if c.function.arguments is string else c.function.arguments | tojson }}"
EVERY_CALL = "{% for c in m.tool_calls or [] %}<call>{{ c.id }}{{ c.function.name }}" + EITHER + "</call>{% endfor %}"
TEXTS_ONLY = "{% for key, value in c.function.arguments | items %}{{ key + '=' + value }}{% endfor %}"
WITH_ID = "{{ m.tool_call_id or '' }}"
PARTS_OF_USERS = "m.content if m.content is string or m.role == 'tool' else m.content | map(attribute='text') | join"
QUIET = ("python-repr-content",)
"""What plain `{{ content }}` says of lists, in all of these templates."""


def _said(folder: Path, template: str, *arguments: str) -> dict[str, str]:
    (folder / "t.jinja").write_text(template, encoding="utf-8")
    done = tpllint("check", "t.jinja", "--select", "TPL3,TPL4", *arguments, "--output-format", "json", cwd=folder)
    found = {finding["rule"]: finding["severity"] for finding in done.json()["findings"]}
    return {rule: severity for rule, severity in found.items() if rule not in QUIET}


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (TOOLS + OPEN + WITH_ID + EVERY_CALL + CLOSE, {}),
        (TOOLS + OPEN + CLOSE, {"tool-calls-dropped": "error"}),
        (OPEN + CLOSE, {"tools-ignored": "info", "tool-calls-dropped": "info"}),
        (
            TOOLS + OPEN + WITH_ID + EVERY_CALL.replace("m.tool_calls or []", "(m.tool_calls or [])[:1]") + CLOSE,
            {"parallel-calls-dropped": "error"},
        ),
        (
            TOOLS + OPEN + WITH_ID + EVERY_CALL.replace(EITHER, "{{ c.function.arguments + '' }}") + CLOSE,
            {"dict-arguments-crash": "error"},
        ),
        (
            OPEN + WITH_ID + EVERY_CALL.replace(EITHER, "{{ c.function.arguments + '' }}") + CLOSE,
            {"dict-arguments-crash": "warning", "tools-ignored": "info"},
        ),
        (
            TOOLS + "{% for m in messages if m.role != 'tool' %}<|{{ m.role }}|>{{ m.content or '' }}" + EVERY_CALL + CLOSE,
            {"tool-result-dropped": "error"},
        ),
        (
            TOOLS
            + "{% for m in messages %}<|{{ m.role }}|>"
            + WITH_ID
            + "{% if m.content %}{{ m.content }}{% else %}"
            + EVERY_CALL
            + "{% endif %}"
            + CLOSE,
            {"tool-calls-dropped": "warning"},
        ),
        (
            TOOLS + OPEN + WITH_ID + EVERY_CALL.replace(EITHER, TEXTS_ONLY) + CLOSE,
            {"string-arguments-crash": "info"},
        ),
    ],
    ids=[
        "fine",
        "dropped",
        "no-tools",
        "parallel",
        "strings-only",
        "strings-only-without-tools",
        "no-results",
        "or-text",
        "no-numbers",
    ],
)
def test_one_defect_is_one_finding(tmp_path: Path, template: str, said: dict[str, str]) -> None:
    assert _said(tmp_path, template) == said


def test_who_expects_tools_is_told_once_that_there_are_none(tmp_path: Path) -> None:
    found = _said(tmp_path, OPEN + CLOSE, "--expect", "tools")
    assert found == {"expected-capability-absent": "error", "tool-calls-dropped": "info"}


def test_the_profile_for_agents_raises_what_their_clients_send(tmp_path: Path) -> None:
    template = TOOLS + OPEN + EVERY_CALL.replace(EITHER, "{{ c.function.arguments | tojson }}") + CLOSE
    (tmp_path / "t.jinja").write_text(template, encoding="utf-8")
    done = tpllint("check", "t.jinja", "--profile", "agent", "--output-format", "json", cwd=tmp_path)
    found = {finding["rule"]: finding["severity"] for finding in done.json()["findings"]}
    assert found["string-arguments-double-encoded"] == found["tool-results-ambiguous"] == "warning"
    assert tpllint("check", "t.jinja", cwd=tmp_path).out == "no findings in 1 template\n"


def test_a_lost_call_is_shown_where_the_template_keeps_it_out(tmp_path: Path) -> None:
    template = TOOLS + "\n{% for m in messages %}<|{{ m.role }}|>\n{% if m.content %}{{ m.content }}{% else %}" + EVERY_CALL
    (tmp_path / "t.jinja").write_text(template + "{% endif %}" + CLOSE, encoding="utf-8")
    done = tpllint("check", "t.jinja", "--select", "tool-calls-dropped", "--output-format", "json", cwd=tmp_path)
    (finding,) = done.json()["findings"]
    assert finding["evidence"]["conversation"] == "tool-loop-text-beside-call"
    assert finding["line"] in (2, 3)


FIRST = "{% if m.tool_calls %}<call>{{ m.tool_calls[0].id }}{{ m.tool_calls[0].function | tojson }}</call>{% endif %}"
AS_A_MAPPING = (
    "{% for c in m.tool_calls or [] %}<call>{{ c.id }}{% set given = c.function.arguments %}{% if given is mapping %}"
    "{{ given | tojson }}{% endif %}</call>{% endfor %}"
)


IN_QUOTES = (
    "{% for c in m.tool_calls or [] %}<call>{{ c.function.name }}({% for key, value in c.function.arguments | items %}"
    "{{ key + '=' }}{{ '\"%s\"' | format(value) }}{{ ', ' if not loop.last }}{% endfor %}){% endfor %}"
)


@pytest.mark.parametrize(
    ("turn", "rule", "code"),
    [
        (FIRST, "parallel-calls-dropped", "m.tool_calls[0]"),
        (AS_A_MAPPING, "string-arguments-dropped", "c.function.arguments"),
        ("", "tool-calls-dropped", "m.content"),
        (IN_QUOTES, "tool-payload-invalid", "'\"%s\"' | format(value)"),
    ],
)
def test_a_finding_is_shown_at_the_code_to_be_changed(tmp_path: Path, turn: str, rule: str, code: str) -> None:
    template = TOOLS + OPEN + WITH_ID + turn + CLOSE
    (tmp_path / "t.jinja").write_text(template, encoding="utf-8")
    done = tpllint("check", "t.jinja", "--select", rule, "--output-format", "json", cwd=tmp_path)
    findings = done.json()["findings"]
    assert {template[finding["column"] - 1 : finding["end_column"] - 1] for finding in findings} == {code}


def test_what_happens_to_every_list_of_parts_is_not_told_again_of_results(tmp_path: Path) -> None:
    for turn, said in (
        (OPEN + EVERY_CALL, set()),
        (OPEN.replace("m.content or ''", PARTS_OF_USERS) + EVERY_CALL, {"typed-tool-result-repr"}),
    ):
        (tmp_path / "t.jinja").write_text(TOOLS + turn + CLOSE, encoding="utf-8")
        done = tpllint("check", "t.jinja", "--select", "typed-tool-result-repr", "--output-format", "json", cwd=tmp_path)
        assert {finding["rule"] for finding in done.json()["findings"]} == said
