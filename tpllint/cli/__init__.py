"""The command line: one module per command, loaded when it is called for."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys

import click

import tpllint
from tpllint.errors import LONGEST, RepairableError
from tpllint.report.escape import escape

COMMANDS = {
    "check": "find what is wrong with chat templates",
    "render": "show the prompt a chat template makes of a conversation",
    "describe": "show how a chat template is built",
    "diff": "show what changes between two chat templates",
    "review": "review a change of a model that somebody proposes",
    "serve-webhook": "review what the webhooks of the Hub tell of",
    "chat": "talk to a model through its chat template",
    "lock": "write down what chat templates do, for check --locked",
    "data": "find the rows of a data set that a chat template spoils",
    "rules": "list the rules",
    "explain": "document one rule",
}
REPAIRABLE = 2
DEFECT = 3
UNWRITABLE = (errno.ENOSPC, errno.EBADF, errno.EIO)
CLOSED_PIPE = 128 + 13


class Lazy(click.Group):
    """A group whose commands are modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"tpllint.cli.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(tpllint.__version__, prog_name="tpllint", message="%(prog)s %(version)s")
def cli() -> None:
    """A linter and diff tool for chat templates."""


def run(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0 nothing, 1 findings, 2 an error the user can repair, 3 a defect."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows only ASCII is no reason to fail
    try:
        code = cli.main(arguments, prog_name="tpllint", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return REPAIRABLE
    except click.ClickException as error:
        return _refused(error.format_message(), "tpllint --help, or tpllint COMMAND --help, tells what can be asked")
    except RepairableError as error:
        return _refused(error.message, error.hint)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except Exception as error:
        return _unwritable(error) if isinstance(error, OSError) and error.errno in UNWRITABLE else _defect()


def _unwritable(error: OSError) -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left in the buffer cannot be written either
    return _refused(f"standard output cannot be written: {(error.strerror or '').lower()}", "make room for it")


def _defect() -> int:
    """A defect is told as one: with its traceback and a request to report it."""
    import traceback

    told = "\n".join(escape(line) for line in traceback.format_exc().splitlines())
    click.echo(f"defect: tpllint failed; please report this:\n{told}", err=True)
    return DEFECT


def _refused(message: str, hint: str) -> int:
    click.echo(f"error: {escape(message, LONGEST)}\n  help: {escape(hint, LONGEST)}", err=True)
    return REPAIRABLE
