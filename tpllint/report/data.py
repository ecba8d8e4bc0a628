"""The person's view of a survey of data: for each kind of problem the first rows that have it, and a line that sums up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

import click

from tpllint.data import KINDS, Portion, RowProblem, Totals
from tpllint.finding import TargetError
from tpllint.report.escape import escape
from tpllint.report.text import COLOURS, GUTTER
from tpllint.severity import Severity

LEVELS = (Severity.ERROR, Severity.WARNING, Severity.INFO)
LONGEST = 400


class Writer:
    """Keeps the first rows of each kind, and writes them at the end with the totals."""

    def __init__(self, stream: TextIO, shown: str, *, most: int = 5, color: bool = False, quiet: bool = False) -> None:
        """`shown` is the name of the data, `most` how many rows are named of a kind; with `quiet` there is no closing line."""
        self._stream = stream
        self._shown = escape("<stdin>" if shown == "-" else shown)
        self._by_line = True
        self._most = most
        self._color = color
        self._quiet = quiet
        self._totals = Totals()
        self._first: dict[tuple[str, Severity], dict[int, list[RowProblem]]] = {}

    def add(self, portion: Portion) -> None:
        """Count, and keep what will be shown."""
        self._totals.add(portion)
        self._by_line = portion.by_line
        for result in portion.told:
            for group, problems in result.by_worst().items():
                kept = self._first.setdefault(group, {})
                if len(kept) < self._most:
                    kept[result.row] = problems

    def end(self, error: TargetError | None = None) -> None:
        """Write everything. The error that ended it early, if any, is told elsewhere."""
        for severity in LEVELS:
            for kind in KINDS:
                if self._totals.kinds[kind, severity]:
                    self._stream.write("\n".join(self._of(kind, severity)) + "\n\n")
        if not self._quiet and not (error and not self._totals.rows):
            self._stream.write(summary(self._totals) + "\n")

    def _of(self, kind: str, severity: Severity) -> Iterator[str]:
        count = self._totals.kinds[kind, severity]
        first = self._first.get((kind, severity), {})
        between = ":" if self._by_line else ", row "
        yield f"{self._styled(f'{severity}[{kind}]', COLOURS[severity])}: {_counted(count, 'row')}"
        for row, problem in ((row, problem) for row, problems in first.items() for problem in problems):
            part = f"{escape(problem.part)}: " if problem.part else ""
            yield f"  {self._styled('-->', GUTTER)} {self._shown}{between}{row}: {part}{escape(problem.message, LONGEST)}"
        more = count - len(first)
        if first and more:
            told = f"and {_counted(more, 'more row')}: see --max-shown, or --output-format jsonl for all"
            yield f"   {self._styled('=', GUTTER)} {told}"
        yield f"   {self._styled('=', GUTTER)} help: {KINDS[kind]}"

    def _styled(self, text: str, colour: str) -> str:
        return click.style(text, fg=colour, bold=True) if self._color else text


def summary(totals: Totals) -> str:
    """The last line."""
    if not totals.rows:
        return "no rows"
    parts = [f"{totals.worst[level]:,} with {level.value}s" for level in LEVELS if totals.worst[level]]
    return f"{_counted(totals.rows, 'row')}: {', '.join(parts) or 'nothing is wrong'}"


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
