"""What docs/generate.md shows is what the commands print, but for the time that it took."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.command import tpllint
from tests.tiny_model import MODEL, ROWS

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "generate.md"
SECONDS = re.compile(r"in \d+\.\d s")
NATS = re.compile(r"\d+\.\d{3}")
"""Another processor rounds otherwise."""


def shown() -> list[str]:
    return re.findall(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def without_measures(text: str) -> str:
    return NATS.sub("0.000", SECONDS.sub("in 0.0 s", text))


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The models of the page."""
    for name in ("model", "broken", "mute"):
        shutil.copytree(MODEL, tmp_path / name)
    shutil.copy(ROWS, tmp_path)
    template = tmp_path / "broken" / "chat_template.jinja"
    template.write_text(template.read_text(encoding="utf-8").replace("<|im_end|>\\n", "<|im_end|>"), encoding="utf-8")
    settings = tmp_path / "mute" / "generation_config.json"
    told = json.loads(settings.read_text(encoding="utf-8"))
    settings.write_text(json.dumps({**told, "eos_token_id": told["bos_token_id"]}), encoding="utf-8")
    return tmp_path


def test_the_page_shows_what_is_printed(there: Path) -> None:
    asked = ("--generate", "--prompts", ROWS.name)
    runs = (("check", "mute"), ("check", "broken"), ("check", "model"), ("diff", "model", "broken"))
    printed = "".join(tpllint(*run, *asked, cwd=there, env={"HF_HUB_OFFLINE": "1"}).out for run in runs)
    assert shown()
    for block in shown():
        assert without_measures(block.rstrip("\n")) in without_measures(printed)
