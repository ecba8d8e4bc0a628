"""What `diff` found, as Markdown: for the discussion of a pull request."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TextIO

from tpllint.difference.diff import Diff
from tpllint.difference.outcomes import Status
from tpllint.difference.shown import Code, Shown
from tpllint.finding import Finding
from tpllint.report.difference.anatomy import Row, rows
from tpllint.report.difference.lines import Line, context, runs
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
from tpllint.report.markdown_text import cell, code, fenced, in_table, table
from tpllint.report.prompt import UNICODE
from tpllint.report.text import counted, place

MOST_LINES, MOST_CHARACTERS = 60, 6000
"""Of the lines of two prompts."""
LONGEST = 300


def write(diff: Diff, stream: TextIO) -> None:
    """Write all of it."""
    for block in _blocks(diff):
        stream.write(block.rstrip("\n") + "\n\n")


def _blocks(diff: Diff) -> Iterator[str]:
    yield f"**{diff.verdict}**: {cell(summary(diff))}"
    yield table(("left", "right"), [(in_table(diff.left), in_table(diff.right))])
    for side, names in (("left", diff.templates_removed), ("right", diff.templates_added)):
        if names:
            yield f"Only on the {side}: {', '.join(map(code, names))}"
    if fit_words(diff):
        yield f"Fit: {cell(fit_words(diff))}"
    if undecided_words(diff):
        yield f"Undecided: {code(undecided_words(diff))}"
    for name in diff.structures:
        yield from template_blocks(diff, name)
    if diff.changed:
        yield f"### {cell(prompts_title(diff))}"
        for shown in diff.shown:
            yield from shown_blocks(shown, diff)
    for side, findings in (("right", diff.added), ("left", diff.removed)):
        if findings:
            yield f"### Findings on the {side} only"
            yield "".join(map(finding_item, findings))


def template_blocks(diff: Diff, name: str) -> Iterator[str]:
    """What differs between the descriptions of a template; nothing where nothing does."""
    left, right = (side.descriptions.get(name) for side in (diff.before, diff.after))
    found = rows(diff.changes(name), left, right) if left and right else []
    if found or any(each.template == name for each in diff.changed):
        yield f"### {code(name)}: {structure_words(diff, name)}"
    if found:
        yield table(("", "left", "right"), map(_row, found))


def _row(row: Row) -> tuple[str, str, str]:
    remark = f" ({cell(row.remark)})" if row.remark else ""
    label = cell(row.label) if cell(row.label) == row.label else in_table(row.label)  # the name of an engine mentions somebody
    return f"{cell(row.section)}: {label}{remark}", in_table(row.left), in_table(row.right)


def shown_blocks(shown: Shown, diff: Diff) -> Iterator[str]:
    """A conversation that differs: its title, both prompts, the code behind them."""
    compared = shown.example.compared
    yield f"#### {code(title(compared, diff))}{cell(alike_words(shown.example))}"
    if compared.status is not Status.DIFFERENT:
        yield code(raised(compared), LONGEST)
        return
    if shown.example.is_aligned:
        yield "With the markers of both written as what they are for:"
    yield fenced("diff", _at_most(list(_lines(shown))))
    yield "".join(_codes(shown))


def _lines(shown: Shown) -> Iterator[str]:
    found = list(runs(shown.example, UNICODE))
    for index, run in enumerate(found):
        if run.same:
            for line in context(run.left, before=index > 0, after=index < len(found) - 1):
                yield "  " + ("..." if line is None else _plain(line))
        else:
            yield from (f"- {_plain(line)}" for line in run.left)
            yield from (f"+ {_plain(line)}" for line in run.right)


def _plain(line: Line) -> str:
    return "".join(piece.text for piece in line)


def _at_most(lines: Sequence[str]) -> Iterator[str]:
    """As many of the lines as a discussion has room for, and at least one."""
    ends = itertools.accumulate(map(len, lines))
    kept = max(sum(end <= MOST_CHARACTERS for end in itertools.islice(ends, MOST_LINES)), 1)
    yield from lines[:kept]
    if len(lines) > kept:
        yield f"... {counted(len(lines) - kept, 'further line')}"


def _codes(shown: Shown) -> Iterator[str]:
    for side, traced in (("left", shown.left), ("right", shown.right)):
        for found in dict.fromkeys(one for one in (traced.codes if traced else ()) if one):
            yield f"- {side}: {code(place(found.path, found.span))} {code(_marked(found))}".rstrip() + "\n"
        if traced and traced.turns is not None:
            yield f"- {side}: {code(turn_words(traced))}\n"


def _marked(found: Code) -> str:
    return found.snippet.lines[0].marked if found.snippet else ""


def finding_item(finding: Finding) -> str:
    """A finding in short."""
    where = place(finding.path, finding.span)
    return f"- {finding.severity} {code(finding.rule)}: {code(finding.message, LONGEST)} in {code(where, LONGEST)}\n"
