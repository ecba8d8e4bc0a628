"""The templates of a model on the Hub are those that the installed transformers loads from the same Hub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.command import tpllint
from tests.local_hub import LocalHub

if TYPE_CHECKING:
    from collections.abc import Mapping

pytest.importorskip("transformers", minversion="5.23")
live = pytest.importorskip("tests.live")

ROOT = Path(__file__).resolve().parent.parent.parent
TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}{# NAME #}"
MODELS: dict[str, Mapping[str, Any]] = {
    "org/everything": {
        "tokenizer_config.json": {"chat_template": [{"name": "default", "template": TEMPLATE}]},
        "chat_template.jinja": "root",
        "additional_chat_templates/default.jinja": "default",
        "additional_chat_templates/tool_use.jinja": "tool_use",
        "processor_config.json": {"chat_template": TEMPLATE},
    },
    "org/conflict": {
        "chat_template.json": {"chat_template": TEMPLATE},
        "additional_chat_templates/tool_use.jinja": "tool_use",
    },
    "org/legacy": {"chat_template.jinja": "root", "chat_template.json": {"chat_template": TEMPLATE}},
    "org/file": {"chat_template.jinja": "root", "additional_chat_templates/file.jinja": "file", "processor_config.json": {}},
}
LOADING = """
import json, sys
from transformers import PreTrainedTokenizerFast, ProcessorMixin
told = {}
for name in sys.argv[1:]:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(name)
    try:
        processor = ProcessorMixin.get_processor_dict(name)[0].get("chat_template")
    except ValueError as error:
        processor = type(error).__name__
    told[name] = {"tokenizer": tokenizer.chat_template, "processor": processor}
print(json.dumps(told))
"""


def _bytes(name: str, held: Any) -> bytes:
    text = json.dumps(held) if name.endswith(".json") else TEMPLATE.replace("NAME", held)
    return text.encode()


def _environment(hub: LocalHub, home: Path) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.upper().startswith(("HF_", "HUGGING"))}
    return kept | {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "NO_PROXY": "*", "HF_HUB_DISABLE_TELEMETRY": "1"}


def test_the_templates_of_a_model_on_the_hub_are_those_that_transformers_loads(tmp_path: Path) -> None:
    words = live.tokenizer(None).backend_tokenizer.to_str().encode()
    with LocalHub() as hub:
        for name, files in MODELS.items():
            hub.add(name, {"tokenizer.json": words, **{path: _bytes(path, held) for path, held in files.items()}})
        loaded = subprocess.run(
            [sys.executable, "-c", LOADING, *MODELS],
            capture_output=True,
            check=True,
            timeout=120,
            env=_environment(hub, tmp_path / "theirs"),
        )
        env = _environment(hub, tmp_path / "ours")
        ours = tpllint("describe", "--coverage", "--output-format", "json", *MODELS, cwd=tmp_path, env=env).json()
    theirs = json.loads(loaded.stdout)
    for name in MODELS:
        described = {one["template"]: one for one in ours["descriptions"] if one["target"] == name}
        for loader in ("tokenizer", "processor"):
            view = next(iter(described.values()))["storage"][loader]
            assert _held(view, described) == theirs[name][loader], (name, loader)


def _held(view: Mapping[str, Any], described: Mapping[str, Any]) -> Any:
    """A loader's templates in the form of transformers, their texts from the descriptions."""
    if view["error"] is not None:
        return "ValueError"
    by_name = {one["name"]: described[one["template"]]["coverage"]["source"] for one in view["templates"]}
    return by_name if view["named"] else by_name.get("default")
