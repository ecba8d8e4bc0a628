"""`tpllint check --fix` and `--diff-fixes`: writes what fixing makes of the targets, or shows it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TextIO

import click

from tpllint.checking import Check
from tpllint.cli.known import Treatment
from tpllint.errors import RepairableError
from tpllint.finding import Finding, TargetError
from tpllint.fixing import Fixed, Refusal, every_fix
from tpllint.pool import Pool
from tpllint.repairs import FileChange
from tpllint.report import patch
from tpllint.report.escape import escape
from tpllint.sources.gguf_files import is_gguf
from tpllint.sources.hub_target import parse_hub_target
from tpllint.targets import Argument, named
from tpllint.writing import write


def rooms(
    targets: Sequence[Argument], asked: Check, output_format: str, baseline: str | None, *, written: bool, shown: bool
) -> tuple[str, ...]:
    """What workers need to try fixes. Raises RepairableError where nothing can be fixed, or fixed and reported like that.

    `baseline` is the file that --write-baseline names.
    """
    if written and shown:
        raise _contradiction("--fix and --diff-fixes exclude each other", "drop one of the two")
    if shown and output_format != "text":
        raise _contradiction(
            f"--diff-fixes writes a diff and no report: --output-format {output_format}", "drop one of the two"
        )
    if shown and baseline is not None:
        hint = "write the baseline in a run of its own; with --fix it records what is left"
        raise _contradiction("--diff-fixes checks nothing that --write-baseline could record", hint)
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


def fix(targets: Sequence[Argument], pool: Pool, asked: Check, known: Treatment, told: TextIO | None) -> int:
    """Fix the files of the targets, and tell of each fix in a line; 2 where files could not be written, else 0.

    Of a target that cannot be had the report tells. What two targets share is written once, and told once.
    """
    code, once = 0, _Once()
    for fixed in every_fix(targets, pool, asked, known.fixable):
        try:
            write(fixed.folder or "", once.changes(fixed))
        except RepairableError as error:
            _complain(error)
            code = 2
            continue
        if told is not None:
            told.write(applied_lines(once.applied(fixed)) + refused_lines(once.refused(fixed)))
        once.note(fixed)
    return code


def show(targets: Sequence[Argument], pool: Pool, asked: Check, known: Treatment, stream: TextIO, *, exit_zero: bool) -> int:
    """Write what `fix` would change as a unified diff, and on standard error what it would not; the exit code."""
    code, once = 0, _Once()
    for fixed in every_fix(targets, pool, asked, known.fixable):
        if fixed.error is not None:
            _complain(fixed.error)
            code = 2
        elif fixed.changes and not exit_zero:
            code = code or 1
        patch.write(once.changes(fixed), stream, escaped=stream.isatty())
        click.echo(refused_lines(once.refused(fixed)), nl=False, err=True)
        once.note(fixed)
    return code


class _Once:
    """What is left of each target's fixes when those of earlier targets, which may share files with it, are not repeated."""

    def __init__(self) -> None:
        self._changed: dict[str, bytes | None] = {}
        self._told: set[tuple[str, str, str | None]] = set()

    def changes(self, fixed: Fixed) -> list[FileChange]:
        """The changes that were not made yet."""
        return [change for change in fixed.changes if (_place(fixed, change.shown), change.after) not in self._changed.items()]

    def applied(self, fixed: Fixed) -> list[Finding]:
        """The findings whose repair was not told yet."""
        return [finding for finding in fixed.applied if _key(fixed, finding) not in self._told]

    def refused(self, fixed: Fixed) -> list[Refusal]:
        """The refusals that were not told yet."""
        return [refusal for refusal in fixed.refused if _key(fixed, refusal.finding) not in self._told]

    def note(self, fixed: Fixed) -> None:
        """All of this target is done and told."""
        self._changed |= {_place(fixed, change.shown): change.after for change in fixed.changes}
        findings = (*fixed.applied, *(refusal.finding for refusal in fixed.refused))
        self._told |= {_key(fixed, finding) for finding in findings}


def _key(fixed: Fixed, finding: Finding) -> tuple[str, str, str | None]:
    return _place(fixed, finding.path), finding.rule, finding.template


def _place(fixed: Fixed, shown: str) -> str:
    """What a file is known by, whatever path leads to it."""
    return shown if fixed.folder is None else os.path.realpath(shown)


def _complain(error: TargetError | RepairableError) -> None:
    click.echo(f"error: {escape(error.message)}\n  help: {escape(error.hint)}", err=True)


def applied_lines(applied: Sequence[Finding]) -> str:
    """What was fixed, a line each."""
    return "".join(f"fixed: {found.rule} in {escape(found.path)}\n" for found in applied)


def refused_lines(refused: Sequence[Refusal]) -> str:
    """What was not fixed, a line each."""
    refusals = ((refusal.finding, refusal.why) for refusal in refused)
    return "".join(f"not fixed: {found.rule} in {escape(found.path)}: {escape(why)}\n" for found, why in refusals)
