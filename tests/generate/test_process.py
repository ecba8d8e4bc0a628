"""The process of a model ends with whoever asked it, and whatever ends it is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.generate.asking import answers, loaded, prompt
from tpllint.errors import RepairableError
from tpllint.generation.settings import Settings
from tpllint.generation.talker import Talker

ROOT = Path(__file__).resolve().parent.parent.parent
TALKS = """
import sys
from pathlib import Path
from tests.generate.asking import answers, loaded, prompt
from tpllint.generation.settings import Settings
from tpllint.generation.talker import Talker

with Talker(Settings()) as talker:
    print(talker.pid, flush=True)
    if sys.argv[2] == "busy":
        loaded(talker, Path(sys.argv[1]))
        print("loaded", flush=True)
        while True:
            answers(talker, *(prompt(str(number)) for number in range(16)), tokens=400)
    talker.machine()
    print("ready", flush=True)
    sys.stdin.read()
"""


def lives(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ends(pid: int, seconds: float = 10) -> bool:
    """Whether a process ends soon."""
    end = time.monotonic() + seconds
    while lives(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not lives(pid)


@pytest.mark.parametrize("state", ["busy", "idle"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_its_parent(small_model: Path, state: str, how: signal.Signals) -> None:
    command = [sys.executable, "-c", TALKS, str(small_model), state]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.stdout.readline()
        assert lives(pid)
        time.sleep(0.2)
        parent.send_signal(how)
        parent.wait(timeout=60)
    assert ends(pid)


def interrupted(talker: Talker) -> None:
    with talker:
        raise KeyboardInterrupt


def test_a_process_that_still_imports_ends_with_an_interruption() -> None:
    talker = Talker(Settings())
    with pytest.raises(KeyboardInterrupt):
        interrupted(talker)
    assert not lives(talker.pid)


def test_a_process_that_dies_is_told(small_model: Path) -> None:
    with Talker(Settings()) as talker:
        loaded(talker, small_model)
        os.kill(talker.pid, signal.SIGKILL)
        with pytest.raises(RepairableError) as caught:
            answers(talker, prompt("Hi"))
    assert caught.value.kind == "model-process-ended"
    assert "want of memory" in caught.value.message


def test_the_last_line_of_a_crash_is_the_reason(small_model: Path) -> None:
    with Talker(Settings()) as talker:
        loaded(talker, small_model)
        with pytest.raises(RepairableError) as caught:
            answers(talker, prompt("Hi"), tokens=-1)
    assert caught.value.kind == "model-process-ended"
    assert "ended early: ValueError: " in caught.value.message
    assert "max_new_tokens" in caught.value.message


def test_a_talker_that_nobody_asks_ends() -> None:
    with Talker(Settings()) as talker:
        pid = talker.pid
    assert not lives(pid)


def test_what_a_model_prints_does_not_disturb(copied: Path) -> None:
    (copied / "own.py").write_text(
        "import sys\nfrom transformers import LlamaConfig, LlamaForCausalLM\n"
        "print('to out' * 100_000)\nprint('to err' * 100_000, file=sys.stderr)\n"
        "class Config(LlamaConfig):\n    model_type = 'own_kind'\n"
        "class Model(LlamaForCausalLM):\n    config_class = Config\n"
    )
    text = (copied / "config.json").read_text(encoding="utf-8").replace('"llama"', '"own_kind"')
    own = '{"auto_map": {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"},'
    (copied / "config.json").write_text(text.replace("{", own, 1), encoding="utf-8")
    with Talker(Settings(trust_remote_code=True)) as talker:
        assert loaded(talker, copied).parameters


def test_the_process_does_not_inherit_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "HF_API_TOKEN", "HUGGINGFACE_API_KEY", "AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "secret")
    with Talker(Settings()) as talker:
        assert b"secret" not in Path(f"/proc/{talker.pid}/environ").read_bytes()


def test_a_run_takes_little_memory(small_model: Path) -> None:
    with Talker(Settings()) as talker:
        loaded(talker, small_model)
        answers(talker, *(prompt(str(number)) for number in range(6)), tokens=64)
        status = Path(f"/proc/{talker.pid}/status").read_text(encoding="ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    assert int(peak.split()[1]) < 1_000_000
