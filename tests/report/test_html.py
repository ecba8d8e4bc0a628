"""The page that `tpllint check` writes, read without a browser; tests/browser opens it in one."""

from __future__ import annotations

import base64
import hashlib
import itertools
from typing import TYPE_CHECKING

from tests.command import tpllint
from tests.report.hostile import hostile_report, written
from tests.report.readers import read_html

if TYPE_CHECKING:
    from pathlib import Path

    from tests.report.reports import Run


def test_a_finding_shows_its_code_and_what_else_it_is_about(run: Run) -> None:
    page = read_html(written("html", run("«a»\n  ⟦b⟧")))
    assert page.text("mark") == "ab"
    assert "here is 'a'" in page.text("bdi")
    assert "t.jinja:2:4: see here" in page.text()
    assert "unmark it" in page.text("bdi")
    assert page.text("title") == "1 warning in 1 template - tpllint check"


def test_targets_are_sections_with_links_and_those_without_findings_one_list(tmp_path: Path) -> None:
    for name in ("a", "b", "good"):
        (tmp_path / f"{name}.jinja").write_text("x" if name == "good" else "{{ messages | nope }}")
    options = ("--select", "unknown-filter-or-test", "--output-format", "html")
    page = read_html(tpllint("check", "a.jinja", "good.jinja", "b.jinja", *options, cwd=tmp_path).out)
    assert [each["href"] for each in page.all("a")] == ["#found", "#target-1", "#target-2"]
    assert page.text("strong") == "2 errorserrorerror"
    assert page.text("summary") == "1 target of which there is nothing to tell"
    assert page.text().index("b.jinja:1:15") < page.text().index("good.jinja")


def test_everything_that_is_told_is_on_the_page() -> None:
    page = read_html(written("html", hostile_report("x")))
    for words in ("note: read: x", "not checked: no such file: x", "help: look for x", "undecided: does not render: x"):
        assert words in page.text()
    assert "rule odd-thing failed on crashed x" in page.text("div")


def test_where_all_is_well_there_is_a_heading_and_a_list(tmp_path: Path) -> None:
    done = tpllint("check", "--ignore", "ALL", "--output-format", "html", "-", cwd=tmp_path, stdin=b"x")
    page = read_html(done.out)
    assert (page.text("h1"), page.text("strong")) == (" in 1 template", "no findings")
    assert (page.all("article"), page.all("nav"), page.all("strong")) == ([], [], [{"class": "good"}])


def test_the_policy_allows_the_one_style_and_nothing_else() -> None:
    page = read_html(written("html", hostile_report("</style><script>")))
    (policy,) = (each["content"] for each in page.all("meta") if each.get("http-equiv") == "Content-Security-Policy")
    named = base64.b64encode(hashlib.sha256(page.text("style").encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{named}'; base-uri 'none'; form-action 'none'"
    assert len(page.all("style")) == 1


def test_headings_are_in_order() -> None:
    page = read_html(written("html", hostile_report("x"), hostile_report("y")))
    levels = [int(name[1]) for name, _ in page.elements if name in ("h1", "h2", "h3")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_no_text_is_a_hole_in_the_page() -> None:
    page = read_html(written("html", hostile_report("<hole></hole>")))
    assert page.text().count("here is <hole></hole>") == 2
    assert page.source.count("<h1>") == 1
