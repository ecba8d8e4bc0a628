"""Reports of real runs, with a rule that points wherever a template says."""

from __future__ import annotations

import contextlib
import io
import json
import re
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from tpllint.checking import Check, check
from tpllint.finding import Report
from tpllint.pool import Pool
from tpllint.report import text
from tpllint.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[..., Report]

CODE = re.compile(r"^ *[0-9]+ \| ?(?P<line>.*)\n *\| (?P<blank> *)(?P<marks>\^+|-+)$", re.MULTILINE)
SELECTED = Selection(select=("marked", "raises"))


@pytest.fixture(scope="session")
def pointing() -> Iterator[Pool]:
    """Workers that know the rules of tests/packs/points.py."""
    with Pool(["tests.packs.points"]) as pool:
        yield pool


@pytest.fixture
def run(pointing: Pool, tmp_path: Path) -> Run:
    """Checks a template that is written into `t.jinja`, or under "chat_template" into `tokenizer_config.json`."""

    def checked(template: str, *, in_json: bool = False, ascii_only: bool = False, more: tuple[str, ...] = ()) -> Report:
        name = "tokenizer_config.json" if in_json else "t.jinja"
        held = json.dumps({"chat_template": template, "eos_token": "x"}, ensure_ascii=ascii_only, indent=2)
        (tmp_path / name).write_bytes((held if in_json else template).encode())
        with contextlib.chdir(tmp_path):
            return check([name, *more], pointing, Check(selection=SELECTED))

    return checked


def shown(report: Report, *, color: bool = False) -> str:
    """The text report."""
    stream = io.StringIO()
    text.write(report, stream, color=color)
    return stream.getvalue()


def underlined(printed: str) -> list[str]:
    """The characters above each row of marks, as a terminal shows them."""
    return [_columns(found["line"], len(found["blank"]), len(found["marks"])) for found in CODE.finditer(printed)]


def _columns(line: str, start: int, count: int) -> str:
    ends = [cell_len(line[: index + 1]) for index in range(len(line))]
    return "".join(character for character, end in zip(line, ends, strict=True) if start < end <= start + count)
