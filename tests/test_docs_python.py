"""Every block of docs/python.md runs, and prints what the page shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from transformers import trainer_callback

import tpllint
from tests import live

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "python.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"(?P<file><!-- file: (?P<name>\S+) -->\n)?```python\n(?P<code>.*?)```\n(?:\n```text\n(?P<shown>.*?)```\n)?", re.DOTALL
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("my-model", "released"):
        live.tokenizer(live.GOOD).save_pretrained(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_page(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """What the page's blocks define, and for each what it printed and what the page shows."""
    names: dict[str, Any] = {}
    said = []
    for block in BLOCK.finditer(PAGE):
        if block["file"] is None:
            exec(block["code"], names)
            said.append((capsys.readouterr().out, block["shown"] or ""))
    return names, said


@pytest.mark.usefixtures("folder")
def test_every_block_prints_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    _, said = run_page(capsys)
    assert [printed for printed, _ in said] == [shown for _, shown in said]


@pytest.mark.usefixtures("folder")
def test_the_callback_stops_a_training_with_a_wrong_template(capsys: pytest.CaptureFixture[str]) -> None:
    callback = run_page(capsys)[0]["CheckChatTemplate"]()
    handler: Any = trainer_callback.CallbackHandler
    for event in ("on_train_begin", "on_train_end"):
        right, wrong = (
            handler([callback], None, live.tokenizer(template), None, None) for template in (live.GOOD, live.NO_PROMPT)
        )
        state, control = trainer_callback.TrainerState(), trainer_callback.TrainerControl()
        assert getattr(right, event)(None, state, control) is control
        with pytest.raises(ValueError, match="generation-prompt-missing"):
            getattr(wrong, event)(None, state, control)


def test_the_test_to_copy_passes_and_says_what_is_wrong(folder: Path) -> None:
    (recipe,) = (block for block in BLOCK.finditer(PAGE) if block["name"])
    (folder / recipe["name"]).write_text(recipe["code"], encoding="utf-8")
    assert run_pytest(folder).returncode == 0
    live.tokenizer(live.NO_PROMPT).save_pretrained(folder / "my-model")
    failed = run_pytest(folder)
    assert failed.returncode == 1
    assert "E       AssertionError: error[generation-prompt-missing]: add_generation_prompt adds nothing" in failed.stdout
    assert "--> <TokenizersBackend my-model>/chat_template.jinja:" in failed.stdout
    assert "('user', True): 'different'" in failed.stdout


def test_the_line_for_warnings_too_fails_for_a_warning_and_for_what_could_not_be_examined(folder: Path) -> None:
    (line,) = re.findall(r"`(assert [^`]*findings[^`]*)`", PAGE)
    exec(line, {"tpllint": tpllint, "report": tpllint.check(folder / "my-model")})
    for target in (live.tokenizer(None), folder / "nowhere"):
        with pytest.raises(AssertionError, match=r"no-chat-template|no such file or folder"):
            exec(line, {"tpllint": tpllint, "report": tpllint.check(target)})


def run_pytest(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
