"""The documentation says what the program says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

import tpllint
from tpllint.cli import cli

ROOT = Path(__file__).resolve().parent.parent
WRITTEN_BY_HAND = sorted(
    path.relative_to(ROOT)
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))
    if not path.read_text(encoding="utf-8").startswith("<!-- Written by docs/generate.py")
)
PAGES = sorted({*WRITTEN_BY_HAND, *(path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md")), Path("rules/README.md")})
FENCED = re.compile(r"^(`{3,}).*?^\1$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^()\s#]+)[^()\s]*\)")

EXAMPLES = {
    "good": set(),
    "chatml": set(),
    "chatml-reformatted": set(),
    "headers": set(),
    "configured": {"unused-suppression"},
    "mistral-v01": set(),
    "two-critics": set(),
    "waits-for-a-word": {"content-triggered-text"},
    "zephyr": set(),
    "does-not-compile": {"template-syntax-error"},
    "ends-twice": {"eos-duplicated"},
    "forgets-the-system-message": {"role-dropped"},
    "no-generation-prompt": {"generation-prompt-missing"},
    "prints-python": {"python-repr-content"},
    "stale-copy": {"shadowed-template"},
    "much-copied-tutorial": {
        "generation-prompt-missing",
        "text-outside-turn",
        "control-character-in-output",
        "whitespace-leak",
    },
}
"""What each model in examples/ is told."""

RUN_THE_RULE = """
import pathlib, sys
from tpllint.pool import Pool
from tpllint.registry import BUILT_IN
from tpllint.testing import cases, rules_of, run_case
mine = [case for case in cases(rules_of(BUILT_IN)) if case.rule == "blank-after-generation-prompt"]
with Pool() as pool:
    for case in mine:
        run_case(case, pool, pathlib.Path(case.name))
print(*mine)
"""


def test_everything_generated_is_up_to_date_and_a_stale_page_is_named(tmp_path: Path) -> None:
    copy = _copy(tmp_path, "docs", "README.md")
    page = copy / "docs" / "rules" / "eos-duplicated.md"
    page.write_text("something else", encoding="utf-8")
    (copy / "docs" / "rules" / "a-rule-that-was-removed.md").write_text("", encoding="utf-8")
    done = _run(copy, "docs/generate.py", "--check")
    assert done.returncode == 1
    stale = {line.removeprefix("stale: ") for line in done.stderr.splitlines() if line.startswith("stale: ")}
    assert stale == {"docs/rules/eos-duplicated.md", "docs/rules/a-rule-that-was-removed.md"}


def test_every_command_is_documented() -> None:
    documented = re.findall(r"^## tpllint (\S+)$", (ROOT / "docs" / "cli.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert documented == cli.list_commands(click.Context(cli))


@pytest.mark.parametrize("name", cli.list_commands(click.Context(cli)))
def test_every_option_has_help(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.help
    assert [option.name for option in command.params if isinstance(option, click.Option) and not option.help] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = LINK.findall(FENCED.sub("", (ROOT / page).read_text(encoding="utf-8")))
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in local if not (ROOT / page.parent / link).exists()] == []


@pytest.mark.parametrize("page", WRITTEN_BY_HAND, ids=str)
def test_every_output_shown_comes_from_the_program(page: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    marked = re.findall(r"^<!-- output: tpllint .+ -->\n`{3,}console$", text, re.MULTILINE)
    assert len(marked) == len(re.findall(r"^`{3,}console", text, re.MULTILINE))


def test_every_example_is_known() -> None:
    folders = {path.name for path in (ROOT / "examples").iterdir() if path.is_dir()}
    assert folders == {*EXAMPLES, "conversations"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_told_what_it_is_an_example_of(name: str) -> None:
    report = tpllint.check(str(ROOT / "examples" / name))
    assert {finding.rule for finding in report.findings} == EXAMPLES[name]


def test_the_rule_in_the_readme_is_a_rule(tmp_path: Path) -> None:
    found = re.search(r"<!-- rule -->\n```python\n(.+?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found
    copy = _copy(tmp_path)
    (copy / "rules" / "generation_prompt" / "blank_after_generation_prompt.py").write_text(found[1], encoding="utf-8")
    done = _run(copy, "-c", RUN_THE_RULE)
    kinds = ("bad-0", "better-0", "good-1")
    assert (done.stdout.split(), done.stderr) == ([f"blank-after-generation-prompt-{kind}" for kind in kinds], "")


def _copy(folder: Path, *more: str) -> Path:
    """The parts of the checkout that make tpllint run, and what else is named."""
    for name in ("tpllint", "rules", "pyproject.toml", "examples", *more):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    environment = {"PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
