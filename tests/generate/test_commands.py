"""`check --generate`, `diff --generate` and `chat` as a user types them, with a model that was trained."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.command import Done, tpllint
from tests.tiny_model import MODEL, ROWS

OFFLINE = {"HF_HUB_OFFLINE": "1"}
SWAPPED = "user\nswap gold road<|im_end|>"


def run(folder: Path, *arguments: str | Path, stdin: str = "") -> Done:
    done = tpllint(*arguments, cwd=folder, env=OFFLINE, stdin=stdin.encode())
    assert "Traceback" not in done.out + done.err
    return done


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODEL, tmp_path / "model"))


def test_a_right_template_is_silent_but_for_one_line(tmp_path: Path) -> None:
    done = run(tmp_path, "check", MODEL, "--generate", "--prompts", ROWS)
    assert done.code == 0
    assert done.out.startswith(f"note: {MODEL}: 15 answers of ")
    assert done.out.endswith("no findings in 1 template\n")
    assert done.err == ""


def test_a_wrong_template_fails_and_json_tells_the_evidence(tmp_path: Path, copied: Path) -> None:
    path = copied / "chat_template.jinja"
    path.write_text(
        path.read_text(encoding="utf-8").replace("{{- '<|im_end|>\\n' -}}", "{{- '<|im_end|>' -}}"), encoding="utf-8"
    )
    done = run(tmp_path, "check", copied, "--generate", "--prompts", ROWS, "--output-format", "json")
    found = {finding["rule"]: finding for finding in done.json()["findings"]}
    assert done.code == 1
    assert found["template-does-not-fit"]["category"] == "generation"
    assert found["template-does-not-fit"]["evidence"]["excerpt"]


def test_another_template_is_tried_on_the_model(tmp_path: Path) -> None:
    (tmp_path / "plain.jinja").write_text("{% for m in messages %}{{ m.content }}\n{% endfor %}", encoding="utf-8")
    done = run(tmp_path, "check", MODEL, "--chat-template", "plain.jinja", "--generate", "--prompts", ROWS)
    assert done.code == 1
    assert "template-does-not-fit" in done.out


def test_what_the_model_writes_is_shown_as_it_comes(tmp_path: Path) -> None:
    rows = [{"messages": [{"role": "user", "content": text}]} for text in ("swap gold road", "say red")]
    (tmp_path / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    done = run(tmp_path, "check", MODEL, "--generate", "--prompts", "rows.json", "-v")
    assert "--- rows.json[0]\n| road gold\n--- rows.json[1]\n| red\n" in done.err


def test_no_model_speaks_through_a_template_that_may_do_harm(tmp_path: Path, copied: Path) -> None:
    (copied / "chat_template.jinja").write_text("{{ ''.__class__.__mro__ }}", encoding="utf-8")
    done = run(tmp_path, "check", copied, "--generate")
    assert done.code == 1
    assert "the model was not asked: the template may do harm" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "model", "--prompts", "rows.json"], "--prompts is about a model that speaks"),
        (["check", "model", "--max-new-tokens", "3"], "--max-new-tokens is about a model that speaks"),
        (["check", "model", "--generate", "--prompts", "nowhere.json"], "no such file: nowhere.json"),
        (["diff", "model", "model", "model", "--generate"], "are about two sides"),
        (["check", "model", "--generate", "--device", "cuda"], "cuda"),
        (["chat", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_message_with_a_hint(
    tmp_path: Path, copied: Path, arguments: list[str], said: str
) -> None:
    done = run(copied.parent, *arguments)
    assert done.code == 2
    assert said in done.out + done.err
    assert (done.out + done.err).count("help: ") == 1


def test_both_sides_of_a_diff_are_scored_by_one_model(tmp_path: Path) -> None:
    right = (MODEL / "chat_template.jinja").read_text(encoding="utf-8")
    (tmp_path / "other.jinja").write_text(right.replace("<|im_end|>\\n", "<|im_end|>"), encoding="utf-8")
    body = run(tmp_path, "diff", MODEL, "other.jinja", "--generate", "--prompts", ROWS, "--output-format", "json").json()
    assert body["fit"]["answers"] == 13
    assert body["fit"]["left"] + 1 < body["fit"]["right"]
    done = run(tmp_path, "diff", "other.jinja", MODEL, "--generate", "--prompts", ROWS)
    assert "  fit    the model knows the right one better: 13 reference answers cost " in done.out


def test_a_chat_goes_through_exactly_this_template(tmp_path: Path) -> None:
    done = run(
        tmp_path, "chat", MODEL, stdin="swap gold road\n/prompt\n/reset\n/nothing\nremember sun\nwhat was it\n/exit\nsay red\n"
    )
    assert done.code == 0
    assert done.out == "| road gold\n| noted\n| sun\n"
    assert SWAPPED in done.err
    assert "error: no such command: /nothing\n  help: /prompt shows" in done.err


def test_a_system_message_is_kept_through_a_chat(tmp_path: Path) -> None:
    done = run(tmp_path, "chat", MODEL, "--system", "answer loudly", stdin="say red\n/system answer politely\nsay red\n")
    assert done.out == "| red!\n| red please\n"


def test_a_diff_lends_the_tokens_of_the_model_to_a_template_that_has_none(tmp_path: Path, copied: Path) -> None:
    for path in (copied / "tokenizer.json", copied / "tokenizer_config.json"):
        path.write_text(path.read_text(encoding="utf-8").replace('"<s>"', '"<BOS>"'), encoding="utf-8")
    (tmp_path / "alone").mkdir()
    shutil.copy(copied / "chat_template.jinja", tmp_path / "alone")
    fit = run(tmp_path, "diff", copied, "alone", "--generate", "--prompts", ROWS, "--output-format", "json").json()["fit"]
    assert fit["left"] == fit["right"]


def test_ctrl_c_ends_the_model_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tpllint", "chat", str(MODEL)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **OFFLINE}
    ) as process:
        assert process.stderr is not None
        assert "on cpu" in process.stderr.readline()
        children = children_of(process.pid)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
    deadline = time.monotonic() + 30
    while any(map(lives, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert children
    assert not any(map(lives, children))


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
