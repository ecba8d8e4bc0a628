"""Annotations for GitHub Actions, read as its runner reads them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from tests.command import tpllint
from tests.report.readers import commands
from tpllint.report import github

if TYPE_CHECKING:
    from pathlib import Path

    from tests.report.reports import Run
    from tpllint.finding import Report


def written(report: Report) -> str:
    stream = io.StringIO()
    github.write(report, stream)
    return stream.getvalue()


def test_a_finding_is_an_annotation_at_its_place(tmp_path: Path) -> None:
    (tmp_path / "a,b: 100%.jinja").write_text("{# a #}\n{{ messages | nope }}\n")
    done = tpllint("check", "a,b: 100%.jinja", "--output-format", "github", cwd=tmp_path)
    assert done.code == 1
    ((name, properties, message),) = commands(done.out)
    assert name == "error"
    assert properties == {
        "file": "a,b: 100%.jinja",
        "line": "2",
        "endLine": "2",
        "col": "15",
        "endColumn": "19",
        "title": "unknown-filter-or-test (TPL703)",
    }
    assert message.split("\n") == [
        'there is no filter "nope" in transformers',
        "help: use one of Jinja's own filters, or write it out",
    ]
    assert done.out.endswith("\n1 error in 1 template\n")


def test_levels_are_error_warning_and_notice(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("{{ messages | nope }}{% include 'x' %}")
    levels = ("--select", "TPL7", "--severity", "unknown-filter-or-test=info,loader-statement=warning")
    done = tpllint("check", "t.jinja", *levels, "--output-format", "github", cwd=tmp_path)
    assert {(name, properties["title"].split()[0]) for name, properties, _ in commands(done.out)} == {
        ("notice", "unknown-filter-or-test"),
        ("warning", "loader-statement"),
    }


def test_what_a_template_says_is_no_command(run: Run) -> None:
    printed = written(run("«\n::set-output name=a::b\n::error::%0A::stop-commands::x\x1b[2J\u202e»"))
    assert [line[:10] for line in printed.splitlines()] == ["::warning ", "1 warning "]
    assert not {"\x1b", "\u202e"} & set(printed)
    ((_, properties, message),) = commands(printed)
    assert (properties["line"], properties["endLine"]) == ("1", "3")
    assert "col" not in properties
    assert "::stop-commands::x" in message


def test_related_places_and_evidence_are_told(run: Run, tmp_path: Path) -> None:
    ((_, _, message),) = commands(written(run("«a»\n  ⟦b⟧")))
    assert message.split("\n") == ["here is 'a'", "t.jinja:2:4: see here", "help: unmark it"]
    (tmp_path / "t.jinja").write_text("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}")
    done = tpllint("check", "t.jinja", "--output-format", "github", cwd=tmp_path)
    assert 'prompt: "<|user|>question-amber<|end|>\\n"' in commands(done.out)[0][2]


def test_what_cannot_be_checked_is_an_error_once(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("x")
    options = ("--select", "loader-statement", "--output-format", "github")
    done = tpllint("check", "t.jinja", "missing\nfile", *options, cwd=tmp_path)
    assert done.code == 2
    ((name, properties, message),) = commands(done.out)
    assert (name, properties["title"]) == ("error", "tpllint: no-such-path")
    assert "help: " in message
    refused = tpllint("check", "a", "b", "--select", "nope", "--output-format", "github", cwd=tmp_path)
    assert (refused.code, len(commands(refused.out))) == (2, 1)


def test_a_rule_that_raises_and_a_target_without_verdict_are_told(run: Run, tmp_path: Path) -> None:
    (name, properties, message), (_, _, incomplete) = commands(written(run("raise ::error::x")))
    assert incomplete.startswith("t.jinja: not fully analysed")
    assert (name, properties["title"]) == ("error", "tpllint: defect")
    assert message.split("\n")[0] == "rule raises failed on t.jinja; please report this:"
    assert message.endswith("RuntimeError: raise ::error::x")
    (tmp_path / "t.jinja").write_text("{{ raise_exception('not today') }}")
    done = tpllint("check", "t.jinja", "--ignore", "role-rejected", "--output-format", "github", cwd=tmp_path)
    told = [message for name, properties, message in commands(done.out) if properties["title"] == "tpllint: undecided"]
    assert told[0].startswith("t.jinja: a plain chat does not render: not today")
