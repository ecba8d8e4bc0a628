"""What `diff` found, for persons: the verdict, what both templates make of callers' messages, and the prompts that show it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby, zip_longest
from typing import NamedTuple, TextIO

import click

from tpllint.difference.diff import Diff, Structure, Verdict
from tpllint.difference.examples import Example
from tpllint.difference.outcomes import Status
from tpllint.difference.shown import Code, Shown
from tpllint.finding import Finding
from tpllint.report.difference.anatomy import Row, rows
from tpllint.report.difference.lines import Line, Piece, context, runs
from tpllint.report.difference.words import (
    alike_words,
    fit_words,
    prompts_title,
    raised,
    structure_words,
    summary,
    title,
    turn_words,
    undecided_words,
)
from tpllint.report.escape import escape, padded, width
from tpllint.report.prompt import Marks, marks_for
from tpllint.report.text import COLOURS, code_lines, counted, crash_text, place, styled

WIDTH = 100
NARROWEST = 60
LABEL = 26
MOST_CELL_LINES = 3
MOST_LINES = 60
"""Of one prompt pair; the JSON has all of both."""
MOST_CODES = 2
LONGEST_NOTE = 200
LEFT, RIGHT = "red", "green"
VERDICTS = {Verdict.IDENTICAL: "green", Verdict.COSMETIC: "green", Verdict.BEHAVIOURAL: "yellow"}


class View(NamedTuple):
    """How a diff is shown: in colours or not, the columns of the terminal, and whether both sides stand side by side."""

    color: bool = False
    columns: int = WIDTH
    split: bool = False


def write(diff: Diff, stream: TextIO, view: View) -> None:
    """Write all of it."""
    marks = marks_for(stream)
    for line in (*_head(diff, view), *templates(diff, view), *prompts(diff, view, marks), *_findings(diff, view)):
        stream.write(line.rstrip() + "\n")
    for crash in diff.crashes:
        stream.write(crash_text(crash, view.color) + "\n")


def _head(diff: Diff, view: View) -> Iterator[str]:
    verdict = styled(str(diff.verdict), VERDICTS[diff.verdict], view.color)
    yield f"{verdict}: {summary(diff)}"
    yield f"  left   {escape(diff.left)}"
    yield f"  right  {escape(diff.right)}"
    for name in diff.templates_removed:
        yield f"  only on the left: template {escape(name)}"
    for name in diff.templates_added:
        yield f"  only on the right: template {escape(name)}"
    if fit_words(diff):
        yield f"  fit    {fit_words(diff)}"
    if undecided_words(diff):
        yield f"  undecided: {escape(undecided_words(diff), LONGEST_NOTE)}"


def templates(diff: Diff, view: View) -> Iterator[str]:
    """What differs between the descriptions of each template."""
    for name, structure in diff.structures.items():
        found = _rows(diff, name)
        if not found and structure is Structure.SAME:
            continue
        yield ""
        yield bold(f"{escape(name)}: {structure_words(diff, name)}", view)
        for section, members in groupby(found, key=lambda row: row.section):
            yield from _row(Row(section, section, "left", "right"), view)
            for row in members:
                yield from _row(row._replace(label=f"  {row.label}"), view)


def _rows(diff: Diff, name: str) -> list[Row]:
    left, right = (side.descriptions.get(name) for side in (diff.before, diff.after))
    return rows(diff.changes(name), left, right) if left and right else []


def _row(row: Row, view: View) -> Iterator[str]:
    column = (max(view.columns, NARROWEST) - LABEL) // 2
    cells = _cell(row.label, LABEL - 4), _cell(row.left, column - 2), _cell(row.right, column - 2)
    for label, left, right in zip_longest(*cells, fillvalue=""):
        yield f"  {padded(label, LABEL - 2)}{padded(left, column)}{right}"
    if row.remark:
        yield f"{'':{LABEL}}({row.remark})"


def _cell(text: str, columns: int) -> list[str]:
    indent = " " * (len(text) - len(text.lstrip()))
    lines = textwrap.wrap(
        text.lstrip(),
        columns,
        initial_indent=indent,
        subsequent_indent=indent,
        max_lines=MOST_CELL_LINES,
        placeholder=" ...",
        break_on_hyphens=False,
    )
    return lines or [""]


def prompts(diff: Diff, view: View, marks: Marks) -> Iterator[str]:
    """The conversations that show what changed, one for each change."""
    if not diff.changed:
        return
    yield ""
    yield bold(prompts_title(diff), view)
    told: set[Code] = set()
    for shown in diff.shown:
        yield ""
        yield from _shown(shown, diff, view, marks)
        yield from _codes(shown, told, view)
        yield from _tokens(shown)
    hidden = len(diff.examples) - len(diff.shown)
    if hidden > 0:
        yield ""
        more = counted(hidden, "further conversation")
        yield f"{more} would show more: tpllint diff --all-conversations shows each that differs"


def _shown(shown: Shown, diff: Diff, view: View, marks: Marks) -> Iterator[str]:
    compared = shown.example.compared
    yield styled(f"--- {title(compared, diff)}{alike_words(shown.example)}", "cyan", view.color)
    if compared.status is not Status.DIFFERENT:
        yield f"    {raised(compared)}"
        return
    if shown.example.is_aligned:
        yield "    with the markers of both written as what they are for"
    lines = list(_split(shown.example, view, marks) if view.split else _unified(shown.example, view, marks))
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield f"    ... {counted(len(lines) - MOST_LINES, 'further line')}"


def _unified(example: Example, view: View, marks: Marks) -> Iterator[str]:
    found = list(runs(example, marks))
    for index, run in enumerate(found):
        if run.same:
            for line in context(run.left, before=index > 0, after=index < len(found) - 1):
                yield f"      {'...' if line is None else _plain(line)}"
            continue
        yield from _side(run.left, "-", LEFT, view)
        yield from _side(run.right, "+", RIGHT, view)


def _side(lines: Iterable[Line], sign: str, colour: str, view: View) -> Iterator[str]:
    for line in lines:
        yield "    " + styled(sign, colour, view.color) + " " + _marked(line, colour, view)
        if not view.color and any(piece.differs for piece in line) and not all(piece.differs for piece in line):
            yield "      " + "".join(("^" if piece.differs else " ") * width(piece.text) for piece in line)


def _plain(line: Line) -> str:
    return "".join(piece.text for piece in line)


def _marked(line: Line, colour: str, view: View) -> str:
    if not view.color:
        return _plain(line)
    return "".join(click.style(piece.text, fg=colour, reverse=piece.differs or None) for piece in line)


def _split(example: Example, view: View, marks: Marks) -> Iterator[str]:
    """Both prompts side by side, each line wrapped to its half of the screen."""
    half = (view.columns - 9) // 2
    found = list(runs(example, marks))
    for index, run in enumerate(found):
        if run.same:
            for line in context(run.left, before=index > 0, after=index < len(found) - 1):
                pair = (((Piece("...", False),),) * 2) if line is None else (line, line)
                yield from _beside(*pair, " ", half, view)
            continue
        for left, right in zip_longest(run.left, run.right, fillvalue=()):
            yield from _beside(left, right, "|", half, view)


def _beside(left: Line, right: Line, sign: str, half: int, view: View) -> Iterator[str]:
    sides = list(_wrapped(left, half)) or [()], list(_wrapped(right, half)) or [()]
    for first, second in zip_longest(*sides, fillvalue=()):
        blank = " " * (half - width(_plain(first)))
        changed = sign != " "
        shown = [_marked(line, colour, view) if changed else _plain(line) for line, colour in ((first, LEFT), (second, RIGHT))]
        yield f"    {shown[0]}{blank} {sign} {shown[1]}"
        if not view.color and changed:
            carets = [_carets(line) for line in (first, second)]
            if any(map(str.strip, carets)):
                yield f"    {carets[0]:<{half}}   {carets[1]}"


def _carets(line: Line) -> str:
    if all(piece.differs for piece in line):
        return ""
    return "".join(("^" if piece.differs else " ") * width(piece.text) for piece in line)


def _wrapped(line: Line, columns: int) -> Iterator[Line]:
    row: list[Piece] = []
    taken = 0
    for piece in line:
        text = ""
        for character in piece.text:
            size = max(width(character), 1)
            if taken + size > columns:
                yield (*row, Piece(text, piece.differs))
                row, text, taken = [], "", 0
            text += character
            taken += size
        row.append(Piece(text, piece.differs))
    if row:
        yield tuple(row)


def _codes(shown: Shown, told: set[Code], view: View) -> Iterator[str]:
    """The code behind what differs, except for what was `told` before."""
    for name, traced, colour in (("left", shown.left, LEFT), ("right", shown.right, RIGHT)):
        codes = [code for code in dict.fromkeys(traced.codes if traced else ()) if code and code not in told]
        told.update(codes)
        for code in codes[:MOST_CODES]:
            yield f"    {name:<5} {styled('-->', 'blue', view.color)} {place(code.path, code.span)}"
            yield from (f"   {line}" for line in code_lines(code.snippet, "   ", ("^", colour), view.color))
        if len(codes) > MOST_CODES:
            yield f"    {name:<5} ... and {counted(len(codes) - MOST_CODES, 'other place')}"


def _tokens(shown: Shown) -> Iterator[str]:
    for name, traced in (("left", shown.left), ("right", shown.right)):
        if traced and traced.turns is not None:
            yield f"    {name:<5} {turn_words(traced)}"


def _findings(diff: Diff, view: View) -> Iterator[str]:
    for title_, sign, findings in (
        ("findings on the right only", "+", diff.added),
        ("findings on the left only", "-", diff.removed),
    ):
        if findings:
            yield ""
            yield bold(title_, view)
            for finding in findings:
                yield from finding_lines(finding, sign, view)


def finding_lines(finding: Finding, sign: str, view: View) -> Iterator[str]:
    """A finding in short."""
    head = styled(f"{finding.severity}[{finding.rule}]", COLOURS[finding.severity], view.color)
    yield f"{sign} {head}: {escape(finding.message)}"
    yield f"    --> {place(finding.path, finding.span)}"


def bold(text: str, view: View) -> str:
    """A title."""
    return click.style(text, bold=True) if view.color else text
