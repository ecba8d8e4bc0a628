"""`tpllint render`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import click

from tpllint.cli.options import coloured, files_read, output, request, require_other_file, with_request, workers
from tpllint.config import Config
from tpllint.conversations import canonical
from tpllint.errors import RepairableError
from tpllint.names import unknown
from tpllint.rendering import Asked, Renders, refused, render
from tpllint.report import prompt as prompt_report
from tpllint.report.escape import escape
from tpllint.report.json_text import json_text


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
@click.option("--visible", is_flag=True, help="Show whitespace and messages also where the output is no terminal.")
@click.option("--token-ids", is_flag=True, help="Show the ids of the tokens, by the model's tokenizer.json.")
@click.option("-v", "--verbose", is_flag=True, help="Print Python that reproduces the prompt with transformers.")
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colours where messages are shown."
)
@with_request
def command(
    targets: tuple[str, ...],
    all_conversations: bool,
    names: tuple[str, ...],
    generation_prompt: bool | None,
    continue_final_message: bool,
    output_format: str,
    path: str | None,
    visible: bool,
    token_ids: bool,
    verbose: bool,
    color: str,
    **asked: Any,
) -> int:
    """Show the prompt that a chat template makes of a conversation, byte for byte as transformers makes it.

    On a terminal, whitespace is made visible, and every piece of the prompt stands beside the message it came from.
    """
    require_other_file(path, (*targets, *files_read(asked)))
    shows = _shows(visible, token_ids, output_format, path)
    try:
        _require_known(names)
        wanted = Asked(
            request(**asked),
            all_conversations,
            names,
            generation_prompt,
            continue_final_message,
            origins=shows,
            token_ids=token_ids,
            snippets=verbose,
        )
        _require_no_contradiction(wanted)
        with workers(Config()) as pool:
            results = render(targets, pool, wanted)
    except RepairableError as error:
        if output_format == "json":
            with output(path) as stream:
                _write_json(refused(targets, error), stream)
        raise
    with output(path) as stream:
        if output_format == "json":
            _write_json(results, stream)
        else:
            shows = shows or stream.isatty()
            _write_text(results, stream, shows=shows, color=coloured(color, stream))
    if not shows:
        _write_snippets(results)
    for result in results:
        if result.error:
            click.echo(f"error: {escape(result.error.message)}\n  help: {escape(result.error.hint)}", err=True)
    failed = [record for result in results for record in result.renders if record["error"] is not None]
    return 2 if any(result.error for result in results) else int(bool(failed) and not all_conversations)


def _require_no_contradiction(asked: Asked) -> None:
    if asked.continue_final_message and asked.generation_prompt:
        raise RepairableError(
            "contradiction",
            "--continue-final-message and --add-generation-prompt exclude each other",
            "a message that is continued has no new turn to prompt for; drop one of the two",
        )


def _require_known(names: Sequence[str]) -> None:
    for name in names:
        if name not in canonical():
            raise unknown("unknown-conversation", "conversation", name, list(canonical()))


def _shows(visible: bool, token_ids: bool, output_format: str, path: str | None) -> bool:
    """Whether prompts are shown to a person instead of handed on byte for byte."""
    terminal = path is None and sys.stdout is not None and sys.stdout.isatty()
    return output_format == "text" and (visible or token_ids or terminal)


def _write_json(results: Sequence[Renders], stream: TextIO) -> None:
    body = {
        "schema": "tpllint-render-v1",
        "renders": [record for result in results for record in result.renders],
        "errors": [{"target": result.target, **result.error._asdict()} for result in results if result.error],
    }
    stream.write(json_text(body, indent=1) + "\n")


def _write_text(results: Sequence[Renders], stream: TextIO, *, shows: bool, color: bool) -> None:
    """Prompts for a person each under a heading; bytes as they are, and under headings only where there are several."""
    prompts = [prompt for result in results for prompt in result.prompts]
    for index, prompt in enumerate(prompts):
        record = prompt.record
        if shows or len(prompts) > 1:
            stream.write(_heading(record) + "\n")
        if record["text"] is None:
            said = f"error: {record['conversation']} does not render: {record['error']}"
            click.echo(escape(said), err=True)
        elif shows:
            prompt_report.write(prompt, stream, color=color)
        else:
            _write_bytes(record["text"], stream)
        if len(prompts) > 1 and not (shows and index == len(prompts) - 1):
            stream.write("\n" if shows else "\n\n")


def _write_bytes(text: str, stream: TextIO) -> None:
    """The prompt itself and nothing else."""
    stream.flush()
    buffer = getattr(stream, "buffer", sys.stdout.buffer)
    buffer.write(text.encode("utf-8", "surrogatepass"))
    buffer.flush()


def _write_snippets(results: Sequence[Renders]) -> None:
    """Beside the output: a program that runs on as it is stands in nobody's way on standard error."""
    for result in results:
        for prompt in result.prompts:
            if prompt.snippet is not None:
                click.echo(prompt.snippet, err=True)


def _heading(record: Mapping[str, Any]) -> str:
    flag = "with" if record["add_generation_prompt"] else "without"
    name = escape(f"{record['target']} ({record['template']}): {record['conversation']}")
    return f"=== {name}, {flag} generation prompt"
