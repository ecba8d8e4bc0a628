"""`tpllint check --fix` and `--diff-fixes`: writes what fixing makes of the targets, or shows it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TextIO

import click

from tpllint.checking import Check
from tpllint.errors import RepairableError
from tpllint.finding import TargetError
from tpllint.fixing import Fixed, every_fix
from tpllint.pool import Pool
from tpllint.report import patch
from tpllint.report.escape import escape
from tpllint.sources.gguf_files import is_gguf
from tpllint.sources.hub_target import parse_hub_target
from tpllint.targets import Argument, named
from tpllint.writing import write


def rooms(targets: Sequence[Argument], asked: Check, output_format: str, *, written: bool, shown: bool) -> tuple[str, ...]:
    """What workers need to try fixes. Raises RepairableError where nothing can be fixed, or fixed and reported like that."""
    if written and shown:
        raise _contradiction("--fix and --diff-fixes exclude each other", "drop one of the two")
    if shown and output_format != "text":
        raise _contradiction(
            f"--diff-fixes writes a diff and no report: --output-format {output_format}", "drop one of the two"
        )
    option = "--fix" if written else "--diff-fixes"
    if asked.request.chat_template is not None:
        raise _contradiction(f"{option} and --chat-template exclude each other", "name the file as the target")
    if asked.request.lock is not None:
        raise _contradiction(f"{option} and --locked exclude each other", "fix first, then check what is locked")
    for target in map(named, targets):
        _require_fixable(target, option, written=written)
    return ("side",)


def _require_fixable(target: str, option: str, *, written: bool) -> None:
    """What is to be fixed is in files that can be. Raises RepairableError."""
    if target == "-":
        raise _contradiction(f"{option} does not fix standard input", "write the template into a file, and name that")
    if is_gguf(target):
        raise _contradiction(f"{option} does not fix a GGUF file: {target}", "fix the model that it is made from")
    if written and not os.path.lexists(target) and parse_hub_target(target) is not None:
        hint = "--diff-fixes shows what it would change; to change it, fix a copy on this machine"
        raise _contradiction(f"--fix does not fix a model on the Hub: {target}", hint)


def _contradiction(message: str, hint: str) -> RepairableError:
    return RepairableError("contradiction", message, hint)


def fix(targets: Sequence[Argument], pool: Pool, asked: Check, told: TextIO | None) -> int:
    """Fix the files of the targets, and tell of each fix in a line; 2 where files could not be written, else 0.

    Of a target that cannot be had the report tells. What two targets share is written once.
    """
    code, done = 0, dict[str, bytes | None]()
    for fixed in every_fix(targets, pool, asked):
        places = {os.path.realpath(os.path.join(fixed.folder or "", change.name)): change for change in fixed.changes}
        try:
            write(fixed.folder or "", [change for place, change in places.items() if (place, change.after) not in done.items()])
        except RepairableError as error:
            _complain(error)
            code = 2
            continue
        done |= {place: change.after for place, change in places.items()}
        if told is not None:
            told.write(_applied(fixed) + refused_lines(fixed))
    return code


def show(targets: Sequence[Argument], pool: Pool, asked: Check, stream: TextIO, *, exit_zero: bool) -> int:
    """Write what `fix` would change as a unified diff, and on standard error what it would not; the exit code."""
    code = 0
    for fixed in every_fix(targets, pool, asked):
        if fixed.error is not None:
            _complain(fixed.error)
            code = 2
        elif fixed.changes and not exit_zero:
            code = code or 1
        patch.write(fixed.changes, stream, escaped=stream.isatty())
        click.echo(refused_lines(fixed), nl=False, err=True)
    return code


def _complain(error: TargetError | RepairableError) -> None:
    click.echo(f"error: {escape(error.message)}\n  help: {escape(error.hint)}", err=True)


def _applied(fixed: Fixed) -> str:
    return "".join(f"fixed: {found.rule} in {escape(found.path)}\n" for found in fixed.applied)


def refused_lines(fixed: Fixed) -> str:
    """What was not fixed, a line each."""
    refusals = ((refusal.finding, refusal.why) for refusal in fixed.refused)
    return "".join(f"not fixed: {found.rule} in {escape(found.path)}: {escape(why)}\n" for found, why in refusals)
