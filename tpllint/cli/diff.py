"""`tpllint diff`."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, TextIO

import click

from tpllint.checking import Check
from tpllint.cli.check import request_of, selection_of
from tpllint.cli.generation import generation_of, with_fits, with_generation
from tpllint.cli.options import configured, files_read, output, require_other_file, with_config, with_request, workers
from tpllint.cli.sides import import_ahead, most_examples, view_for, with_report
from tpllint.difference.diff import Diff, Verdict
from tpllint.difference.matrix import Matrix
from tpllint.diffing import HANDS, Wanted, diff, diff_with_base_model, matrix
from tpllint.errors import RepairableError
from tpllint.pool import Pool
from tpllint.report.difference import json as json_report
from tpllint.report.text import crash_text
from tpllint.severity import Severity
from tpllint.sources.listed import STDIN


@click.command(name="diff")
@click.argument("targets", nargs=-1, required=True, metavar="LEFT RIGHT...")
@click.option("--base-model", is_flag=True, help="Compare one target with the base_model that its model card names.")
@click.option("--select", metavar="RULES", multiple=True, help="Compare the findings of these rules only.")
@click.option("--ignore", metavar="RULES", multiple=True, help="Not of these.")
@click.option("--all-conversations", is_flag=True, help="Show every conversation that differs, not one for each change.")
@click.option(
    "--view", type=click.Choice(["auto", "unified", "split"]), default="auto", help="In text: below or beside each other."
)
@click.option("--token-counts/--no-token-counts", default=None, help="Count tokens with each side's tokenizer.json.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 although prompts differ.")
@with_generation
@with_report
@with_config
@with_request
def command(
    targets: tuple[str, ...],
    base_model: bool,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    all_conversations: bool,
    view: str,
    token_counts: bool | None,
    exit_zero: bool,
    output_format: str,
    path: str | None,
    color: str,
    config: str | None,
    no_config: bool,
    **asked: Any,
) -> int:
    """Show what changes for a caller between two chat templates: prompts, structure, findings.

    LEFT and RIGHT are targets as `check` takes them: files, folders, GGUF files, models on the Hub, revisions, pull requests.
    Of several RIGHTs a matrix tells which render alike. The exit code is 1 where a prompt differs, and 0 where at most the
    source does.
    """
    require_other_file(path, (*targets, *files_read(asked)))
    try:
        generation = generation_of(asked)
        one_pair = output_format == "html" or all_conversations or bool(token_counts) or generation is not None
        _require_sides(targets, base_model, one_pair=one_pair)
        if base_model and generation is not None:
            raise RepairableError("contradiction", "--base-model and --generate exclude each other", "name both models")
        given = configured(config, no_config)
        selection = selection_of(given, select, ignore, (), None, Severity.ERROR)
        check = Check(request_of(given, (), (), asked), selection)
        wanted = Wanted(check, most_examples(output_format), every=all_conversations, token_counts=token_counts)
        with workers(given, "description", "side", hands=HANDS, meanwhile=import_ahead) as pool:
            found = _compared(targets, base_model, pool, wanted)
            if generation is not None and isinstance(found, Diff):
                found = with_fits(found, targets, pool, check.request, generation)
    except RepairableError as error:
        if output_format == "json":
            with output(path) as stream:
                json_report.write_error((None, *targets) if base_model else targets, error, stream)
        raise
    with output(path) as stream:
        if isinstance(found, Matrix):
            _write_matrix(found, stream, output_format)
        else:
            _write(found, stream, output_format, color, view)
    if isinstance(found, Matrix) or output_format in ("json", "markdown"):  # the others tell it themselves
        for crash in found.crashes:
            click.echo(crash_text(crash, color=False), err=True)
    return 3 if found.crashes else int(found.verdict is Verdict.BEHAVIOURAL and not exit_zero)


def _require_sides(targets: Sequence[str], base_model: bool, *, one_pair: bool) -> None:
    """There are as many targets as are needed; `one_pair` tells that more than two are not shown. Raises RepairableError."""
    if base_model and len(targets) > 1:
        raise RepairableError("contradiction", "--base-model compares one target with its base", "name one target")
    if not base_model and len(targets) < 2:
        raise RepairableError("missing-target", "there is no RIGHT", "write tpllint diff LEFT RIGHT, or --base-model TARGET")
    if targets.count(STDIN) > 1:
        raise RepairableError("contradiction", "standard input cannot be two sides", "write one of the two into a file")
    if len(targets) > 2 and one_pair:
        message = "the format html, --all-conversations, --token-counts and --generate are about two sides"
        raise RepairableError("contradiction", message, "name two targets, or leave these out")


def _compared(targets: Sequence[str], base_model: bool, pool: Pool, wanted: Wanted) -> Diff | Matrix:
    if base_model:
        return diff_with_base_model(targets[0], pool, wanted)
    if len(targets) > 2:
        return matrix(targets, pool, wanted)
    return diff(targets[0], targets[1], pool, wanted)


def _write(found: Diff, stream: TextIO, output_format: str, color: str, view: str) -> None:
    if output_format != "text":
        importlib.import_module(f"tpllint.report.difference.{output_format}").write(found, stream)
        return
    from tpllint.report.difference import text

    text.write(found, stream, view_for(stream, color, view))


def _write_matrix(found: Matrix, stream: TextIO, output_format: str) -> None:
    from tpllint.report.difference import matrix as report

    writers = {"json": report.write_json, "markdown": report.write_markdown}
    writers.get(output_format, report.write)(found, stream)
