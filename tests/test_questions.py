"""Rules that ask a model's tokenizer: where the answer comes from, what is fetched for it, and what is said without it."""

from __future__ import annotations

import json
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import jinja2
import markupsafe
import pytest

from tests.command import Done, tpllint
from tests.local_hub import LocalHub
from tests.small_tokenizer import tokenizer
from tpllint import check
from tpllint.small_tokenizer import tokenizer_json

if TYPE_CHECKING:
    from collections.abc import Mapping

MISSPELLED = (
    "{% for m in messages %}<|turn_start|>{{ m.role }}\n{{ m.content }}<|trun_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|turn_start|>assistant\\n' }}{% endif %}"
)
RIGHT = MISSPELLED.replace("trun", "turn")
UNLIKELY = RIGHT.replace("turn_end", "torn_end")
"""What may be a slip, and may be a token of the vocabulary."""
TOKENS = ("<|turn_start|>", "<|turn_end|>", "<|stop|>")


def _model(folder: Path, template: str = MISSPELLED, **files: str) -> dict[str, str]:
    """A folder as transformers 5 writes it: ids are in tokenizer.json alone."""
    held = {
        "chat_template.jinja": template,
        "tokenizer_config.json": '{"eos_token": "<|stop|>", "tokenizer_class": "TokenizersBackend"}',
        "tokenizer.json": tokenizer(*TOKENS).to_str(),
        **{f"{name}.json": text for name, text in files.items()},
    }
    folder.mkdir()
    for name, text in held.items():
        (folder / name).write_text(text, encoding="utf-8")
    return held


def _said(done: Done) -> dict[str, Any]:
    return {finding["rule"]: finding for finding in done.json()["findings"]}


def _check(target: str, folder: Path, *options: str, **settings: Any) -> Done:
    return tpllint("check", target, "--output-format", "json", *options, cwd=folder, **settings)


def test_a_misspelled_token_is_found_where_it_stands(tmp_path: Path) -> None:
    _model(tmp_path / "model")
    found = _said(_check("model", tmp_path))["control-literal-not-a-token"]
    assert found["message"] == '"<|trun_end|>" is 12 tokens in this model, and "<|turn_end|>" is one'
    assert found["column"] == MISSPELLED.splitlines()[1].index("<|trun") + 1
    assert found["help"] == 'write "<|turn_end|>"'


def test_a_rule_that_asked_speaks_once(tmp_path: Path) -> None:
    _model(tmp_path / "model", MISSPELLED + "{{ '<|turn_strat|>' }}")
    done = _check("model", tmp_path, "--select", "TPL207")
    assert [finding["message"].partition(" ")[0] for finding in done.json()["findings"]] == [
        '"<|trun_end|>"',
        '"<|turn_strat|>"',
    ]
    assert done.json()["skipped"] == []


def test_equal_folders_with_unlike_tokenizers_are_told_apart(tmp_path: Path) -> None:
    _model(tmp_path / "bytes")
    _model(tmp_path / "words")
    held = json.loads(tokenizer(*TOKENS).to_str())
    held["model"]["vocab"] = {"<|trun_end|>": 0, "?": 1}
    held["model"] |= {"type": "WordLevel", "unk_token": "?"}
    held["pre_tokenizer"] = {"type": "WhitespaceSplit"}
    (tmp_path / "words" / "tokenizer.json").write_text(json.dumps(held))
    done = tpllint("check", "bytes", "words", "--output-format", "json", cwd=tmp_path)
    told = {finding["target"] for finding in done.json()["findings"] if finding["rule"] == "control-literal-not-a-token"}
    assert told == {"bytes"}, "the other tokenizer has a word for it"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [(None, "there is no tokenizer.json that tells the token ids"), ("no tokenizer", "model/tokenizer.json cannot be used: ")],
)
def test_a_rule_without_an_answer_is_told_as_skipped(tmp_path: Path, broken: str | None, reason: str) -> None:
    _model(tmp_path / "model", UNLIKELY)
    (tmp_path / "model" / "tokenizer.json").unlink()
    decoder = {str(number): {"content": token} for number, token in enumerate(TOKENS)}
    config = {"eos_token": "<|stop|>", "added_tokens_decoder": decoder}
    (tmp_path / "model" / "tokenizer_config.json").write_text(json.dumps(config))
    if broken:
        head = '{"added_tokens": [{"id": 0, "content": "<|turn_end|>"}, {"id": 1, "content": "<|turn_start|>"}], "model": 1}'
        (tmp_path / "model" / "tokenizer.json").write_text(head)
    done = _check("model", tmp_path)
    assert done.code == 0
    (skipped,) = done.json()["skipped"]
    assert skipped["rule"] == "control-literal-not-a-token"
    assert skipped["reason"].startswith(reason)


@pytest.mark.parametrize("slip", ["trun_end", "Turn-End", "turn_ed"])
def test_a_certain_slip_needs_no_answer(tmp_path: Path, slip: str) -> None:
    _model(tmp_path / "model", RIGHT.replace("turn_end", slip))
    (tmp_path / "model" / "tokenizer.json").unlink()
    (tmp_path / "model" / "tokenizer_config.json").write_text('{"eos_token": "<|turn_end|>"}')
    done = _check("model", tmp_path)
    said = _said(done)["control-literal-not-a-token"]
    assert said["message"] == f'"<|{slip}|>" is no token of this model, and "<|turn_end|>" is one'
    assert done.json()["skipped"] == []


