"""Every named template is checked, wherever it is stored and whichever loader has it, and can be selected by its name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.command import tpllint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GOOD = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
BROKEN = "{% for m in messages %}"
SYNTAX = "template-syntax-error"

STORED: dict[str, Mapping[str, object]] = {
    "list": {
        "tokenizer_config.json": {
            "chat_template": [{"name": "default", "template": GOOD}, {"name": "tool_use", "template": BROKEN}]
        }
    },
    "object": {"tokenizer_config.json": {"chat_template": {"default": GOOD, "tool_use": BROKEN}}},
    "files": {"chat_template.jinja": GOOD, "additional_chat_templates/tool_use.jinja": BROKEN},
    "files alone": {"additional_chat_templates/rag.jinja": GOOD, "additional_chat_templates/tool_use.jinja": BROKEN},
    "processor": {"processor_config.json": {"chat_template": {"default": GOOD, "tool_use": BROKEN}}},
}


def write(folder: Path, files: Mapping[str, object]) -> None:
    for name, held in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(held if isinstance(held, str) else json.dumps(held), encoding="utf-8")


def checked(folder: Path, *options: str) -> tuple[list[str], list[str]]:
    """The templates that were checked, and those that do not compile."""
    body = tpllint("check", ".", "--select", SYNTAX, "--output-format", "json", *options, cwd=folder).json()
    (target,) = body["targets"]
    return target["templates"], [finding["template"] for finding in body["findings"]]


@pytest.mark.parametrize("place", STORED)
def test_the_template_that_a_call_with_tools_picks_is_checked(tmp_path: Path, place: str) -> None:
    write(tmp_path, STORED[place])
    templates, broken = checked(tmp_path)
    assert templates == ["rag" if place == "files alone" else "default", "tool_use"]
    assert broken == ["tool_use"]
    assert checked(tmp_path, "--template", "tool_use") == (["tool_use"], ["tool_use"])
    assert checked(tmp_path, "--template", templates[0]) == ([templates[0]], [])


@pytest.mark.parametrize("name", ["chat_template.json", "processor_config.json"])
def test_a_template_that_only_the_processor_loads_is_checked_under_its_file(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"chat_template.jinja": GOOD, name: {"chat_template": BROKEN}})
    label = f"{name}:default"
    assert checked(tmp_path) == (["default", label], [label])
    assert checked(tmp_path, "--template", label) == ([label], [label])


def test_a_template_that_no_loader_has_is_not_checked(tmp_path: Path) -> None:
    write(tmp_path, {"chat_template.jinja": GOOD, "tokenizer_config.json": {"chat_template": BROKEN}})
    assert checked(tmp_path) == (["default"], [])


def test_a_name_that_no_template_has_is_told_with_those_there_are(tmp_path: Path) -> None:
    write(tmp_path, {"chat_template.jinja": GOOD, "chat_template.json": {"chat_template": BROKEN}})
    done = tpllint("check", ".", "--template", "tool", cwd=tmp_path)
    assert done.code == 2
    assert "chat_template.json:default" in done.out + done.err
