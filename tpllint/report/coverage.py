"""The source of a template as a coverage report: what the canonical conversations reach, and what guards the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import click

from tpllint.report.escape import escape, no_command, width

WIDTH = 88
"""Of the source in columns, beside the margin; longer lines go on below."""
Span = tuple[int, int]
Cell = tuple[str, bool]
"""A character as it is shown, and whether no conversation reaches it."""


def lines(coverage: Mapping[str, Any] | None, *, color: bool = False) -> Iterator[str]:
    """The source with `>` before lines that run and `!` before lines that do not; then what was not reached, and why."""
    if coverage is None:
        yield "coverage: undecided, the template does not compile"
        return
    source = coverage["source"]
    yield from _source(source, [_bare(source, item["start"], item["end"]) for item in coverage["unreached"]], color)
    yield ""
    yield f"{coverage['reached']} of {coverage['bodies']} branches, loops and macros reached"
    for item in coverage["unreached"]:
        yield _unreached(item)


def _bare(source: str, start: int, end: int) -> Span:
    """A span less the blanks at its ends."""
    text = source[start:end]
    return start + len(text) - len(text.lstrip()), start + len(text.rstrip())


def _source(source: str, spans: Sequence[Span], color: bool) -> Iterator[str]:
    start = 0
    for number, line in enumerate(source.split("\n"), start=1):
        missed = {at for a, b in spans for at in range(max(a - start, 0), min(b - start, len(line)))}
        written = {at for at, character in enumerate(line) if character.strip()}
        whole = bool(written) and written <= missed
        margin = f"{number:>5} {' ' if not line.strip() else '!' if whole else '>'} "
        for piece in _wrapped([(escape(character), at in missed) for at, character in enumerate(line)]):
            yield from _piece(margin, piece, whole, color)
            margin = " " * len(margin)
        start += len(line) + 1


def _wrapped(cells: Sequence[Cell]) -> Iterator[list[Cell]]:
    """A line in pieces that fit, at least one; every character takes room, or marks over one letter would never end."""
    piece: list[Cell] = []
    room = WIDTH
    for cell in cells:
        taken = max(width(cell[0]), 1)
        if taken > room:
            yield piece
            piece, room = [], WIDTH
        piece.append(cell)
        room -= taken
    yield piece


def _piece(margin: str, cells: Sequence[Cell], whole: bool, color: bool) -> Iterator[str]:
    """A stretch of a line; below a line that runs in part, carets mark what does not."""
    runs = [("".join(text for text, _ in run), missed) for missed, run in groupby(cells, key=lambda cell: cell[1])]
    shown = (click.style(text, fg="red") if color and missed else text for text, missed in runs)
    yield no_command((margin + "".join(shown)).rstrip())
    if not whole and any(missed for _, missed in runs):
        carets = "".join(("^" if missed else " ") * width(text) for text, missed in runs)
        yield (" " * len(margin) + carets).rstrip()


def _unreached(item: Mapping[str, Any]) -> str:
    conditions = " and ".join(f"`{escape(condition, 120)}`" for condition in item["conditions"])
    needs = {
        "true": f"needs {conditions}",
        "false": f"needs {conditions} to fail",
        "items": f"needs items in {conditions}",
        "no items": "needs a loop without items",
        "a call": "needs a call",
    }[item["needs"]]
    names, literals = (", ".join(escape(word, 60) for word in item[key]) for key in ("names", "literals"))
    told = "".join(f"; {what} {words}" for what, words in (("variables", names), ("literals", literals)) if words)
    return f"not reached: line {item['line']}, {item['kind']}: {needs}{told}"
