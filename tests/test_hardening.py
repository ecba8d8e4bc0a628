"""Whoever wrote a model, a conversation or a configuration file wants to break the program that looks at it, and does not."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.command import Done, tpllint
from tpllint.sources.opening import NotRegularError, opened, opened_below, opened_inside

if TYPE_CHECKING:
    from pathlib import Path

CHAT = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
CHAT += "{% if add_generation_prompt %}<|assistant|>{% endif %}"
BROKEN = "{% for %}"
ELSEWHERE = "is a link to a place outside the model's folder"


def check(folder: Path, *arguments: str) -> Done:
    return tpllint("check", "--no-config", *arguments, cwd=folder)


def report(folder: Path, *arguments: str) -> Any:
    return check(folder, *arguments, "--output-format", "json").json()


def messages(told: Any) -> list[str]:
    return [finding["message"] for finding in told["findings"]]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


def configuration(folder: Path, templates: object) -> None:
    write(folder / "tokenizer_config.json", json.dumps({"chat_template": templates}))


# --- files ---


@pytest.mark.parametrize(
    "links", [("../out/secret.jinja",), ("a", "b", "../out/secret.jinja"), ("sub/../../out/secret.jinja",)]
)
def test_no_chain_of_links_leads_out_of_a_model(tmp_path: Path, links: tuple[str, ...]) -> None:
    write(tmp_path / "out" / "secret.jinja", "{{ 'TOP SECRET' }}{% for %}")
    (tmp_path / "model" / "sub").mkdir(parents=True)
    for name, to in zip(("chat_template.jinja", *links), links, strict=False):
        (tmp_path / "model" / name).symlink_to(to)
    done = check(tmp_path, "model")
    assert f"chat_template.jinja {ELSEWHERE}" in done.out
    assert "SECRET" not in done.out


def test_a_folder_of_templates_that_is_a_link_is_not_entered(tmp_path: Path) -> None:
    write(tmp_path / "out" / "tool_use.jinja", "{{ 'TOP SECRET' }}{% for %}")
    write(tmp_path / "model" / "chat_template.jinja", CHAT)
    (tmp_path / "model" / "additional_chat_templates").symlink_to(tmp_path / "out")
    done = check(tmp_path, "model")
    assert f"tool_use.jinja {ELSEWHERE}" in done.out
    assert "SECRET" not in done.out


def test_the_blobs_of_the_hubs_cache_are_inside(tmp_path: Path) -> None:
    write(tmp_path / "models--a--b" / "blobs" / "0123", CHAT)
    write(tmp_path / "models--a--b" / "refs" / "main", CHAT)
    snapshot = tmp_path / "models--a--b" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "chat_template.jinja").symlink_to("../../blobs/0123")
    assert report(tmp_path, str(snapshot))["targets"][0]["templates"] == ["default"]
    (snapshot / "chat_template.jinja").unlink()
    (snapshot / "chat_template.jinja").symlink_to("../../refs/main")
    assert messages(report(tmp_path, str(snapshot))) == [f"chat_template.jinja {ELSEWHERE}, so it was not read"]


@pytest.mark.parametrize("replaced", ["folder", "file"])
def test_a_link_that_is_put_there_after_the_look_is_not_followed(tmp_path: Path, replaced: str) -> None:
    write(tmp_path / "out" / "t.jinja", "secret")
    write(tmp_path / "model" / "folder" / "t.jinja", "public")
    with opened_below(tmp_path / "model", ("folder", "t.jinja")) as stream:
        assert stream.read() == b"public"
    if replaced == "folder":
        (tmp_path / "model" / "folder").rename(tmp_path / "before")
        (tmp_path / "model" / "folder").symlink_to(tmp_path / "out")
    else:
        (tmp_path / "model" / "folder" / "t.jinja").unlink()
        (tmp_path / "model" / "folder" / "t.jinja").symlink_to(tmp_path / "out" / "t.jinja")
    with pytest.raises((OSError, NotRegularError)):
        opened_below(tmp_path / "model", ("folder", "t.jinja"))


def test_what_is_no_regular_file_is_not_opened_at_all(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "itself").symlink_to(".")
    for name in ("pipe", "folder", "device"):
        with pytest.raises(NotRegularError):
            opened(tmp_path / name)
    for name in ("pipe", "folder", "itself"):
        with pytest.raises(NotRegularError):
            opened_inside(tmp_path / name, tmp_path)


def test_pipes_and_folders_in_place_of_files_are_told_and_not_waited_for(tmp_path: Path) -> None:
    for name in ("chat_template.jinja", "tokenizer_config.json", "tokenizer.json", "model.gguf"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "generation_config.json").mkdir()
    assert sorted(messages(report(tmp_path, "."))) == [
        f"{name} is not a regular file, so it was not read"
        for name in ("chat_template.jinja", "generation_config.json", "tokenizer_config.json")
    ]


def test_what_counts_is_what_is_read_and_not_what_a_file_says_of_its_size(tmp_path: Path) -> None:
    mounted = "/proc/self/environ"  # whose size is 0 and whose content is not
    (tmp_path / "t.jinja").symlink_to(mounted)
    if not os.path.exists(mounted):
        pytest.skip("no such file system")
    done = tpllint("check", "--no-config", "t.jinja", cwd=tmp_path, env={"FILLED": "{% for %}" + "x" * 100_000})
    assert "template-syntax-error" in done.out


def test_more_named_templates_than_anybody_has_are_left_unread(tmp_path: Path) -> None:
    for number in range(120):
        write(tmp_path / "additional_chat_templates" / f"t{number:03}.jinja", CHAT)
    told = report(tmp_path, ".")
    assert len(told["targets"][0]["templates"]) < 100
    assert not told["targets"][0]["fully_analysed"]
    assert any("is beyond the first 100 files" in message for message in messages(told))
