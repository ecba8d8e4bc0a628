"""`tpllint lock`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from tpllint.cli.check import request_of
from tpllint.cli.options import (
    configured,
    files_read,
    output,
    require_other_file,
    require_own_file,
    with_config,
    with_request,
    workers,
)
from tpllint.lock import FILE, Lock, lock_to_extend
from tpllint.locking import Signatures, lock
from tpllint.report.escape import escape
from tpllint.report.text import counted


@click.command(name="lock")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option("--lock-file", "path", metavar="FILE", default=FILE, show_default=True, help="Where it is written.")
@with_config
@with_request
def command(targets: tuple[str, ...], path: str, config: str | None, no_config: bool, **asked: Any) -> int:
    """Write down what the templates of these targets make of every conversation, for `check --locked`.

    What the file holds of other targets stays. Of a target that is locked with --template, its other templates stay as well.
    """
    require_own_file(path, "--lock-file")
    require_other_file(path, (*targets, *files_read(asked)), "--lock-file")
    given = configured(config, no_config)
    request = request_of(given, (), (), asked)
    before = lock_to_extend(path)
    with workers(given, "signatures") as pool:
        found = lock(targets, pool, request)
    failed = [one.error for one in found if one.error]
    for error in failed:
        click.echo(f"error: {escape(error.message)}\n  help: {escape(error.hint)}", err=True)
    if failed:
        return 2
    text = _with(before, found, whole=request.template is None).as_text()
    with output(path) as stream:
        stream.write(text)
    templates = sum(len(one.templates) for one in found)
    click.echo(f"{counted(templates, 'template')} of {counted(len(found), 'target')} locked in {escape(path)}")
    return 0


def _with(lock: Lock, found: Sequence[Signatures], *, whole: bool) -> Lock:
    for one in found:
        lock = lock.with_target(one.target, one.templates, whole=whole)
    return lock
