"""Models on the Hub: each file is had once, by the ordinary client, and what is wrong is told before the weights are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.local_hub import HANG_UP, LocalHub

ROOT = Path(__file__).resolve().parent.parent.parent
STORED = "/stored/"
"""Where another host keeps large files; it is sent no token."""
TOKEN = "hf_Secret0fTheUser"


@pytest.fixture(scope="module")
def server(small_model: Path) -> Iterator[LocalHub]:
    files = {path.name: path.read_bytes() for path in small_model.iterdir()}
    with LocalHub() as running:
        running.add("org/model", files)
        running.add("org/model", {**files, "model.safetensors": b""}, "empty")
        running.add("org/mine", files, private_token=TOKEN)
        running.add("org/gated", files, gated=True)
        running.add("org/bare", {"README.md": b"nothing"})
        running.add("org/cut", {**files, "model.safetensors": files["model.safetensors"][:2000]})
        running.add("org/both", {**files, "pytorch_model.bin": b"not wanted", "onnx/model.onnx": b"not wanted"})
        yield running


@pytest.fixture
def hub(server: LocalHub) -> LocalHub:
    server.recover()
    return server


def load(
    hub: LocalHub, home: Path, repository: str, revision: str = "", in_environment: str = "", **options: Any
) -> dict[str, Any]:
    """Load a model as somebody whose Hub this is; nothing but what is asked for reaches the terminal."""
    command = [sys.executable, "-m", "tests.generate.load", repository, revision, json.dumps(options)]
    kept = {name: text for name, text in os.environ.items() if not name.upper().startswith(("HF_", "HUGGING"))}
    settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "NO_PROXY": "*", "HF_TOKEN": in_environment}
    done = subprocess.run(command, cwd=ROOT, env=kept | settings, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    assert TOKEN not in done.stdout
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def asked_for(hub: LocalHub) -> set[str]:
    """The names of the files that were asked for."""
    return {path.rpartition("/")[2] for _, path in hub.requests if "/resolve/" in path}


def test_a_model_is_downloaded_once_and_nothing_else_is_asked(hub: LocalHub, tmp_path: Path, small_model: Path) -> None:
    first = load(hub, tmp_path, "org/both")
    assert first["kind"] == ""
    assert "downloading" in first["heard"]
    assert asked_for(hub) == {path.name for path in small_model.iterdir()}
    bodies = [path for method, path in hub.requests if method == "GET"]
    assert len(bodies) == len(set(bodies))
    others = {path.partition("?")[0] for _, path in hub.requests if "/resolve/" not in path and not path.startswith(STORED)}
    assert others == {"/api/models/org/both"}
    hub.requests.clear()
    assert load(hub, tmp_path, "org/both", offline=True)["text"] == first["text"]
    assert hub.requests == []


@pytest.mark.parametrize("how", ["token", "in_environment"])
def test_a_private_model_is_opened_by_its_token(hub: LocalHub, tmp_path: Path, how: str) -> None:
    assert load(hub, tmp_path, "org/mine", **{how: TOKEN})["kind"] == ""
    sent = zip(hub.requests, hub.tokens, strict=True)
    assert {token for (_, path), token in sent if not path.startswith(STORED)} == {TOKEN}


@pytest.mark.parametrize(
    ("repository", "revision", "kind"),
    [
        ("org/missing", "", "no-such-repository"),
        ("org/mine", "", "no-such-repository"),
        ("org/model", "missing", "no-such-revision"),
        ("org/gated", "", "gated-repository"),
        ("org/bare", "", "no-weights"),
    ],
)
def test_what_cannot_be_loaded_is_told_before_weights_are_downloaded(
    hub: LocalHub, tmp_path: Path, repository: str, revision: str, kind: str
) -> None:
    assert load(hub, tmp_path, repository, revision)["kind"] == kind
    assert "model.safetensors" not in asked_for(hub)


@pytest.mark.parametrize(("repository", "revision"), [("org/cut", ""), ("org/model", "empty")])
def test_weights_that_are_cut_off_on_the_hub_are_told(hub: LocalHub, tmp_path: Path, repository: str, revision: str) -> None:
    assert load(hub, tmp_path, repository, revision)["kind"] == "unreadable-weights"


def test_a_download_that_is_refused_is_told(hub: LocalHub, tmp_path: Path) -> None:
    hub.fail_with(404, on="model.safetensors")
    told = load(hub, tmp_path, "org/model")
    assert told["kind"] == "download-failed"
    assert told["message"].startswith("the weights of org/model could not be downloaded: ")


def test_a_model_that_is_not_in_the_cache_is_told_offline(hub: LocalHub, tmp_path: Path) -> None:
    assert load(hub, tmp_path, "org/model", offline=True)["kind"] == "not-cached"
    assert hub.requests == []


def test_a_hub_that_hangs_up_is_told(hub: LocalHub, tmp_path: Path) -> None:
    hub.fail_with(HANG_UP)
    assert load(hub, tmp_path, "org/model")["kind"] == "hub-unreachable"
