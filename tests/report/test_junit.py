"""JUnit XML: a suite per target, a test per finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.command import tpllint
from tests.report.hostile import hostile_report, written
from tests.report.readers import read_junit

if TYPE_CHECKING:
    from pathlib import Path

    from junitparser import JUnitXml


def cases(suites: JUnitXml) -> list[tuple[str, str, list[str]]]:
    return [
        (case.classname, case.name, [type(outcome).__name__ for outcome in case.result]) for suite in suites for case in suite
    ]


def test_a_finding_is_a_failure_that_says_what_the_text_report_says(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("{# a #}\n{{ messages | nope }}\n")
    suites = read_junit(tpllint("check", "t.jinja", "--output-format", "junit", cwd=tmp_path).out)
    assert cases(suites) == [("t.jinja", "unknown-filter-or-test", ["Failure"])]
    ((failure,),) = ([outcome for case in suite for outcome in case.result] for suite in suites)
    assert (failure.type, failure.message) == ("error", 'there is no filter "nope" in transformers')
    assert failure.text + "\n\n1 error in 1 template\n" == tpllint("check", "t.jinja", cwd=tmp_path).out


def test_every_target_is_a_suite_and_one_without_findings_passes(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("x")
    done = tpllint("check", "t.jinja", "missing", "--ignore", "ALL", "--output-format", "junit", cwd=tmp_path)
    assert done.code == 2
    assert cases(read_junit(done.out)) == [("t.jinja", "no findings", []), ("missing", "could not be checked", ["Error"])]


def test_information_passes_and_what_is_undecided_is_skipped() -> None:
    suites = read_junit(written("junit", hostile_report("x")))
    assert cases(suites) == [
        ("folder/x", "odd-thing", ["Failure"]),
        ("folder/x", "odd-thing (2)", []),
        ("folder/second x", "odder-thing", ["Failure"]),
        ("undecided x", "undecided", ["Skipped"]),
        ("missing x", "could not be checked", ["Error"]),
        ("crashed x", "odd-thing", ["Error"]),
        ("clean x", "no findings", []),
    ]
    assert "here is x" in [case.system_out for suite in suites for case in suite][1]
    assert (suites.tests, suites.failures, suites.errors) == (7, 2, 2)


def test_characters_that_xml_has_no_place_for_are_numbers() -> None:
    printed = written("junit", hostile_report("\x00\ufffe\ud800]]>"))
    read_junit(printed)
    assert "here is \\u{0}\\u{fffe}\\u{d800}]]&gt;" in printed
