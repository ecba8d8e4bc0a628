"""Rules about training that need the tokenizer or transformers: held against what transformers itself does."""

from __future__ import annotations

import json
import venv
from pathlib import Path
from typing import Any

import click
import jinja2
import markupsafe
import pytest
import transformers
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer

from tests.command import tpllint
from tests.small_tokenizer import tokenizer
from tpllint.conversations import canonical
from tpllint.responses import parse

ROOT = str(Path(__file__).resolve().parent.parent)
ENDS = {"blank": "<|end|>{{ ' ' }}", "token": "<|end|>"}
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}"
    "{% for c in m.tool_calls or [] %}<call>{{ c.function | tojson }}</call>{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
RIGHT: dict[str, Any] = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|im_start|>assistant\n",
    "fields": {
        "thinking": {"open": "<think>", "close": "</think>"},
        "tool_calls": {
            "open": "<call>",
            "close": "</call>",
            "content": "json",
            "repeats": True,
            "transform": {"type": "function", "function": "{content}"},
        },
        "content": {"close": "<|im_end|>"},
    },
}
WRONG = {**RIGHT, "fields": {"content": {"close": "<|end|>"}}}
NAME = "response-template-roundtrip"


def _turns(end: str) -> str:
    return (
        "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
        f"{end}{{% endgeneration %}}{{% else %}}{{{{ m.content }}}}<|end|>{{% endif %}}{{% endfor %}}"
    )


def _model(folder: Path, template: str, **config: Any) -> None:
    folder.mkdir()
    made = tokenizer("<|user|>", "<|assistant|>", "<|end|>", "<|im_start|>", "<|im_end|>")
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(False, False)])
    made.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", **config}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")


def _check(folder: Path, rule: str, **settings: Any) -> dict[str, Any]:
    report: dict[str, Any] = tpllint(
        "check", "model", "--select", rule, "--output-format", "json", cwd=folder, **settings
    ).json()
    return report


def _python_without_libraries(folder: Path) -> str:
    venv.create(folder, with_pip=False)
    (site,) = (folder / "lib").glob("python*/site-packages")
    for package in (jinja2, markupsafe, click):
        (site / package.__name__).symlink_to(str(package.__path__[0]))
    return str(folder / "bin" / "python")


@pytest.mark.parametrize("end", ENDS)
def test_a_mask_is_told_to_run_on_where_that_of_transformers_does(tmp_path: Path, end: str) -> None:
    _model(tmp_path / "model", _turns(ENDS[end]))
    found = _check(tmp_path, "mask-runs-to-end")["findings"]
    reference: Any = AutoTokenizer.from_pretrained(tmp_path / "model")
    theirs = reference.apply_chat_template(
        list(canonical()["user-assistant-user"].messages), return_dict=True, return_assistant_tokens_mask=True
    )
    runs_on = tuple(map(int, transformers.__version__.split(".")[:2])) < (5, 24) and end == "blank"
    assert bool(theirs["assistant_masks"][-1]) is runs_on
    assert bool(found) is (end == "blank")


def test_without_a_tokenizer_it_is_skipped_with_a_reason(tmp_path: Path) -> None:
    _model(tmp_path / "model", _turns(ENDS["blank"]))
    (tmp_path / "model" / "tokenizer.json").unlink()
    report = _check(tmp_path, "mask-runs-to-end")
    assert report["findings"] == []
    assert [skipped["reason"] for skipped in report["skipped"]] == ["there is no tokenizer.json that tells the token ids"]


def test_what_comes_back_as_it_was_written_is_silent(tmp_path: Path) -> None:
    _model(tmp_path / "model", CHATML, response_template=RIGHT)
    report = _check(tmp_path, "response-template-roundtrip")
    assert (report["findings"], report["skipped"]) == ([], [])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"thinking": {"open": "<thought>", "close": "</thought>"}}, 'parse_response reads the content "<think>'),
        ({"content": {"close": "<|end|>"}}, 'parse_response reads the content "answer-birch<|im_end|>" where'),
        ({"tool_calls": {"open": "<tool>", "close": "</tool>"}}, "parse_response reads no tool calls where"),
        ({"tool_calls": {"open": "<call>", "close": "</call>", "content": "none"}}, 'parse_response raises "ValueError: Field'),
    ],
    ids=["reasoning", "content", "call", "unusable"],
)
def test_what_is_read_otherwise_is_told(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    _model(tmp_path / "model", CHATML, response_template={**RIGHT, "fields": {**RIGHT["fields"], **fields}})
    messages = [finding["message"] for finding in _check(tmp_path, "response-template-roundtrip")["findings"]]
    assert any(message.startswith(said) for message in messages), messages


def test_without_transformers_it_is_skipped_with_a_reason(tmp_path: Path) -> None:
    _model(tmp_path / "model", CHATML, response_template=RIGHT)
    python = _python_without_libraries(tmp_path / "env")
    (skipped,) = _check(tmp_path, "response-template-roundtrip", python=python, env={"PYTHONPATH": ROOT})["skipped"]
    assert skipped["reason"] == "transformers 5.13 or later is not installed (pip install transformers)"


@pytest.mark.parametrize("options", [(), ("--profile", "agent"), ("--severity", "stop-token-not-masked=info")])
def test_nobody_waits_for_transformers_who_has_not_asked_for_it(tmp_path: Path, options: tuple[str, ...]) -> None:
    _model(tmp_path / "model", CHATML, response_template=WRONG)
    report = tpllint("check", "model", "--output-format", "json", *options, cwd=tmp_path).json()
    assert NAME not in {finding["rule"] for finding in report["findings"]}
    (reason,) = [skipped["reason"] for skipped in report["skipped"] if skipped["rule"] == NAME]
    assert reason == "it starts transformers, which takes seconds: name it with --select, or check with --profile training"


@pytest.mark.parametrize("options", [("--select", "TPL608"), ("--profile", "training"), ("--severity", f"{NAME}=error")])
def test_who_asks_for_it_waits(tmp_path: Path, options: tuple[str, ...]) -> None:
    _model(tmp_path / "model", CHATML, response_template=WRONG)
    report = tpllint("check", "model", "--output-format", "json", *options, cwd=tmp_path).json()
    assert NAME in {finding["rule"] for finding in report["findings"]}


def test_a_response_template_that_never_ends_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tpllint.responses.SECONDS", 2.0)
    slow = {**RIGHT, "start_anchor_pattern": "(a|a|aa)+$"}
    del slow["start_anchor"]
    with pytest.raises(Exception, match=r"response_template cannot be used: (it did not finish|its process ended)"):
        parse(slow, [json.dumps(["a" * 60 + "b", "x", None])])
