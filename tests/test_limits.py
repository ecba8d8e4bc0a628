"""What a limit ends is undecided: no rule takes it for an answer of the template's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tpllint.analysis.renders import with_reasoning_aliases, without_none
from tpllint.capabilities import CAPABILITIES
from tpllint.checking import Check, check
from tpllint.conversations import canonical
from tpllint.pool import Pool
from tpllint.selection import Selection
from tpllint.targets import Request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tpllint.finding import Report

EVERYTHING = Check(
    request=Request(expect=tuple(name for name in CAPABILITIES if name != "thinking-toggle")),
    selection=Selection(select=("ALL",), ignore=("TPL7", "unreachable-branch"), profile="all"),
)
BLAMELESS = """\
{%- macro text(content) -%}
{%- if content is string -%}{{ content }}{%- elif content -%}{%- for part in content -%}
{%- if part.type == 'text' -%}{{ part.text }}{%- else -%}<|image|>{%- endif -%}
{%- endfor -%}{%- endif -%}
{%- endmacro -%}
{%- if tools -%}<|tools|>{{ tools | tojson }}<|end|>{%- endif -%}
{%- for m in messages -%}
<|{{ m.role }}|>
{%- if m.role == 'assistant' -%}
{%- generation -%}
{%- if m.reasoning_content -%}<think>{{ m.reasoning_content }}</think>{%- endif -%}
{{ text(m.content) }}
{%- for call in m.tool_calls or [] -%}
{%- set given = call.function.arguments -%}
<call>{"name": "{{ call.function.name }}", "arguments": {{ given if given is string else given | tojson }}}</call>
{%- endfor -%}
<|end|>
{%- endgeneration -%}
{%- else -%}{{ m.tool_call_id }}{{ text(m.content) }}<|end|>{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}
"""
DEEPER = "{%- macro deeper() -%}{{ deeper() }}{%- endmacro -%}"
ENDLESS = "{%- for a in range(99999) -%}{%- for b in range(99999) -%}{%- endfor -%}{%- endfor -%}"
TWO_IN_A_ROW = "messages | length > 1 and messages[0].role == messages[1].role"
CONDITIONS = (
    TWO_IN_A_ROW,
    "'CONTINUE_FINAL_MESSAGE_TAG' in messages[-1].content | string",
    "add_generation_prompt",
    "not add_generation_prompt",
    "messages[0].content is string",
    "messages[-1].role == 'assistant'",
    "messages | length == 3",
    "messages[0].role != 'user'",
    "tools",
    "strftime_now('%H') != '03'",
    "bos_token | default('') == '<bos-sentinel>'",
)


def limited() -> Iterator[str]:
    """Templates in which a limit ends some renders and no others: those under a condition, or of one conversation."""
    yield "{%- if " + TWO_IN_A_ROW + " -%}" + ENDLESS + "{%- endif -%}" + BLAMELESS
    told = (json.dumps(with_reasoning_aliases(without_none(found.messages))) for found in canonical().values())
    for condition in (*CONDITIONS, *(f"messages | tojson == {json.dumps(messages)}" for messages in told)):
        yield DEEPER + "{%- if " + condition + " -%}{{ deeper() }}{%- endif -%}" + BLAMELESS


def checked(folder: Path, sources: list[str]) -> Report:
    for number, source in enumerate(sources):
        (folder / f"{number}.jinja").write_text(source, encoding="utf-8")
    with Pool(size=2) as pool:
        return check([str(folder / f"{number}.jinja") for number in range(len(sources))], pool, EVERYTHING)


def test_no_rule_takes_a_limit_for_an_answer_of_the_template(tmp_path: Path) -> None:
    assert checked(tmp_path, [BLAMELESS]).findings == ()
    report = checked(tmp_path, list(limited()))
    assert report.crashes == ()
    assert {finding.rule for finding in report.findings} == {"resource-exhaustion", "not-fully-analysed"}
    assert not any(target.fully_analysed for target in report.targets[: 1 + len(CONDITIONS)])


def test_what_stands_behind_a_condition_is_told_and_the_rest_is_analysed(tmp_path: Path) -> None:
    report = checked(tmp_path, ["{%- if dormant is defined -%}" + ENDLESS + "{%- endif -%}" + BLAMELESS])
    assert {finding.rule for finding in report.findings} <= {"resource-exhaustion", "undeclared-kwarg"}
    assert "resource-exhaustion" in {finding.rule for finding in report.findings}
    assert report.targets[0].fully_analysed


def test_what_the_source_tells_is_told_where_a_limit_ends_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    said = [finding.message for finding in checked(tmp_path / "a", [ENDLESS + BLAMELESS]).findings]
    assert [message for message in said if "range(99999)" in message] != []
    assert "the analysis of this template is not complete: a limit ended part of it" in said


def test_many_braces_are_read_in_the_time_that_a_template_has(tmp_path: Path) -> None:
    prompt = "{%- if add_generation_prompt -%}<|assistant|>{{ '" + "{" * 50_000 + "' }}{%- endif -%}"
    (target,) = checked(tmp_path, [BLAMELESS + prompt]).targets
    assert target.fully_analysed
