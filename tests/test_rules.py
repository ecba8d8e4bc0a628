"""Every rule of the built-in pack: its examples through the real checking path, and the form of its file."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.command import tpllint
from tpllint import Bad, Good, Rule, Severity
from tpllint.pool import Pool
from tpllint.registry import BUILT_IN
from tpllint.rule import CATEGORIES, PROFILES
from tpllint.testing import Case, cases, rules_of, run_case

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
RULES = rules_of(BUILT_IN)
SECTIONS = ["What it does", "Why is this bad", "References"]
"""Example and Use instead come from the examples."""

each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    with Pool() as pool:
        yield pool


@pytest.mark.parametrize("case", cases(RULES), ids=str)
def test_example(case: Case, pool: Pool, tmp_path: Path) -> None:
    run_case(case, pool, tmp_path)


def test_there_are_rules() -> None:
    assert len(RULES) >= 20


@each_rule
def test_the_file_has_the_name_of_the_rule(rule: Rule) -> None:
    assert Path(inspect.getfile(type(rule))).stem == rule.name.replace("-", "_")


@each_rule
def test_a_code_is_three_digits_after_the_prefix(rule: Rule) -> None:
    assert re.fullmatch(r"TPL\d{3}", rule.code)


@each_rule
def test_a_rule_has_a_known_category(rule: Rule) -> None:
    assert rule.category in CATEGORIES


@each_rule
def test_a_rule_is_raised_only_by_profiles_and_above_information(rule: Rule) -> None:
    assert set(rule.raised_by) <= set(PROFILES)
    assert Severity.INFO not in rule.raised_by.values()


@each_rule
def test_only_a_rule_about_information_says_that_it_need_not_run(rule: Rule) -> None:
    assert rule.severity is Severity.INFO or not (rule.only_infos or rule.for_named_engines)


@each_rule
def test_the_documentation_has_its_sections_in_order(rule: Rule) -> None:
    assert re.findall(r"^## (.+)$", rule.info().documentation, re.MULTILINE) == SECTIONS


@each_rule
def test_the_summary_is_one_sentence(rule: Rule) -> None:
    assert re.fullmatch(r"[^\n]+\.", rule.info().summary)


NEEDS_MORE_THAN_A_FOLDER = {
    "gguf-template-drift": "tests/test_base_model.py",
    "template-changed-since-lock": "tests/test_lock_command.py",
}
"""Rules that no one folder can show at work, and where they are."""


@each_rule
def test_every_rule_shows_both_sides(rule: Rule) -> None:
    kinds = {type(example) for example in rule.examples}
    assert kinds == {Bad, Good} if rule.name not in NEEDS_MORE_THAN_A_FOLDER else {Good}


def test_what_an_example_cannot_show_is_shown_elsewhere() -> None:
    for rule, path in NEEDS_MORE_THAN_A_FOLDER.items():
        assert rule in (ROOT / path).read_text(encoding="utf-8")


@each_rule
def test_every_bad_example_says_something(rule: Rule) -> None:
    assert all(example.says for example in rule.examples if isinstance(example, Bad))


def test_explain_shows_the_files_of_an_example(tmp_path: Path) -> None:
    page = tpllint("explain", "shadowed-template", cwd=tmp_path).out
    _, example = page.split("## Example")
    bad, better = example.split("## Use instead")
    assert "\ntokenizer_config.json\n\n    {" in bad
    assert "\nchat_template.jinja\n\n    {%" in bad
    assert "</s>" in bad
    assert "</s>" not in better
    assert "chat_template.jinja\n" not in tpllint("explain", "role-dropped", cwd=tmp_path).out.split("## Example")[1]


def test_every_folder_with_code_is_shipped() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted({*_packages(ROOT / "tpllint", "tpllint"), *_packages(ROOT / "rules", BUILT_IN)})


def _packages(folder: Path, name: str) -> Iterator[str]:
    for path in folder.rglob("*.py"):
        yield ".".join((name, *path.parent.relative_to(folder).parts))
