"""`tpllint render`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import click

from tpllint.cli.options import output, request, with_request, workers
from tpllint.config import Config
from tpllint.conversations import canonical
from tpllint.errors import RepairableError
from tpllint.rendering import Asked, Renders, render
from tpllint.report.escape import escape


@click.command(name="render")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option("--all-conversations", is_flag=True, help="Every canonical conversation, with and without generation prompt.")
@click.option("--canonical", "names", metavar="NAME", multiple=True, help="A canonical conversation, by name.")
@click.option(
    "--add-generation-prompt/--no-generation-prompt",
    "generation_prompt",
    default=None,
    help="By default it is added unless the assistant spoke last.",
)
@click.option("--continue-final-message", is_flag=True, help="Leave the last message open, for the model to continue.")
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", help="How to report.")
@click.option("--output", "path", metavar="FILE", help="Write into a file.")
@with_request
def command(
    targets: tuple[str, ...],
    all_conversations: bool,
    names: tuple[str, ...],
    generation_prompt: bool | None,
    continue_final_message: bool,
    output_format: str,
    path: str | None,
    **asked: Any,
) -> int:
    """Show the prompt that a chat template makes of a conversation, byte for byte as transformers makes it."""
    if continue_final_message and generation_prompt:
        raise RepairableError(
            "contradiction",
            "--continue-final-message and --add-generation-prompt exclude each other",
            "a message that is continued has no new turn to prompt for; drop one of the two",
        )
    _require_known(names)
    wanted = Asked(request(**asked), all_conversations, names, generation_prompt, continue_final_message)
    with workers(Config()) as pool:
        results = render(targets, pool, wanted)
    with output(path) as stream:
        (_write_json if output_format == "json" else _write_text)(results, stream)
    for result in results:
        if result.error:
            click.echo(f"error: {escape(result.error.message)}\n  help: {escape(result.error.hint)}", err=True)
    failed = [record for result in results for record in result.renders if record["error"] is not None]
    return 2 if any(result.error for result in results) else int(bool(failed) and not all_conversations)


def _require_known(names: Sequence[str]) -> None:
    for name in names:
        if name not in canonical():
            known = ", ".join(canonical())
            raise RepairableError("unknown-conversation", f'unknown conversation "{name}"', f"one of {known}")


def _write_json(results: Sequence[Renders], stream: TextIO) -> None:
    body = {"schema": "tpllint-render-v1", "renders": [record for result in results for record in result.renders]}
    stream.write(json.dumps(body, indent=1) + "\n")


def _write_text(results: Sequence[Renders], stream: TextIO) -> None:
    """One render goes out as it is; several get a heading each."""
    records = [record for result in results for record in result.renders]
    for record in records:
        if len(records) > 1:
            stream.write(_heading(record) + "\n")
        if record["text"] is None:
            said = f"error: {record['conversation']} does not render: {record['error']}"
            click.echo(escape(said), err=True)
        else:
            _write_prompt(record["text"], stream)
        if len(records) > 1:
            stream.write("\n\n")


def _write_prompt(text: str, stream: TextIO) -> None:
    """The prompt itself; on a terminal with every line kept and nothing that could control the terminal."""
    if stream.isatty():
        stream.write("\n".join(escape(line) for line in text.split("\n")) + "\n")
        return
    stream.flush()
    buffer = getattr(stream, "buffer", sys.stdout.buffer)
    buffer.write(text.encode("utf-8", "surrogatepass"))
    buffer.flush()


def _heading(record: Mapping[str, Any]) -> str:
    flag = "with" if record["add_generation_prompt"] else "without"
    name = escape(f"{record['target']} ({record['template']}): {record['conversation']}")
    return f"=== {name}, {flag} generation prompt"
