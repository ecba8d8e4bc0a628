"""Whole model folders with one thing wrong in them: the rule that is about it says so, and was silent before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.model_folders.defects import DEFECTS, Defect, broken_twins
from tests.model_folders.families import FAMILIES, Family
from tests.model_folders.folders import FILES, write_folder
from tpllint.checking import Check, check
from tpllint.pool import Pool
from tpllint.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TWINS = tuple(broken_twins(FAMILIES, DEFECTS))
RULES = tuple(dict.fromkeys(defect.rule for defect in DEFECTS))


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool() as pool:
        yield pool


def _said(pool: Pool, folder: Path, *rules: str) -> set[str]:
    report = check([str(folder)], pool, Check(selection=Selection(select=rules)))
    return {finding.rule for finding in report.findings}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_nothing_is_said_before(pool: Pool, tmp_path: Path, family: Family) -> None:
    assert _said(pool, write_folder(tmp_path / family.name, family, FILES), *RULES) == set()


@pytest.mark.parametrize(
    ("family", "defect"), [pytest.param(*twin, id=f"{twin[0].name}: {twin[1].rule}: {twin[1].what}") for twin in TWINS]
)
def test_a_defect_is_told_by_its_rule(pool: Pool, tmp_path: Path, family: Family, defect: Defect) -> None:
    folder = write_folder(tmp_path / family.name, family, FILES)
    defect.put(folder, family)
    assert defect.rule in _said(pool, folder, defect.rule)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: f"{defect.rule}: {defect.what}")
def test_every_defect_can_befall_several_families(defect: Defect) -> None:
    assert sum(family_defect is defect for _, family_defect in TWINS) >= 2
