"""`tpllint render --token-ids`: the ids that transformers would give, from a stranger's tokenizer.json."""

from __future__ import annotations

import json
import os
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import click
import jinja2
import markupsafe
import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from tests.command import Done, tpllint
from tests.local_hub import LocalHub
from tests.small_tokenizer import CHATML, tokenizer_json, write_model
from tpllint.errors import RepairableError
from tpllint.sources.files import ModelFile
from tpllint.tokenizing import encode

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
GROWING = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 16}
MESSAGES = [{"role": "user", "content": "na\u00efve\t<|im_start|> \U0001f600"}]


def _ids(target: str, folder: Path, *options: str) -> Done:
    (folder / "c.json").write_text(json.dumps(MESSAGES))
    return tpllint("render", target, "--conversation", "c.json", "--token-ids", *options, cwd=folder)


def _python_with(folder: Path, *packages: ModuleType) -> str:
    """An interpreter that has these packages and no others."""
    venv.create(folder, with_pip=False)
    (site,) = (folder / "lib").glob("python*/site-packages")
    for package in packages:
        (site / package.__name__).symlink_to(Path(str(package.__file__)).parent)
    return str(folder / "bin" / "python")


def test_the_ids_are_those_that_transformers_gives(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    (record,) = _ids("model", tmp_path, "--output-format", "json").json()["renders"]
    tokenizer = AutoTokenizer.from_pretrained(model)
    expected = tokenizer.apply_chat_template(MESSAGES, add_generation_prompt=True, return_dict=False)
    assert record["token_ids"] == expected
    assert record["token_ids"].count(256) == 3
    assert record["token_ids"].count(257) == 1, "a special token that only the configuration declares is a token too"


def test_each_token_stands_with_its_id_beside_its_message(tmp_path: Path) -> None:
    write_model(tmp_path / "model", "<|im_start|>{{ messages[0].content }}")
    (tmp_path / "c.json").write_text('[{"role": "user", "content": "a \\n"}]')
    done = tpllint("render", "model", "--conversation", "c.json", "--token-ids", cwd=tmp_path)
    assert done.out.endswith(
        "\n       \u2502 <|im_start|>\n0 user \u2502 a\u00b7\u21b5\n"
        "\ntokens: 4\n\n"
        "       \u2502 256  <|im_start|>\n"
        "0 user \u2502  64  a\n"
        "0 user \u2502 220  \u00b7\n"
        "0 user \u2502 198  \u21b5\n"
    )


def test_a_token_of_the_templates_own_stands_beside_the_message_its_row_stands_beside(tmp_path: Path) -> None:
    write_model(tmp_path / "model", "{% for m in messages %}<|im_start|>{{ m.content }}{% endfor %}")
    (tmp_path / "c.json").write_text('[{"role": "user", "content": "a"}]')
    shown = tpllint("render", "model", "--conversation", "c.json", "--token-ids", cwd=tmp_path)
    assert shown.out.endswith(
        "\n0 user \u2502 <|im_start|>a\n\ntokens: 2\n\n0 user \u2502 256  <|im_start|>\n0 user \u2502  64  a\n"
    )


def test_a_render_that_fails_has_no_ids(tmp_path: Path) -> None:
    write_model(tmp_path / "model", "{{ raise_exception('no') }}")
    (record,) = _ids("model", tmp_path, "--output-format", "json").json()["renders"]
    assert (record["text"], record["token_ids"]) == (None, None)


def test_no_ids_are_told_unless_they_are_asked_for(tmp_path: Path) -> None:
    write_model(tmp_path / "model")
    (record,) = tpllint("render", "model", "--output-format", "json", cwd=tmp_path).json()["renders"]
    assert "token_ids" not in record


def test_nothing_is_cut_or_filled_up(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    tokenizer = Tokenizer.from_str(tokenizer_json())
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=500)
    (model / "tokenizer.json").write_text(tokenizer.to_str())
    (record,) = _ids("model", tmp_path, "--output-format", "json").json()["renders"]
    assert len(record["token_ids"]) == len(record["text"].encode()) - 3 * (len("<|im_start|>") - 1) - (len("<|im_end|>") - 1)


def test_a_template_of_its_own_has_no_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text(CHATML)
    done = _ids("t.jinja", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: no tokenizer.json beside t.jinja: without a tokenizer there are no token ids\n  help: ")


def test_a_template_of_its_own_is_tried_with_a_models_tokenizer(tmp_path: Path) -> None:
    write_model(tmp_path / "model")
    (tmp_path / "t.jinja").write_text("ab")
    (record,) = _ids("model", tmp_path, "--chat-template", "t.jinja", "--output-format", "json").json()["renders"]
    assert record["token_ids"] == [64, 65]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (b"{", "EOF while parsing"),
        (b"\xff", "can't decode byte 0xff"),
        (b'{"model": {"type": "\x1b[2J"}}', ""),
    ],
)
def test_a_broken_tokenizer_is_told_in_a_sentence(tmp_path: Path, written: bytes, reason: str) -> None:
    model = write_model(tmp_path / "model")
    (model / "tokenizer.json").write_bytes(written)
    done = _ids("model", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: model/tokenizer.json cannot be used: ")
    assert reason in done.err
    assert len(done.err.splitlines()) == 2
    assert done.err.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (
            {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a|a|aa)+$b"}, "behavior": "Isolated", "invert": False}},
            "Onig",
        ),
        ({"normalizer": {"type": "Sequence", "normalizers": [GROWING] * 12}}, "ended early, most likely for want of memory"),
    ],
)
def test_a_tokenizer_that_breaks_the_library_ends_in_its_own_process(
    tmp_path: Path, part: dict[str, object], reason: str
) -> None:
    model = write_model(tmp_path / "model", "a" * 60)
    tokenizer = json.loads(tokenizer_json()) | part
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))
    done = _ids("model", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: model/tokenizer.json cannot be used: ")
    assert reason in done.err


def test_a_tokenizer_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    os.truncate(model / "tokenizer.json", 64_000_001)
    done = _ids("model", tmp_path)
    assert (done.code, done.err.splitlines()[0]) == (2, "error: model/tokenizer.json is larger than 64 MB")


def test_a_link_out_of_the_models_folder_is_not_followed(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    (model / "tokenizer.json").rename(tmp_path / "elsewhere.json")
    (model / "tokenizer.json").symlink_to(tmp_path / "elsewhere.json")
    done = _ids("model", tmp_path)
    assert (done.code, "is a link to a place outside the model's folder" in done.err) == (2, True)


def test_without_the_library_the_error_says_what_to_install(tmp_path: Path) -> None:
    write_model(tmp_path / "model")
    python = _python_with(tmp_path / "env", click, jinja2, markupsafe)
    done = tpllint("render", "model", "--token-ids", cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, python=python)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: token ids cannot be shown without the package tokenizers\n"
        "  help: run `pip install tokenizers`, or install tpllint with its extra `tokenizer`\n"
    )


def test_half_a_character_has_no_id(tmp_path: Path) -> None:
    write_model(tmp_path / "model")
    (tmp_path / "c.json").write_text('[{"role": "user", "content": "\\ud800"}]')
    done = tpllint("render", "model", "--conversation", "c.json", "--token-ids", cwd=tmp_path)
    assert (done.code, done.err.partition(",")[0]) == (2, "error: a prompt with half a surrogate pair")


def test_answers_beyond_the_limit_are_refused() -> None:
    tokenizer = ModelFile("tokenizer.json", "tokenizer.json", tokenizer_json().encode())
    with pytest.raises(RepairableError, match="over the limit of 16000000"):
        encode(tokenizer, ["a" * 1_500_000])


def test_the_hub_is_asked_for_a_tokenizer_only_where_ids_are_asked_for(tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in write_model(tmp_path / "model").iterdir()}
    with LocalHub() as hub:
        commit = hub.add("org/model", files)
        environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "NO_PROXY": "*", "HF_TOKEN": ""}
        tpllint("render", "org/model", cwd=tmp_path, env=environment)
        assert not any("tokenizer.json" in path for _, path in hub.requests)
        asked = ("render", "org/model", "--token-ids", "--output-format", "json")
        (record,) = tpllint(*asked, cwd=tmp_path, env=environment).json()["renders"]
        assert ("GET", f"/org/model/resolve/{commit}/tokenizer.json") in hub.requests
    (offline,) = tpllint(*asked, "--offline", cwd=tmp_path, env=environment).json()["renders"]
    assert record["token_ids"] == offline["token_ids"]
    assert record["token_ids"].count(256) == 4
