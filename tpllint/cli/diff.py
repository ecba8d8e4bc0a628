"""`tpllint diff`."""

from __future__ import annotations

import importlib
import shutil
from typing import Any, TextIO

import click

from tpllint.checking import Check
from tpllint.cli.check import request_of, selection_of
from tpllint.cli.options import coloured, configured, output, with_config, with_request, workers
from tpllint.difference.diff import Diff, Verdict
from tpllint.diffing import HANDS, Wanted, diff
from tpllint.severity import Severity

FORMATS = ["text", "json", "markdown", "html"]
SPLIT_FROM = 140
"""The columns of a terminal from which on both sides stand side by side, unless asked otherwise."""
EVERY = 1000


@click.command(name="diff")
@click.argument("targets", nargs=-1, required=True, metavar="LEFT RIGHT...")
@click.option("--base-model", is_flag=True, help="Compare one target with the base_model that its card names.")
@click.option("--select", metavar="RULES", multiple=True, help="Compare the findings of these rules only.")
@click.option("--ignore", metavar="RULES", multiple=True, help="Not of these.")
@click.option("--all-conversations", is_flag=True, help="Show every conversation that differs, not one for each change.")
@click.option("--view", type=click.Choice(["auto", "unified", "split"]), default="auto", help="One below or beside the other.")
@click.option("--token-counts/--no-token-counts", default=None, help="Count tokens by each side's tokenizer.json.")
@click.option("--output-format", type=click.Choice(FORMATS), default="text", help="How to report.")
@click.option("--output", "path", metavar="FILE", help="Report into a file.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colours in text.")
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
    output_format: str,
    path: str | None,
    color: str,
    config: str | None,
    no_config: bool,
    **asked: Any,
) -> int:
    """Show what changes for a caller between two chat templates: prompts, structure, findings.

    LEFT and RIGHT are targets as `check` takes them: files, folders, GGUF files, models on the Hub, revisions, pull requests.
    Exit code 1 means that a prompt differs; of several RIGHTs a matrix tells which render alike.
    """
    given = configured(config, no_config)
    selection = selection_of(given, select, ignore, (), None, Severity.ERROR)
    wanted = Wanted(Check(request_of(given, (), (), asked), selection), every=all_conversations, token_counts=token_counts)
    with workers(given, "description", "side", hands=HANDS) as pool:
        found = diff(targets[0], targets[1], pool, wanted)
    with output(path) as stream:
        _write(found, stream, output_format, color, view)
    return 3 if found.crashes else int(found.verdict is Verdict.BEHAVIOURAL)


def _write(found: Diff, stream: TextIO, output_format: str, color: str, view: str) -> None:
    if output_format != "text":
        importlib.import_module(f"tpllint.report.difference_{output_format}").write(found, stream)
        return
    from tpllint.report import difference

    columns = shutil.get_terminal_size().columns if stream.isatty() else difference.WIDTH
    split = view == "split" or (view == "auto" and columns >= SPLIT_FROM)
    difference.write(found, stream, difference.View(coloured(color, stream), columns, split))
