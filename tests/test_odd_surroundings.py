"""`tpllint` where the shell, the file system or the machine is not as it should be: told in a sentence, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.command import tpllint

if TYPE_CHECKING:
    from pathlib import Path

GOOD = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.jinja"
    path.write_text(GOOD)
    return path


def shell(line: str, cwd: Path) -> tuple[int, str]:
    """Run a line of shell in which `$T` is tpllint: its exit code and everything it printed.

    Without PYTHONUNBUFFERED, under which Python itself takes a write that a closing pipe cut short for a whole one.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=cwd,
        env={**inherited, "T": f"{sys.executable} -m tpllint"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_working_directory_that_is_gone_does_not_matter(good: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code, said = shell(f"rmdir {gone}; $T check {good}", gone)
    assert (code, said) == (0, "no findings in 1 template\n")


@pytest.mark.parametrize("line", ["$T check - <&-", "$T check good.jinja >&-", "$T render good.jinja >&-", "$T rules >&-"])
def test_a_closed_stream_is_told(good: Path, tmp_path: Path, line: str) -> None:
    code, said = shell(line, tmp_path)
    assert code == 2
    assert "is closed" in said
    assert "Traceback" not in said


def test_a_reader_that_has_seen_enough_is_no_success(good: Path, tmp_path: Path) -> None:
    code, said = shell("set -o pipefail; $T render good.jinja --all-conversations --output-format json | head -c 1", tmp_path)
    assert code != 0
    assert "Traceback" not in said


def test_output_into_a_pipe_writes_to_it_and_does_not_replace_it(good: Path, tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()), daemon=True)
    reader.start()
    done = tpllint("check", good, "--output-format", "json", "--output", pipe, cwd=tmp_path)
    reader.join(timeout=30)
    assert done.code == 0
    assert pipe.is_fifo()
    assert json.loads(got[0])["schema"] == "tpllint-check-v1"


@pytest.mark.parametrize("limit", ["-t 8", "-v 900000"])
def test_limits_that_are_lower_already_stay_as_they_are(good: Path, tmp_path: Path, limit: str) -> None:
    assert shell(f"ulimit {limit}; $T check good.jinja", tmp_path) == (0, "no findings in 1 template\n")


def test_a_worker_that_cannot_start_is_told(good: Path, tmp_path: Path) -> None:
    code, said = shell("ulimit -n 6; $T check good.jinja", tmp_path)
    assert code == 2
    assert "no worker process can be started" in said


def test_a_loop_of_links_is_a_finding_and_the_other_targets_go_on(good: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "tokenizer_config.json").symlink_to("tokenizer_config.json")
    done = tpllint("check", "model", good, "--output-format", "json", cwd=tmp_path)
    (finding,) = done.json()["findings"]
    assert (finding["rule"], finding["target"]) == ("not-fully-analysed", "model")
    assert "too many levels of symbolic links" in finding["message"]
    assert str(tmp_path) not in finding["message"]


@pytest.mark.parametrize("words", [("",), ("good.jinja", "--select", "")])
def test_an_empty_word_is_an_error_and_not_a_pass(good: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    assert tpllint("check", *words, cwd=tmp_path).code == 2


def test_the_same_target_twice_is_one_target(good: Path, tmp_path: Path) -> None:
    assert tpllint("check", "good.jinja", "good.jinja", cwd=tmp_path).out == "no findings in 1 template\n"
    assert tpllint("check", "-", "-", cwd=tmp_path, stdin=GOOD.encode()).out == "no findings in 1 template\n"


def test_a_missing_file_hides_nothing_of_the_others_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text("{% include 'x' %}")
    done = tpllint("check", "chat_template.jinja", "tokenizer_config.json", "--output-format", "json", cwd=tmp_path)
    assert [finding["rule"] for finding in done.json()["findings"]] == ["loader-statement"]
    assert [target["error"] and target["error"]["kind"] for target in done.json()["targets"]] == [None, "no-such-path"]


def test_a_broken_neighbour_is_not_a_finding_about_the_template(good: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text("{")
    assert tpllint("check", "good.jinja", cwd=tmp_path).out == "no findings in 1 template\n"


def test_a_template_that_refuses_every_chat_is_not_shown_as_checked(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("{{ raise_exception('not today') }}")
    done = tpllint("check", "t.jinja", "--output-format", "json", cwd=tmp_path)
    assert [finding["rule"] for finding in done.json()["findings"]] == ["role-rejected"]
    assert {"rule": "role-dropped", "target": "t.jinja", "reason": "a plain chat does not render: not today (default)"} in (
        done.json()["skipped"]
    )
    quiet = tpllint("check", "t.jinja", "--ignore", "role-rejected", cwd=tmp_path)
    assert quiet.out.startswith("undecided: t.jinja: a plain chat does not render: not today")


def test_a_rule_that_speaks_of_a_failure_is_not_told_as_skipped(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("{% for m in messages %}")
    report = tpllint("check", "t.jinja", "--output-format", "json", cwd=tmp_path).json()
    assert [finding["rule"] for finding in report["findings"]] == ["template-syntax-error"]
    skipped = {one["rule"] for one in report["skipped"]}
    assert "role-dropped" in skipped
    assert not skipped & {"template-syntax-error", "unknown-filter-or-test", "resource-exhaustion", "sandbox-violation"}


def test_a_template_that_does_not_compile_refuses_no_role(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text("{{ messages | }}", encoding="utf-8")
    done = tpllint("check", ".", "--profile", "all", "--output-format", "json", cwd=tmp_path)
    assert {finding["rule"] for finding in done.json()["findings"]} == {"template-syntax-error"}


def test_what_could_not_be_analysed_is_told_whatever_rules_are_selected(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("{% if a %}" * 3000 + "{% endif %}" * 3000)
    done = tpllint("check", "t.jinja", "--select", "role-dropped", "--output-format", "json", cwd=tmp_path)
    assert done.json()["targets"][0]["fully_analysed"] is False


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("{% block a %}{% endblock %}{% block a %}{% endblock %}" + GOOD, "template-syntax-error"),
        ("{% if false %}{{ 'A' * 20000000000 }}{% endif %}" + GOOD, "resource-exhaustion"),
        ("{% if false %}{{ 'A' | center(20000000000) }}{% endif %}" + GOOD, "resource-exhaustion"),
        ("{% set f = 'nope' %}{{ messages | map(f) | list }}", "template-render-error"),
    ],
)
def test_what_jinja_hides_is_found_all_the_same(tmp_path: Path, source: str, rule: str) -> None:
    (tmp_path / "t.jinja").write_text(source)
    done = tpllint("check", "t.jinja", "--output-format", "json", cwd=tmp_path)
    assert rule in [finding["rule"] for finding in done.json()["findings"]]


def test_a_place_that_only_python_objects_to_is_still_found(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("{# #}\n{{ messages }}\n  {% break %}\n")
    (finding,) = tpllint("check", "t.jinja", "--output-format", "json", cwd=tmp_path).json()["findings"]
    assert (finding["rule"], finding["line"], finding["column"]) == ("template-syntax-error", 3, 6)


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("check", "--help")])
def test_help_that_cannot_be_written_is_one_message(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        command = [sys.executable, "-m", "tpllint", *arguments]
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[0][:37]) == (2, "error: standard output cannot be writ")


@pytest.mark.parametrize("command", ["check", "render", "describe"])
def test_a_conversation_that_nests_without_end_is_one_message(tmp_path: Path, command: str) -> None:
    (tmp_path / "t.jinja").write_text("{{ messages[0].content }}", encoding="utf-8")
    (tmp_path / "deep.json").write_text('[{"role": "user", "content": ' + "[" * 500 + "]" * 500 + "}]", encoding="utf-8")
    done = tpllint(command, "t.jinja", "--conversation", "deep.json", cwd=tmp_path)
    assert done.code == 2
    assert "deep.json is not a conversation: it nests deeper than 100 levels" in done.err + done.out
    variable = tpllint(command, "t.jinja", "--var", "x=" + "[" * 500 + "]" * 500, cwd=tmp_path)
    assert variable.code == 2
    assert "the value of x nests deeper than 100 levels" in variable.err + variable.out
