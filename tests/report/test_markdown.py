"""Markdown for comments and summaries of jobs, read by a parser of GitHub's dialect."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from tests.command import tpllint
from tests.report.hostile import TEXTS, hostile_report, written
from tests.report.readers import read_markdown

if TYPE_CHECKING:
    from pathlib import Path

MOST = 65_536
"""Characters of a comment on GitHub."""


def test_the_verdict_comes_first_then_each_finding_with_its_code(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("{# a #}\n{{ messages | nope }}\n")
    assert tpllint("check", "t.jinja", "--output-format", "markdown", cwd=tmp_path).out == (
        "**tpllint: 1 error in 1 template**\n"
        "\n"
        "#### error: `unknown-filter-or-test`\n"
        "\n"
        '`there is no filter "nope" in transformers`\n'
        "\n"
        "In `t.jinja:2:15`:\n"
        "\n"
        "```text\n"
        "   |\n"
        " 2 | {{ messages | nope }}\n"
        "   |               ^^^^\n"
        "```\n"
        "\n"
        "- help: `use one of Jinja's own filters, or write it out`\n"
    )


def test_where_all_is_well_there_is_one_line(tmp_path: Path) -> None:
    done = tpllint("check", "--ignore", "ALL", "--output-format", "markdown", "-", cwd=tmp_path, stdin=b"x")
    assert (done.code, done.out) == (0, "**tpllint: no findings in 1 template**\n")


def test_what_is_not_a_finding_stands_below_titles_of_its_own() -> None:
    tokens = read_markdown(written("markdown", hostile_report("x")))
    headings = [after.content for token, after in itertools.pairwise(tokens) if token.type == "heading_open"]
    assert headings[3:] == ["Defects of tpllint", "Not checked", "Undecided", "Notes"]


def test_a_report_fits_a_comment_and_says_what_is_left_out() -> None:
    reports = [hostile_report(f"{text} {number}") for text in TEXTS.values() for number in range(8)]
    printed = written("markdown", *reports)
    read_markdown(printed)
    assert len(printed) <= MOST
    for what in ("findings", "defects", "errors", "targets", "notes"):
        assert f"further {what}." in printed


def test_code_holds_whatever_looks_like_its_end() -> None:
    for text in ("`", "``a`", "`a``", " ", "a`", "```", "~~~\n```"):
        tokens = read_markdown(written("markdown", hostile_report(f"stranger {text}")))
        shown = [token.content for token in tokens if token.type == "code_inline"]
        assert f"here is stranger {text}".replace("\n", "\\n").rstrip() in [each.rstrip() for each in shown]
