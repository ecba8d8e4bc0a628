"""Pages that the real commands make of real folders, and the browser that opens them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import Chromium, chromium
from tests.command import tpllint
from tests.live import GOOD, TOKENS
from tests.report.hostile import TEXTS, hostile_report, written

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
HOSTILE = (
    "</style></title><script>alert(1)</script><img src=x onerror=alert(2)>&lt;b&gt;\"'\u202eesrever\u2066\u0007\u200b]]><!--"
)
HOSTILE_NAME = "<img src=x onerror=alert(3)>&\"'\u202e]]>"
Make = Callable[..., Path]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One browser for all tests."""
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes the page of two targets."""
    folder = tmp_path_factory.mktemp("pages")

    def made(left: str | Path, right: str | Path, *more: str | Path, cwd: Path = EXAMPLES) -> Path:
        path = folder / f"{len(list(folder.iterdir()))}.html"
        done = tpllint("diff", left, right, "--output-format", "html", "--output", path, *more, cwd=cwd)
        assert done.code in (0, 1), done.err
        return path

    return made


@pytest.fixture(scope="session")
def dialects(make: Make) -> Path:
    """Two templates that mark turns differently, and refuse different messages."""
    return make("chatml", "headers")


@pytest.fixture(scope="session")
def blanks(make: Make) -> Path:
    """A line end more after every turn."""
    return make("chatml", "chatml-reformatted")


@pytest.fixture(scope="session")
def capable(make: Make) -> Path:
    """A template that knows tools beside one that does not, with findings."""
    return make("no-generation-prompt", "good")


@pytest.fixture(scope="session")
def hostile(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that a stranger can name or write holds what a page must not obey."""
    folder = tmp_path_factory.mktemp("hostile")
    own: dict[str, Any] = {"messages": [{"role": "user", "content": HOSTILE}, {"role": HOSTILE, "content": HOSTILE}]}
    (folder / "own.json").write_text(json.dumps(own), encoding="utf-8")
    refusal = HOSTILE.replace("'", "").replace("\u0007", "")
    refuses = "{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('" + refusal + "') }}{% endif %}{% endfor %}"
    for side, source in (("left", GOOD), ("right", refuses + HOSTILE.replace("\u0007", "") + GOOD)):
        target = folder / side / HOSTILE_NAME.replace("/", "")
        (target / "additional_chat_templates").mkdir(parents=True)
        (target / "chat_template.jinja").write_text(source, encoding="utf-8")
        (target / "tokenizer_config.json").write_text(json.dumps(TOKENS), encoding="utf-8")
        name = f"{side if side == 'left' else 'both'}{HOSTILE_NAME.replace('/', '')}.jinja"
        (target / "additional_chat_templates" / name).write_text(source, encoding="utf-8")
    sides = [next((folder / side).iterdir()).relative_to(folder) for side in ("left", "right")]
    return make(*sides, "--conversation", "own.json", cwd=folder)


@pytest.fixture(scope="session")
def identical(make: Make) -> Path:
    """Nothing differs."""
    return make("good", "good")


@pytest.fixture(scope="session")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `tpllint review` says of a change that adds and removes findings."""
    path = tmp_path_factory.mktemp("reviewed") / "page.html"
    sides = ("much-copied-tutorial", "waits-for-a-word")
    done = tpllint("review", *sides, "--output-format", "html", "--output", path, cwd=EXAMPLES)
    assert done.code == 1, done.err
    return path


@pytest.fixture(scope="session")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `tpllint check` says of good and broken examples, and of one that is missing."""
    path = tmp_path_factory.mktemp("checked") / "page.html"
    targets = ("good", "no-generation-prompt", "much-copied-tutorial", "does-not-compile", "waits-for-a-word", "missing")
    done = tpllint("check", *targets, "--output-format", "html", "--output", path, cwd=EXAMPLES)
    assert done.code == 2, done.err
    return path


@pytest.fixture(scope="session")
def checked_hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports in which strangers' texts stand wherever they can."""
    path = tmp_path_factory.mktemp("checked") / "page.html"
    reports = (hostile_report(text) for text in (*TEXTS.values(), HOSTILE))
    path.write_text(written("html", *reports), encoding="ascii")
    return path


@pytest.fixture(scope="session")
def checked_good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing is wrong."""
    path = tmp_path_factory.mktemp("checked") / "page.html"
    done = tpllint("check", "good", "--output-format", "html", "--output", path, cwd=EXAMPLES)
    assert done.code == 0, done.err
    return path
