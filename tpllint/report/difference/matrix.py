"""Who renders like whom, for persons: the groups, and how far apart each two are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

import tpllint
from tpllint.difference.diff import Diff, Verdict
from tpllint.difference.matrix import Matrix
from tpllint.report.escape import escape, padded, width
from tpllint.report.json_text import json_text
from tpllint.report.markdown_text import in_table, table
from tpllint.report.text import counted

UNDECIDED = "{} conversations not compared, for want of time: {}"
LONGEST_NOTE = 200
LEGEND = "= the same source, ~ another source and the same prompts, else how many prompts differ"


def write(matrix: Matrix, stream: TextIO) -> None:
    """Write it for a terminal."""
    names = [f"{number}  {escape(side.name)}" for number, side in enumerate(matrix.sides, start=1)]
    column, label = max(4, *(len(each) for each in _cells(matrix))) + 2, max(map(width, names)) + 2
    stream.write(f"{summary(matrix)}\n\n")
    stream.write(" " * label + "".join(f"{number:>{column}}" for number in range(1, len(names) + 1)) + "  group\n")
    for row, name in enumerate(names):
        cells = "".join(f"{_between(matrix, row, other):>{column}}" for other in range(len(names)))
        stream.write(f"{padded(name, label)}{cells}  {letters(matrix.groups[row])}\n")
    stream.write(f"\n{LEGEND}\n")
    if matrix.undecided:
        stream.write(f"undecided: {escape(UNDECIDED.format(len(matrix.undecided), matrix.undecided[0]), LONGEST_NOTE)}\n")


def write_markdown(matrix: Matrix, stream: TextIO) -> None:
    """Write it as Markdown."""
    numbers = [str(number) for number in range(1, len(matrix.sides) + 1)]
    rows = (
        (f"{row + 1} {in_table(side.name)}", *(_between(matrix, row, other) for other in range(len(numbers))), letters(group))
        for row, (side, group) in enumerate(zip(matrix.sides, matrix.groups, strict=True))
    )
    stream.write(f"{summary(matrix)}\n\n{table(('target', *numbers, 'group'), rows)}\n{LEGEND}\n")


def write_json(matrix: Matrix, stream: TextIO) -> None:
    """Write it for machines."""
    stream.write(json_text({**matrix.as_json(), "version": tpllint.__version__}, indent=1) + "\n")


def summary(matrix: Matrix) -> str:
    """How many groups there are."""
    targets, groups = counted(len(matrix.sides), "target"), counted(len(set(matrix.groups)), "group")
    return f"{matrix.verdict}: {targets} in {groups} of equal prompts"


def letters(group: int) -> str:
    """A, B, ... Z, AA, AB, ... for 0, 1, ..."""
    head, last = divmod(group, 26)
    return (letters(head - 1) if head else "") + chr(ord("A") + last)


def _cells(matrix: Matrix) -> Iterator[str]:
    return map(_cell, matrix.diffs.values())


def _between(matrix: Matrix, one: int, other: int) -> str:
    return "-" if one == other else _cell(matrix.between(one, other))


def _cell(diff: Diff) -> str:
    signs = {Verdict.IDENTICAL: "=", Verdict.COSMETIC: "~"}
    return signs.get(diff.verdict) or (str(len(diff.changed)) if diff.changed else "templates")
