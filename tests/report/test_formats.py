"""Every format stays what it is, whatever strangers write into what is reported."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from html5lib.html5parser import ParseError
from jsonschema import ValidationError
from lxml.etree import LxmlError

from tests.command import tpllint
from tests.in_process import harmful
from tests.report.hostile import TEXTS, WORD, hostile_report, written
from tests.report.readers import READERS
from tpllint.cli.check import FORMATS
from tpllint.finding import Report, TargetResult

if TYPE_CHECKING:
    from pathlib import Path

NAME = "a <b>&\"'`@stranger` [x](y)\n::error::x %0A ]]> {0} #1 | ü 漢\u202e.jinja"
SOURCE = "{# ]]> @stranger ``` <script> #}{{ messages | nope }}{% include '\u202e</code>`@stranger' %}\x07"

each_format = pytest.mark.parametrize("output_format", FORMATS)
each_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)


def test_every_format_has_a_reader_that_knows_it() -> None:
    assert set(READERS) == set(FORMATS)


@each_text
@each_format
def test_hostile_texts_are_quoted_and_never_obeyed(output_format: str, text: str) -> None:
    printed = written(output_format, hostile_report(text))
    READERS[output_format](printed)
    assert WORD in printed


@each_text
def test_hostile_texts_command_no_terminal_and_no_runner(text: str) -> None:
    assert harmful(hostile_report(text)) == []


@each_format
def test_a_run_over_nothing_is_a_report_too(output_format: str) -> None:
    if output_format != "jsonl":
        READERS[output_format](written(output_format))


@each_format
def test_a_report_in_many_parts_is_one_report(output_format: str) -> None:
    parts = [hostile_report(text) for text in TEXTS.values()]
    READERS[output_format](written(output_format, *parts))


@each_format
def test_what_has_no_finding_is_told_everywhere_too(output_format: str) -> None:
    report = hostile_report("x")
    printed = written(output_format, Report(report.targets, (), report.skipped, report.crashes, report.rules))
    assert "no such file: x" in printed
    assert "RuntimeError: x" in printed
    assert "does not render: x" in printed
    assert "read: x" in printed or output_format == "gitlab"


@each_format
def test_a_target_that_is_not_fully_analysed_is_named(output_format: str) -> None:
    half = TargetResult("half & half", ("default",), fully_analysed=False, note="read: x")
    report = Report((TargetResult("whole", ("default",)), half), ())
    printed = written(output_format, report)
    READERS[output_format](printed)
    if output_format in ("json", "jsonl"):
        assert [target["fully_analysed"] for target in _targets(printed)] == [True, False]
        return
    assert "not fully analysed, so there may be more to find" in printed
    assert "half " in printed
    assert "read: x" in printed or output_format == "gitlab"
    assert ("whole" in printed) is (output_format in ("html", "junit"))


def _targets(printed: str) -> list[Any]:
    reports = map(json.loads, [printed] if printed.startswith("{\n") else printed.splitlines())
    return [target for report in reports for target in report["targets"]]


@each_format
def test_the_command_writes_every_format_about_files_with_odd_names(tmp_path: Path, output_format: str) -> None:
    (tmp_path / NAME).write_text(SOURCE)
    (tmp_path / "good.jinja").write_text("{{ messages[0].content }}")
    options = ("--select", "TPL7,TPL9", "--output-format", output_format, "--output", "report")
    done = tpllint("check", NAME, "good.jinja", "missing\n@stranger", *options, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    printed = (tmp_path / "report").read_text(encoding="utf-8")
    READERS[output_format](printed)
    assert "nope" in printed


REFUSALS = (AssertionError, ValueError, ValidationError, LxmlError, ParseError)
WRONG: dict[str, tuple[Any, ...]] = {
    "text": ("a\x1b[2J\n", "a\u2028\n"),
    "json": ('{"schema": "tpllint-check-v1"}', "{}", "[NaN]", '{"a": 1, "a": 2}', '"\\ud800"'),
    "jsonl": ("{}\n",),
    "github": ("::error ::x\nhello\n1 error\n",),
    "gitlab": ('[{"description": "x"}]', "{}"),
    "sarif": ('{"version": "2.1.0"}', '{"version": "2.1.0", "runs": [{}]}'),
    "junit": ("<testsuites><testcase/></testsuites>", "<testsuites>&x;</testsuites>", "<testsuites>\x01</testsuites>"),
    "markdown": (
        *("[a](b)", "<b>a</b>", "@somebody", "www.example.org", "![a](b)", "| a |\n| - |\n", "- #1", "stranger", "$x$"),
        *("```js\n```", "> a", "a\n\n---\n", "https://example.org", "~~a~~"),
    ),
    "html": ("<p>a", "<!DOCTYPE html><html><head><title>a</title></head><body><script>1</script></body></html>"),
}


@pytest.mark.parametrize(("output_format", "wrong"), [(name, text) for name, texts in WRONG.items() for text in texts])
def test_the_readers_refuse_what_is_not_of_the_format(output_format: str, wrong: str) -> None:
    with pytest.raises(REFUSALS):
        READERS[output_format](wrong)
