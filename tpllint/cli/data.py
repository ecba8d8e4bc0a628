"""`tpllint data`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, TextIO

import click

from tpllint.cli.check import LEVELS
from tpllint.cli.options import coloured, files_read, output, request, require_other_file, with_target, workers
from tpllint.cli.progress import progress_of_rows
from tpllint.config import Config
from tpllint.data import Portion, Survey, Totals, surveyed
from tpllint.errors import RepairableError
from tpllint.finding import TargetError
from tpllint.report import data as text_report
from tpllint.report import data_json as json_report
from tpllint.severity import Severity
from tpllint.sources.rows import STDIN, opened_rows

FORMATS = ["text", "json", "jsonl"]


@click.command(name="data")
@click.argument("target", metavar="TARGET")
@click.argument("path", metavar="ROWS")
@click.option("--field", metavar="NAME", help="The field of a row that holds its conversation; a dot goes down a level.")
@click.option("--max-shown", metavar="N", type=click.IntRange(min=0), default=5, help="Rows named per kind, in text.")
@click.option("--fail-on", type=click.Choice(LEVELS[::-1]), default="error", help="The level at which the exit code is 1.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 although there are findings.")
@click.option("--output-format", type=click.Choice(FORMATS), default="text", help="How to report.")
@click.option("--output", "report", metavar="FILE", help="Report into a file.")
@click.option("--no-progress", is_flag=True, help="No progress bar.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colours in text.")
@click.option("-q", "--quiet", is_flag=True, help="What is wrong and errors only.")
@with_target
def command(
    target: str,
    path: str,
    field: str | None,
    max_shown: int,
    fail_on: str,
    exit_zero: bool,
    output_format: str,
    report: str | None,
    no_progress: bool,
    color: str,
    quiet: bool,
    **asked: Any,
) -> int:
    """Find the rows of a training or evaluation set that a chat template spoils.

    ROWS is a file of JSON lines (also .gz) or a JSON list, or - for standard input. A row is an object with "messages" and
    "tools", an OpenAI request, a list of messages, pairs of texts, ShareGPT turns, or the prompt, chosen and rejected lists of
    preference data.
    """
    require_other_file(report, (target, path, *files_read(asked)))
    failing, totals, error = Severity(fail_on), Totals(), None
    with output(report) as stream:
        text = {"most": max_shown, "color": coloured(color, stream), "quiet": quiet}
        writer = _writer(output_format, stream, target, path, text)
        try:
            wanted = Survey(request(**asked), field, tells_infos=failing is Severity.INFO)
            for portion, aside in _portions(target, path, wanted, no_progress):
                totals.add(portion)
                with aside():
                    writer.add(portion)
                    stream.flush()
        except RepairableError as caught:
            error = caught
        writer.end(error and TargetError(error.kind, error.message, error.hint))
    if error is not None:
        raise error
    return int(totals.reaches(failing) and not exit_zero)


def _portions(
    target: str, path: str, wanted: Survey, no_progress: bool
) -> Iterator[tuple[Portion, Callable[[], AbstractContextManager[None]]]]:
    """The portions of a survey, each with what makes room for it to be written."""
    if target == path == STDIN:
        message = "standard input cannot be both the target and its rows"
        raise RepairableError("contradiction", message, "write one of the two into a file")
    stdin = sys.stdin.buffer if sys.stdin else None
    with opened_rows(path, stdin) as rows, workers(Config(), "rows") as pool, progress_of_rows(rows.size, no_progress) as bar:
        for portion in surveyed(target, rows, pool, wanted):
            bar.tell(portion.done, rows.size)
            yield portion, bar.aside


def _writer(output_format: str, stream: TextIO, target: str, path: str, text: Mapping[str, Any]) -> Any:
    if output_format == "text":
        return text_report.Writer(stream, path, **text)
    kind = json_report.Writer if output_format == "json" else json_report.LinesWriter
    return kind(stream, target, path)
