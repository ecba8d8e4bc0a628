"""docs/review-unattended.md: what is to be copied from it fits what is there, and its Job runs."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import huggingface_hub
import pytest
import yaml  # type: ignore[import-untyped]

from tests.local_hub import LocalHub
from tests.small_tokenizer import CHATML
from tests.webhook_payloads import discussed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "review-unattended.md").read_text(encoding="utf-8")
WRITER = "hf_Wr1ter"
FILES = {"chat_template.jinja": CHATML.encode(), "tokenizer_config.json": b'{"eos_token": "<|im_end|>"}'}
MUTE = {**FILES, "chat_template.jinja": CHATML.split("{% if add_generation_prompt %}")[0].encode()}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def asked_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Run the page's Python, and return how it calls the client, whose functions are not run but have to take that."""
    asked: dict[str, dict[str, Any]] = {}

    def noted(name: str, result: object) -> None:
        signature = inspect.signature(getattr(huggingface_hub, name))

        def call(*positional: Any, **named: Any) -> object:
            asked[name] = signature.bind(*positional, **named).arguments
            return result

        monkeypatch.setattr(huggingface_hub, name, call)

    noted("run_job", type("Job", (), {"id": "job"}))
    noted("create_webhook", None)
    noted("get_token", WRITER)
    (block,) = blocks("python")
    exec(compile(block, "docs/review-unattended.md", "exec"), {})
    return asked


def started(command: list[str], home: Path, hub: LocalHub, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command of a Job; `pip` only says what it was asked for, since tpllint is there."""
    (home / "bin").mkdir(exist_ok=True)
    scripts = {"pip": 'echo "pip $*"', "tpllint": f'exec "{sys.executable}" -m tpllint "$@"'}
    for name, text in scripts.items():
        (home / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (home / "bin" / name).chmod(0o755)
    path = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"
    settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home / "home"), "NO_PROXY": "*", "HF_HUB_OFFLINE": "", "PATH": path}
    environment = {**os.environ, **settings, **more}
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub() as running:
        running.add("org/model", FILES)
        running.add_user(WRITER, "reviewer")
        yield running


def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The Job's command, as Python and as the command line have it."""
    (typed,) = re.findall(r"bash -ec \\\n  '(.+)'$", blocks("sh")[0], re.MULTILINE)
    return [asked_of_the_hub(monkeypatch)["run_job"]["command"], ["bash", "-ec", typed]]


@pytest.mark.parametrize("which", [0, 1])
def test_the_job_of_the_page_reviews_and_has_nothing_to_do_at_first(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    command = commands(monkeypatch)[which]
    first = started(command, tmp_path, hub)
    assert (first.returncode, first.stdout, first.stderr) == (0, "pip install --quiet tpllint\n", "")
    number = hub.open_pull_request("org/model", MUTE)
    done = started(command, tmp_path, hub, WEBHOOK_PAYLOAD=json.dumps(discussed(number)), HF_TOKEN=WRITER)
    assert (done.returncode, done.stderr.startswith("comment posted: ")) == (0, True), done.stderr
    assert [event.author for event in hub.discussion("org/model", number).comments] == ["somebody", "reviewer"]


def test_the_webhook_of_the_page_hands_over_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_of_the_hub(monkeypatch)["create_webhook"]
    assert (asked["job_id"], asked["secrets"]) == ("job", {"HF_TOKEN": WRITER})


@pytest.mark.parametrize("number", [0, 1])
def test_a_workflow_of_the_page_gives_the_action_inputs_that_it_has(number: int) -> None:
    known = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"]
    (job,) = yaml.safe_load(blocks("yaml")[number])["jobs"].values()
    given: Mapping[str, str] = job["steps"][-1]["with"]
    assert given.keys() <= known.keys()
    told = re.findall(r"^\| (`[a-z`, ]+`) \|", PAGE, re.MULTILINE)
    assert {name for cell in told for name in re.findall("[a-z]+", cell)} == set(known)
