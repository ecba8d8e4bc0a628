"""`tpllint describe`."""

from __future__ import annotations

from typing import Any

import click

from tpllint.cli.options import coloured, files_read, output, request, require_other_file, with_request, workers
from tpllint.config import Config
from tpllint.describing import describe, refused
from tpllint.errors import RepairableError
from tpllint.report import description as text_report
from tpllint.report import description_json as json_report
from tpllint.report.escape import escape


@click.command(name="describe")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option("--coverage", is_flag=True, help="Show the source: which code the canonical conversations reach, and which not.")
@click.option("--engine", "engines", metavar="ENGINE", multiple=True, help="Tell only of these engines; check takes them too.")
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", help="How to report.")
@click.option("--output", "path", metavar="FILE", help="Write into a file.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colours in text.")
@with_request
def command(
    targets: tuple[str, ...],
    coverage: bool,
    engines: tuple[str, ...],
    output_format: str,
    path: str | None,
    color: str,
    **asked: Any,
) -> int:
    """Show how a chat template is built: turns, roles, tools, reasoning, variables.

    What no render of a canonical conversation can tell is shown as undecided.
    """
    require_other_file(path, (*targets, *files_read(asked)))
    try:
        with workers(Config(), "description") as pool:
            wanted = request(**asked)._replace(requires=engines)
            results = describe(targets, pool, wanted, coverage=coverage)
    except RepairableError as error:
        if output_format == "json":
            with output(path) as stream:
                json_report.write(refused(targets, error), stream)
        raise
    with output(path) as stream:
        if output_format == "json":
            json_report.write(results, stream)
        else:
            text_report.write(results, stream, color=coloured(color, stream))
    for result in results:
        if result.error:
            click.echo(f"error: {escape(result.error.message)}\n  help: {escape(result.error.hint)}", err=True)
    return 2 if any(result.error for result in results) else 0
