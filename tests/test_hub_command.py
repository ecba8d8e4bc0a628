"""Commands on models on the Hub: what the environment and the options decide, and what never leaves the program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.command import Done, tpllint
from tests.local_hub import HANG_UP, LocalHub, Manner
from tests.small_tokenizer import CHATML
from tpllint.sources.hub_failures import FAILURES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = "hf_Secret0fTheUser"
FILES = {"chat_template.jinja": CHATML.encode(), "tokenizer_config.json": b'{"eos_token": "<|im_end|>"}'}


@pytest.fixture(scope="module")
def server() -> Iterator[LocalHub]:
    with LocalHub() as running:
        running.add("org/model", FILES)
        running.add("org/mine", FILES, private_token=TOKEN)
        running.add("org/gated", FILES, gated=True)
        running.add("org/disabled", FILES, disabled=True)
        running.add("org/weights", {"model.safetensors": b"weights"})
        yield running


@pytest.fixture
def hub(server: LocalHub) -> LocalHub:
    server.recover()
    return server


def run(hub: LocalHub, home: Path, *arguments: str, **environment: str) -> Done:
    """Run tpllint as somebody whose Hub this is; it must neither fail nor tell the token."""
    settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home / "home"), "NO_PROXY": "*", "HF_HUB_OFFLINE": "", "HF_TOKEN": ""}
    done = tpllint(*arguments, cwd=home, env=settings | environment)
    assert TOKEN not in done.out + done.err
    assert "Traceback" not in done.out + done.err
    return done


def told(done: Done) -> list[str]:
    """The kinds of the errors in a JSON report."""
    assert done.err == ""
    return [target["error"]["kind"] for target in done.json()["targets"] if target["error"]]


def check(hub: LocalHub, home: Path, *arguments: str, **environment: str) -> list[str]:
    """The kinds of the errors that `check` tells; the report is printed and the exit code is 2 where there are any."""
    done = run(hub, home, "check", *arguments, "--output-format", "json", **environment)
    assert done.code in ((2,) if told(done) else (0, 1))
    return told(done)


def test_the_token_of_the_option_or_of_the_environment_opens_a_private_model(hub: LocalHub, tmp_path: Path) -> None:
    assert check(hub, tmp_path, "org/mine") == ["no-such-repository"]
    assert check(hub, tmp_path, "org/mine", HF_TOKEN=TOKEN) == []
    assert check(hub, tmp_path, "org/mine", "--token", TOKEN) == []
    assert check(hub, tmp_path, "org/mine", "--token", "hf_other", HF_TOKEN=TOKEN) == ["no-such-repository"]
    (tmp_path / "home" / "token").write_text(TOKEN)
    assert check(hub, tmp_path, "org/mine") == []
    assert set(hub.tokens) == {None, TOKEN, "hf_other"}


def test_the_cache_lies_where_the_environment_says(hub: LocalHub, tmp_path: Path) -> None:
    assert check(hub, tmp_path, "org/model", HF_HOME=str(tmp_path / "elsewhere")) == []
    assert check(hub, tmp_path, "org/model", "--offline", HF_HOME=str(tmp_path / "elsewhere")) == []
    assert check(hub, tmp_path, "org/model", "--offline") == ["not-cached"]
    assert (tmp_path / "elsewhere" / "hub" / "models--org--model" / "refs" / "main").is_file()
    assert not (tmp_path / "home" / "hub").exists()


@pytest.mark.parametrize("offline", [("--offline", ""), ("--no-progress", "1")])
def test_offline_asks_nobody(hub: LocalHub, tmp_path: Path, offline: tuple[str, str]) -> None:
    option, variable = offline
    assert check(hub, tmp_path, "org/model") == []
    hub.recover()
    assert check(hub, tmp_path, option, "org/model", HF_HUB_OFFLINE=variable) == []
    assert check(hub, tmp_path, option, "org/gated", HF_HUB_OFFLINE=variable) == ["not-cached"]
    assert hub.requests == []


def test_models_come_from_the_endpoint_that_the_environment_names(hub: LocalHub, tmp_path: Path) -> None:
    with LocalHub() as mirror:
        mirror.add("org/model", FILES)
        assert check(hub, tmp_path, "https://huggingface.co/org/model", f"{mirror.url}/org/model", HF_ENDPOINT=mirror.url) == []
        assert check(hub, tmp_path, f"{hub.url}/org/model", HF_ENDPOINT=mirror.url) == ["unknown-host"]
        assert {target for _, target in mirror.requests if "/api/" in target} == {"/api/models/org/model?blobs=true"}
    assert hub.requests == []


REFUSED = {
    "org/none": "no-such-repository",
    "org/gated": "gated-repository",
    "org/disabled": "disabled-repository",
    "org/model@nope": "no-such-revision",
    "org/model@pr/7": "no-such-pull-request",
    "https://huggingface.co/org/model/blob/main/nope.jinja": "no-such-file",
    "https://huggingface.co/org/model/blob/main/model.safetensors": "unknown-kind",
    "https://huggingface.co/datasets/org/data": "not-a-model",
    "https://example.com/org/model": "unknown-host",
    "org/two--dashes": "invalid-repository-name",
}


def test_one_target_that_cannot_be_had_does_not_stop_the_others(hub: LocalHub, tmp_path: Path) -> None:
    done = run(hub, tmp_path, "check", *REFUSED, "org/model", "--output-format", "json", "--token", TOKEN)
    assert done.code == 2
    assert told(done) == list(REFUSED.values())
    assert [target["target"] for target in done.json()["targets"] if not target["error"]] == ["org/model"]
    text = run(hub, tmp_path, "check", *REFUSED, HF_TOKEN=TOKEN)
    assert text.code == 2
    assert (text.out + text.err).count("help: ") == len(REFUSED)


def test_a_repository_without_a_template_is_a_finding(hub: LocalHub, tmp_path: Path) -> None:
    done = run(hub, tmp_path, "check", "org/weights", "--output-format", "json")
    assert told(done) == []
    assert done.json()["findings"]


TROUBLE: dict[str, Callable[[LocalHub], None]] = {
    "rejected-token": lambda hub: hub.fail_with(
        401, headers={"X-Error-Message": "Invalid credentials in Authorization header"}
    ),
    "forbidden-repository": lambda hub: hub.fail_with(403),
    "rate-limited": lambda hub: hub.fail_with(429, headers={"RateLimit": '"api";r=0;t=55'}, on="/resolve/"),
    "hub-failure": lambda hub: hub.fail_with(500, TOKEN.encode()),
    "hub-unreachable": lambda hub: hub.fail_with(HANG_UP),
    "connection-cut": lambda hub: hub.behave(Manner(cut=9, resets=True)),
    "malformed-hub-answer": lambda hub: hub.fail_with(200, f'{{"sha": "{TOKEN}"}}'.encode()),
}


@pytest.mark.parametrize("kind", TROUBLE)
@pytest.mark.parametrize("command", [("check",), ("describe",), ("render", "-v")])
def test_trouble_with_the_hub_is_told_without_the_token(
    hub: LocalHub, tmp_path: Path, kind: str, command: tuple[str, ...]
) -> None:
    TROUBLE[kind](hub)
    for options, environment in ((("--token", TOKEN), {}), ((), {"HF_TOKEN": TOKEN, "HF_DEBUG": "1"})):
        done = run(hub, tmp_path, *command, "org/model", *options, **environment)
        assert done.code == 2
        assert (done.out + done.err).count("help: ") == 1
    assert set(hub.tokens) == {TOKEN}


def test_a_token_that_cannot_be_sent_is_not_shown(hub: LocalHub, tmp_path: Path) -> None:
    assert check(hub, tmp_path, "org/model", "--token", f"{TOKEN}\n{TOKEN}") == ["rejected-token"]
    assert check(hub, tmp_path, "org/model", HF_TOKEN=f"{TOKEN} \u20ac") == ["rejected-token"]
    assert hub.requests == []


def test_a_render_that_succeeds_does_not_show_the_token(hub: LocalHub, tmp_path: Path) -> None:
    assert run(hub, tmp_path, "render", "-v", "org/mine", "--token", TOKEN).code == 0
    assert run(hub, tmp_path, "describe", "org/mine", HF_TOKEN=TOKEN, HF_DEBUG="1").code == 0


def test_a_file_of_a_folder_is_reproduced_by_its_path_in_the_repository(hub: LocalHub, tmp_path: Path) -> None:
    commit = hub.add("org/folders", {"onnx/custom.jinja": CHATML.encode()})
    done = run(hub, tmp_path, "render", "-v", f"{hub.url}/org/folders/blob/main/onnx/custom.jinja", "--canonical", "user")
    assert f"hf_hub_download('org/folders', 'onnx/custom.jinja', revision='{commit}')" in done.err


def test_the_page_about_the_hub_explains_every_error() -> None:
    page = (Path(__file__).resolve().parent.parent / "docs" / "hub.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)
    of_urls = {"bad-url", "unknown-host", "not-a-model"}
    assert sorted(explained) == sorted({*FAILURES, *of_urls})


def test_urls_of_several_files_are_several_targets_with_and_without_a_scheme(hub: LocalHub, tmp_path: Path) -> None:
    hub.add("org/both", {"chat_template.jinja": CHATML.encode(), "tokenizer_config.json": b"{}"})
    names = ("chat_template.jinja", "tokenizer_config.json")
    for begin in ("huggingface.co", "https://huggingface.co"):
        targets = [f"{begin}/org/both/blob/main/{name}" for name in names]
        report = run(hub, tmp_path, "check", *targets, "--output-format", "json").json()
        assert [target["target"] for target in report["targets"]] == targets
