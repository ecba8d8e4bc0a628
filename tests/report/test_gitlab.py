"""Code Quality of GitLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.command import tpllint
from tests.report.hostile import hostile_report, written
from tests.report.readers import read_gitlab

if TYPE_CHECKING:
    from pathlib import Path


def test_a_finding_is_an_entry_at_its_lines(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("{# a #}\n{{ messages | nope }}\n")
    done = tpllint("check", "t.jinja", "--output-format", "gitlab", cwd=tmp_path)
    assert done.code == 1
    (entry,) = read_gitlab(done.out)
    assert len(entry.pop("fingerprint")) == 32
    assert entry == {
        "description": 'there is no filter "nope" in transformers; use one of Jinja\'s own filters, or write it out',
        "check_name": "unknown-filter-or-test",
        "severity": "major",
        "location": {"path": "t.jinja", "lines": {"begin": 2, "end": 2}},
    }


def test_a_fingerprint_stays_when_lines_move_and_differs_between_findings(tmp_path: Path) -> None:
    fingerprints = []
    for source in ("{{ messages | nope }}{{ tools | nope }}", "\n\n{{ messages | nope }}\n{{ tools | nope }}"):
        (tmp_path / "t.jinja").write_text(source)
        done = tpllint("check", "t.jinja", "--output-format", "gitlab", cwd=tmp_path)
        fingerprints.append({entry["fingerprint"] for entry in read_gitlab(done.out)})
    assert fingerprints[0] == fingerprints[1]


def test_what_has_no_place_stands_in_the_first_line() -> None:
    entries = read_gitlab(written("gitlab", hostile_report("x")))
    assert [(entry["check_name"], entry["severity"], entry["location"]["lines"]) for entry in entries] == [
        ("odd-thing", "major", {"begin": 3, "end": 4}),
        ("odd-thing", "info", {"begin": 1}),
        ("odder-thing", "minor", {"begin": 3, "end": 4}),
        ("odd-thing", "blocker", {"begin": 1}),
        ("undecided", "info", {"begin": 1}),
        ("no-such-path", "blocker", {"begin": 1}),
        ("incomplete", "info", {"begin": 1}),
    ]


def test_where_all_is_well_there_is_no_entry(tmp_path: Path) -> None:
    done = tpllint("check", "--ignore", "ALL", "--output-format", "gitlab", "-", cwd=tmp_path, stdin=b"x")
    assert (done.code, done.out) == (0, "[]\n")
