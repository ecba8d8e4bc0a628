"""One line per target, each a JSON report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.command import tpllint

if TYPE_CHECKING:
    from pathlib import Path


def test_every_line_is_the_json_report_of_one_target(tmp_path: Path) -> None:
    (tmp_path / "a.jinja").write_text("{{ messages | nope }}\n\u2028")
    (tmp_path / "b.jinja").write_text("{% include 'x' %}{{ messages | nope }}")
    (tmp_path / "c.jinja").write_text("{{ raise_exception('not today') }}")
    targets = ("a.jinja", "b.jinja", "missing", "c.jinja")
    done = tpllint("check", *targets, "--output-format", "jsonl", cwd=tmp_path)
    assert done.code == 2
    lines = done.out.split("\n")
    assert lines.pop() == ""
    alone = [tpllint("check", target, "--output-format", "json", cwd=tmp_path).json() for target in targets]
    assert [json.loads(line) for line in lines] == alone


def test_a_refused_run_has_a_line_for_every_target_too(tmp_path: Path) -> None:
    done = tpllint("check", "a", "b", "--var", "x=yes", "--output-format", "jsonl", cwd=tmp_path)
    assert done.code == 2
    told = [json.loads(line)["targets"][0] for line in done.out.splitlines()]
    assert [(target["target"], target["error"]["kind"]) for target in told] == [("a", "bad-variable"), ("b", "bad-variable")]
