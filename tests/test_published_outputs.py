"""Published outputs, character for character, through the real command line.

The outputs are those that transformers' documentation and the models' cards show; the templates in `examples/` are our own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOW_ARE_YOU = "examples/conversations/how-are-you.json"
HI_THERE = "examples/conversations/hi-there.json"
NAME_IN_JSON = "examples/conversations/name-in-json.json"

MISTRAL = (
    "<s>[INST] Hello, how are you? [/INST]I'm doing great. How can I help you today?</s> "
    "[INST] I'd like to show off how chat templating works! [/INST]"
)
ZEPHYR = (
    "<|user|>\nHello, how are you?</s>\n"
    "<|assistant|>\nI'm doing great. How can I help you today?</s>\n"
    "<|user|>\nI'd like to show off how chat templating works!</s>\n"
)
CHATML = (
    "<|im_start|>user\nHi there!<|im_end|>\n"
    "<|im_start|>assistant\nNice to meet you!<|im_end|>\n"
    "<|im_start|>user\nCan I ask a question?<|im_end|>\n"
)
OPEN_ANSWER = '<|im_start|>user\nCan you format the answer in JSON?<|im_end|>\n<|im_start|>assistant\n{"name": "'


def _tpllint(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "tpllint", *arguments], cwd=ROOT, capture_output=True, check=False)


def _rendered(model: str, conversation: str, *options: str) -> str:
    done = _tpllint("render", f"examples/{model}", "--conversation", conversation, *options)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode("utf-8")


def test_mistral_opens_with_its_first_round_and_separates_rounds_by_a_space() -> None:
    assert _rendered("mistral-v01", HOW_ARE_YOU) == MISTRAL


def test_mistral_has_no_generation_prompt_to_add() -> None:
    assert _rendered("mistral-v01", HOW_ARE_YOU, "--no-generation-prompt") == MISTRAL


def test_zephyr_closes_every_turn_with_the_end_of_sequence() -> None:
    assert _rendered("zephyr", HOW_ARE_YOU, "--no-generation-prompt") == ZEPHYR


def test_zephyr_prompts_for_an_answer() -> None:
    assert _rendered("zephyr", HOW_ARE_YOU, "--add-generation-prompt") == f"{ZEPHYR}<|assistant|>\n"


def test_chatml_without_its_generation_prompt() -> None:
    assert _rendered("chatml", HI_THERE, "--no-generation-prompt") == CHATML


def test_chatml_with_its_generation_prompt() -> None:
    assert _rendered("chatml", HI_THERE, "--add-generation-prompt") == f"{CHATML}<|im_start|>assistant\n"


def test_the_generation_prompt_is_added_after_a_user_message_unless_it_is_declined() -> None:
    assert _rendered("chatml", HI_THERE) == f"{CHATML}<|im_start|>assistant\n"


def test_a_final_message_that_is_continued_stays_open() -> None:
    assert _rendered("chatml", NAME_IN_JSON, "--continue-final-message") == OPEN_ANSWER


def test_a_final_message_cannot_be_continued_and_prompted_for() -> None:
    both = ("--continue-final-message", "--add-generation-prompt")
    done = _tpllint("render", "examples/chatml", "--conversation", NAME_IN_JSON, *both)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"--continue-final-message and --add-generation-prompt exclude each other" in done.stderr
