"""What the commands that compare two sides share: `diff` and `review`."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, TextIO

import click

from tpllint import diffing
from tpllint.cli.options import Command, coloured
from tpllint.diffing import MOST_SHOWN

if TYPE_CHECKING:
    from tpllint.report.difference.text import View

FORMATS = ["text", "json", "markdown", "html"]
MOST_TOLD = 100
"""Examples in all formats but text, each with the code behind it."""
SPLIT_FROM = 140
"""The columns of a terminal from which on both sides stand beside each other, unless asked otherwise."""
REPORT = (
    click.option("--output-format", type=click.Choice(FORMATS), default="text", help="How to report."),
    click.option("--output", "path", metavar="FILE", help="Report into a file."),
    click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colours in text."),
)


def with_report(command: Command) -> Command:
    """Add the options that say how to report."""
    for option in reversed(REPORT):
        command = option(command)
    return command


def most_examples(output_format: str) -> int:
    """How many examples of what differs a report shows."""
    return MOST_SHOWN if output_format == "text" else MOST_TOLD


def import_ahead() -> None:
    """Import deepdiff, and not what it knows arrays and models by, which takes two thirds of that: here is nothing but JSON."""
    for name in ("numpy", "pydantic"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    diffing.import_ahead()


def view_for(stream: TextIO, color: str, view: str = "auto") -> View:
    """How a stream shows text: in colour or not, in how many columns, both sides below or beside each other."""
    from tpllint.report.difference.text import WIDTH, View

    columns = shutil.get_terminal_size().columns if stream.isatty() else WIDTH
    return View(coloured(color, stream), columns, view == "split" or (view == "auto" and columns >= SPLIT_FROM))