def test_without_the_library_only_the_rules_that_asked_are_skipped(tmp_path: Path) -> None:
    _model(tmp_path / "model", UNLIKELY, generation_config='{"eos_token_id": 1}')
    _model(tmp_path / "right", RIGHT, generation_config='{"eos_token_id": 1}')
    venv.create(tmp_path / "env", with_pip=False)
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    for package in (click, jinja2, markupsafe):
        (site / package.__name__).symlink_to(Path(str(package.__file__)).parent)
    settings: dict[str, Any] = {
        "python": str(tmp_path / "env" / "bin" / "python"),
        "env": {"PYTHONPATH": str(Path(__file__).parent.parent)},
    }
    done = _check("model", tmp_path, **settings)
    (skipped,) = done.json()["skipped"]
    reason = "the package tokenizers is not installed (pip install 'tpllint[tokenizer]')"
    assert (skipped["rule"], skipped["reason"]) == ("control-literal-not-a-token", reason)
    text = tpllint("check", "model", cwd=tmp_path, **settings)
    assert f"undecided: model: control-literal-not-a-token has no verdict: {reason}" in text.out
    right = _check("right", tmp_path, **settings)
    assert "stop-token-not-declared" in _said(right), "what stands before the vocabulary is read without the library"
    assert right.json()["skipped"] == []


def _on_the_hub(hub: LocalHub, home: Path, files: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    commit = hub.add("org/model", {name: text.encode() for name, text in files.items()})
    return commit, {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "NO_PROXY": "*", "HF_TOKEN": ""}


def test_the_hub_is_asked_for_a_tokenizer_when_a_rule_has_asked(tmp_path: Path) -> None:
    files = _model(tmp_path / "model", RIGHT, generation_config='{"eos_token_id": 258}')
    with LocalHub() as hub:
        commit, environment = _on_the_hub(hub, tmp_path / "home", files)
        found = _said(_check("org/model", tmp_path, env=environment))["stop-token-not-declared"]
        assert found["message"].startswith(
            'turns end with "<|turn_end|>", token 257, and generation_config.json stops only at 258'
        )
        assert hub.requests.count(("GET", f"/org/model/resolve/{commit}/tokenizer.json")) == 1
        _check("org/model", tmp_path, env=environment)
        assert hub.requests.count(("GET", f"/org/model/resolve/{commit}/tokenizer.json")) == 1, "it is in the cache now"


def test_the_hub_is_not_asked_for_a_tokenizer_that_no_chosen_rule_needs(tmp_path: Path) -> None:
    files = _model(tmp_path / "model", RIGHT, generation_config='{"eos_token_id": 258}')
    with LocalHub() as hub:
        _, environment = _on_the_hub(hub, tmp_path / "home", files)
        _check("org/model", tmp_path, "--ignore", "TPL206,TPL207", env=environment)
        assert not any("tokenizer.json" in path for _, path in hub.requests)


def test_a_repository_without_a_tokenizer_says_nothing_of_it_when_one_file_is_named(tmp_path: Path) -> None:
    files = _model(tmp_path / "model", RIGHT)
    del files["tokenizer.json"]
    with LocalHub() as hub:
        _, environment = _on_the_hub(hub, tmp_path / "home", files)
        for target in ("org/model", f"{hub.url}/org/model/blob/main/chat_template.jinja"):
            done = tpllint("check", target, cwd=tmp_path, env=environment)
            assert (done.code, done.out) == (0, "no findings in 1 template\n"), target


def test_what_nobody_is_told_is_not_looked_up(tmp_path: Path) -> None:
    files = _model(tmp_path / "model")
    files |= {"tokenizer_config.json": '{"bos_token": "<|stop|>"}', "chat_template.jinja": "{{ bos_token }}" + RIGHT}
    with LocalHub() as hub:
        _, environment = _on_the_hub(hub, tmp_path / "home", files)
        _check("org/model", tmp_path, "--ignore", "TPL207", env=environment)
        assert not any("tokenizer.json" in path for _, path in hub.requests), "double-bos-on-encode is information"
        _check("org/model", tmp_path, "--select", "TPL203", env=environment)
        assert any(path.endswith("/tokenizer.json") for _, path in hub.requests)


def test_a_live_tokenizer_tells_what_it_adds(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    held = json.loads(tokenizer_json("<s>", "<|end|>"))
    first = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    special = {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}
    held["post_processor"] = {"type": "TemplateProcessing", "single": first, "pair": first, "special_tokens": special}
    (tmp_path / "tokenizer.json").write_text(json.dumps(held))
    (tmp_path / "tokenizer_config.json").write_text('{"bos_token": "<s>", "tokenizer_class": "PreTrainedTokenizerFast"}')
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    loaded.chat_template = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    assert "bos-missing" in {finding.rule for finding in check(loaded).findings}
    loaded.chat_template = "{{ bos_token }}" + loaded.chat_template
    assert "bos-missing" not in {finding.rule for finding in check(loaded).findings}


def test_a_file_on_the_hub_is_judged_as_the_whole_model_where_there_is_no_tokenizer(tmp_path: Path) -> None:
    files = _model(tmp_path / "model", RIGHT)
    del files["tokenizer.json"]
    with LocalHub() as hub:
        _, environment = _on_the_hub(hub, tmp_path / "home", files)
        whole = _check("org/model", tmp_path, env=environment).json()
        alone = _check(f"{hub.url}/org/model/blob/main/chat_template.jinja", tmp_path, env=environment).json()
    assert [skipped["reason"] for skipped in alone["skipped"]] == [skipped["reason"] for skipped in whole["skipped"]]
    assert not alone["skipped"]


def test_a_tokenizer_among_very_many_files_is_found(tmp_path: Path) -> None:
    files = _model(tmp_path / "model") | {f"model-{number:05}.safetensors": "" for number in range(1100)}
    with LocalHub() as hub:
        _, environment = _on_the_hub(hub, tmp_path / "home", files)
        done = _check("org/model", tmp_path, env=environment)
    assert "control-literal-not-a-token" in _said(done)
