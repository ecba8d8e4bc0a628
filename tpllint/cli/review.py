"""`tpllint review`."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any, TextIO

import click

from tpllint.checking import Check
from tpllint.cli.check import LEVELS, request_of, selection_of
from tpllint.cli.options import (
    configured,
    files_read,
    output,
    require_other_file,
    require_targets,
    with_config,
    with_request,
    workers,
)
from tpllint.cli.proposed import change_of, proposed, require_sendable
from tpllint.cli.sending import sending
from tpllint.cli.sides import import_ahead, most_examples, view_for, with_report
from tpllint.cli.webhook import told_by_webhook
from tpllint.difference.review import Review
from tpllint.diffing import HANDS, Wanted
from tpllint.errors import RepairableError
from tpllint.report.review import json as json_report
from tpllint.reviewing import review, suggestion
from tpllint.severity import Severity


@click.command(name="review")
@click.argument("targets", nargs=-1, metavar="TARGET [RIGHT]")
@click.option("--pr", "number", type=click.IntRange(1, 999_999_999), metavar="N", help="Review this pull request of the model.")
@click.option("--from", "before", metavar="REV", help="Review from this revision of the model.")
@click.option("--to", "after", metavar="REV", help="Review up to this revision.")
@click.option("--webhook-payload", "triggered", is_flag=True, help="Review the pull request that WEBHOOK_PAYLOAD tells of.")
@click.option("--comment", "commented", is_flag=True, help="Post the review to the pull request, or update the one there.")
@click.option("--suggest", "suggested", is_flag=True, help="Open a pull request that also holds the fixes.")
@click.option("--dry-run", is_flag=True, help="Print what --comment and --suggest would send, and send nothing.")
@click.option("--select", metavar="RULES", multiple=True, help="Only these: codes, prefixes, names or ALL; repeatable.")
@click.option("--ignore", metavar="RULES", multiple=True, help="Not these.")
@click.option("--severity", metavar="RULE=LEVEL", multiple=True, help="Report a rule as error, warning or info.")
@click.option("--profile", metavar="PROFILE", help="What the model is for, as in tpllint check.")
@click.option("--fail-on", type=click.Choice(LEVELS[::-1]), help="The level of added findings at which the exit code is 1.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 although findings are added.")
@with_report
@with_config
@with_request
def command(
    targets: tuple[str, ...],
    number: int | None,
    before: str | None,
    after: str | None,
    triggered: bool,
    commented: bool,
    suggested: bool,
    dry_run: bool,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    severity: tuple[str, ...],
    profile: str | None,
    fail_on: str | None,
    exit_zero: bool,
    output_format: str,
    path: str | None,
    color: str,
    config: str | None,
    no_config: bool,
    **asked: Any,
) -> int:
    """Review a proposed change of a model: findings that come and go, prompts that change, capabilities won and lost.

    TARGET is a model on the Hub with --pr or with --from and --to, or the address of a pull request; or two targets as `check`
    takes them, before and after; or none, with --webhook-payload. The exit code is 1 where the change adds findings at the
    failing level.
    """
    require_other_file(path, (*targets, *files_read(asked)))
    with _errors_as_json(output_format, path):
        if triggered:
            told = told_by_webhook(targets, number, before, after)
            if told is None:
                return 0
            targets, number = told
        require_targets(targets, ())
        named = proposed(targets, number, before, after, offline=asked["offline"])
        require_sendable(named, commented=commented, suggested=suggested, dry_run=dry_run)
        given = configured(config, no_config)
        failing = Severity(fail_on) if fail_on else given.fail_on
        check = Check(request_of(given, (), (), asked), selection_of(given, select, ignore, severity, profile, failing))
        wanted = Wanted(check, most_examples(output_format))
        sent = {"comments": commented, "suggests": suggested, "dry_run": dry_run, "is_for_programs": output_format != "text"}
        with workers(given, "description", "side", hands=HANDS, meanwhile=import_ahead) as pool:
            given.require_rules(pool.rules)
            change = change_of(named, check.request.token)
            sender = sending(change, check.request.token, **sent)
            found = review(change, pool, wanted)
            fixed = suggestion(change, pool, wanted) if suggested else None
    with output(path) as stream:
        _write(found, stream, output_format, color)
    sender.send(found, fixed)
    return _exit_code(found, failing, exit_zero=exit_zero)


@contextlib.contextmanager
def _errors_as_json(output_format: str, path: str | None) -> Iterator[None]:
    try:
        yield
    except RepairableError as error:
        if output_format == "json":
            with output(path) as stream:
                json_report.write_error(error, stream)
        raise


def _write(found: Review, stream: TextIO, output_format: str, color: str) -> None:
    if output_format != "text":
        importlib.import_module(f"tpllint.report.review.{output_format}").write(found, stream)
        return
    from tpllint.report.review import text

    text.write(found, stream, view_for(stream, color))


def _exit_code(found: Review, failing: Severity, *, exit_zero: bool) -> int:
    """3 for a defect, 2 where both sides could not be compared, 1 where findings are added; the highest wins."""
    if found.crashes:
        return 3
    if found.could_not_compare:
        return 2
    return int(found.adds(failing) and not exit_zero)
