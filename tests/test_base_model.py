"""`--base-model`: a GGUF file beside the model that it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.command import tpllint
from tests.gguf_model import CHATML, write_gguf
from tests.local_hub import LocalHub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.command import Done

CARD = b"---\nbase_model: org/base\n---\n# A model\n"
REPAIRED = CHATML.replace("<|im_end|>\n", "<|im_end|>")


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub() as hub:
        yield hub


def check(hub: LocalHub, folder: Path, *words: str) -> Done:
    settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "home"), "NO_PROXY": "*"}
    return tpllint("check", *words, "--base-model", "--output-format", "json", cwd=folder, env=settings)


@pytest.mark.parametrize("remote", [False, True], ids=["on this machine", "on the Hub"])
def test_a_template_that_the_base_model_has_changed_is_told(hub: LocalHub, tmp_path: Path, remote: bool) -> None:
    commit = hub.add("org/base", {"chat_template.jinja": REPAIRED.encode()})
    path = write_gguf(tmp_path / "model.gguf")
    (tmp_path / "README.md").write_bytes(CARD)
    hub.add("org/quantised", {"model.gguf": path.read_bytes(), "README.md": CARD})
    done = check(hub, tmp_path, "org/quantised" if remote else "model.gguf")
    (finding,) = done.json()["findings"]
    assert (finding["rule"], finding["severity"], done.code) == ("gguf-template-drift", "warning", 0)
    assert finding["message"].startswith('the template is not that of "org/base" any more: it gives "')
    assert finding["path"].endswith("model.gguf")
    (related,) = finding["related"]
    assert related["path"] == f"org/base@{commit}:chat_template.jinja"


def test_a_template_that_renders_as_that_of_the_base_model_is_fine(hub: LocalHub, tmp_path: Path) -> None:
    hub.add("org/base", {"chat_template.jinja": b"{# the same in other words #}" + CHATML.encode()})
    write_gguf(tmp_path / "model.gguf", entries={"general.base_model.0.repo_url": "https://huggingface.co/org/base"})
    done = check(hub, tmp_path, "model.gguf")
    assert (done.json()["findings"], done.json()["skipped"], done.code) == ([], [], 0)
    assert any("org/base" in path for _, path in hub.requests)


def test_what_only_the_base_model_is_asked_for_is_not_asked_without_the_option(hub: LocalHub, tmp_path: Path) -> None:
    write_gguf(tmp_path / "model.gguf")
    (tmp_path / "README.md").write_bytes(CARD)
    tpllint("check", "model.gguf", cwd=tmp_path, env={"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")})
    assert hub.requests == []


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        (b"# A model\n", "neither a model card beside the file nor the file itself names its base_model"),
        (CARD, "the Hugging Face Hub shows no model org/base: it does not exist, or it is private"),
        (b"---\nbase_model: [org/one, org/two]\n---\n", "it was made from several models: org/one, org/two"),
        (b"---\nbase_model: org/empty\n---\n", "its base model org/empty has no chat template that a tokenizer loads"),
    ],
)
def test_without_a_base_model_the_rule_is_skipped_and_says_why(hub: LocalHub, tmp_path: Path, card: bytes, reason: str) -> None:
    hub.add("org/empty", {"config.json": b"{}"})
    write_gguf(tmp_path / "model.gguf")
    (tmp_path / "README.md").write_bytes(card)
    done = check(hub, tmp_path, "model.gguf")
    (skipped,) = done.json()["skipped"]
    assert (skipped["rule"], skipped["reason"]) == ("gguf-template-drift", reason)
    assert done.code == 0
