"""`tpllint review`."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TextIO

import click

from tpllint.checking import Check
from tpllint.cli.check import LEVELS, request_of, selection_of
from tpllint.cli.options import coloured, configured, output, require_targets, with_config, with_request, workers
from tpllint.cli.webhook import told_by_webhook
from tpllint.difference.review import Review
from tpllint.diffing import HANDS, MOST_SHOWN, Wanted, import_ahead
from tpllint.errors import RepairableError
from tpllint.report.escape import escape
from tpllint.report.review import json as json_report
from tpllint.reviewing import MARKER, Change, comment, pull_request, review, revisions, suggest, suggestion
from tpllint.severity import Severity
from tpllint.sources.hub_target import REVISION, HubTarget, parse_hub_target
from tpllint.sources.listed import STDIN

FORMATS = ["text", "json", "markdown", "html"]
MOST_TOLD = 100
SPLIT_FROM = 140
PULL_REQUEST = re.compile(r"refs/pr/(?P<number>[0-9]{1,9})")


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
@click.option("--output-format", type=click.Choice(FORMATS), default="text", help="How to report.")
@click.option("--output", "path", metavar="FILE", help="Report into a file.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colours in text.")
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
    with _errors_as_json(output_format, path):
        if triggered:
            told = told_by_webhook(targets, number, before, after)
            if told is None:
                return 0
            targets, number = told
        require_targets(targets, ())
        named = _named(targets, number, before, after, offline=asked["offline"])
        _require_sendable(named, commented=commented, suggested=suggested, dry_run=dry_run)
        given = configured(config, no_config)
        failing = Severity(fail_on) if fail_on else given.fail_on
        selection = selection_of(given, select, ignore, severity, profile, failing)
        check = Check(request_of(given, (), (), asked), selection)
        wanted = Wanted(check, MOST_SHOWN if output_format == "text" else MOST_TOLD)
        with workers(given, "description", "side", hands=HANDS, meanwhile=import_ahead) as pool:
            given.require_rules(pool.rules)
            change = _change(named, targets, check.request.token)
            found = review(change, pool, wanted)
            fixed = suggestion(change, pool, wanted) if suggested else None
    with output(path) as stream:
        _write(found, stream, output_format, color)
    sending = _Sending(change, check.request.token, dry_run, None if output_format == "text" else sys.stderr)
    if commented:
        sending.comment(found)
    if fixed is not None:
        sending.suggest(fixed)
    return _exit_code(found, failing, exit_zero=exit_zero)


class _Named(NamedTuple):
    """What the command line names: a model on the Hub with a pull request or two revisions, or nothing but two targets."""

    target: HubTarget | None = None
    number: int | None = None
    revisions: tuple[str, str] | None = None


@contextlib.contextmanager
def _errors_as_json(output_format: str, path: str | None) -> Iterator[None]:
    try:
        yield
    except RepairableError as error:
        if output_format == "json":
            with output(path) as stream:
                json_report.write_error(error, stream)
        raise


def _named(targets: Sequence[str], number: int | None, before: str | None, after: str | None, *, offline: bool) -> _Named:
    """What is to be reviewed. Raises RepairableError."""
    chosen = any(each is not None for each in (number, before, after))
    if len(targets) > 2 or (len(targets) == 2 and chosen):
        raise _contradiction(
            "a review has one model with --pr or --from and --to, or two targets", "name one model, or two targets"
        )
    if len(targets) == 2:
        if targets.count(STDIN) > 1:
            raise _contradiction("standard input cannot be two sides", "write one of the two into a file")
        return _Named()
    target = _on_the_hub(targets[0])
    proposed = PULL_REQUEST.fullmatch(target.revision or "")
    if offline:
        raise _contradiction("a pull request or a revision is asked for at the Hub", "drop --offline, or name two folders")
    if number is None and proposed is not None:
        number = int(proposed["number"])
    elif number is not None and target.revision not in (None, f"refs/pr/{number}"):
        raise _contradiction(f"--pr {number} and {targets[0]} name different things", "drop one of the two")
    if number is not None and (before is not None or after is not None):
        raise _contradiction("--pr excludes --from and --to", "drop one of the two")
    if number is not None:
        return _Named(target, number)
    if before is None:
        raise RepairableError(
            "missing-change", "there is nothing to review", "write --pr N, or --from REV --to REV, or two targets"
        )
    until = target.revision or "main" if after is None else _revision(after)
    return _Named(target, revisions=(_revision(before), until))


def _revision(word: str) -> str:
    """A revision as the Hub takes it. Raises RepairableError."""
    if REVISION.fullmatch(word) is None:
        raise RepairableError(
            "bad-revision", f"no revision can have this name: {word}", "name a branch, a tag, a commit or pr/N"
        )
    return f"refs/{word}" if PULL_REQUEST.fullmatch(f"refs/{word}") else word


def _on_the_hub(argument: str) -> HubTarget:
    target = parse_hub_target(argument)
    if target is None:
        message = f"not a model on the Hub: {argument}"
        raise RepairableError("missing-change", message, "write org/model --pr N, or two targets to compare")
    return target


def _require_sendable(named: _Named, *, commented: bool, suggested: bool, dry_run: bool) -> None:
    """Where something is to be sent, there is a place for it. Raises RepairableError."""
    if dry_run and not (commented or suggested):
        raise _contradiction("--dry-run prints what --comment or --suggest would send", "add one of them")
    for option, is_asked in (("--comment", commented), ("--suggest", suggested)):
        if is_asked and named.number is None:
            raise _contradiction(f"{option} needs a pull request on the Hub", f"add --pr N, or drop {option}")


def _contradiction(message: str, hint: str) -> RepairableError:
    return RepairableError("contradiction", message, hint)


def _change(named: _Named, targets: Sequence[str], token: str | None) -> Change:
    if named.target is None:
        return Change(targets[0], targets[1])
    if named.number is not None:
        return pull_request(named.target, named.number, token)
    assert named.revisions is not None
    return revisions(named.target, *named.revisions, token)


class _Sending(NamedTuple):
    """Sends to the Hub what was found, or shows it where nothing is to be sent: below the report, or where that is for programs
    on standard error.
    """

    change: Change
    token: str | None
    dry_run: bool
    stream: TextIO | None

    def comment(self, found: Review) -> None:
        from tpllint.report.review import markdown

        body = io.StringIO()
        body.write(f"{MARKER}\n")
        markdown.write(found, body)
        if self.dry_run:
            click.echo(f"\n{body.getvalue()}", nl=False, file=self.stream)
            return
        posted = comment(self.change, body.getvalue(), self.token)
        click.echo(f"comment {posted.outcome}: {escape(posted.url)}", err=True)

    def suggest(self, fixed: Any) -> None:
        from tpllint.cli.fixes import refused_lines
        from tpllint.report import patch

        click.echo(refused_lines(fixed), nl=False, err=True)
        if not fixed.changes:
            click.echo("nothing to suggest", err=True)
        elif self.dry_run:
            stream = self.stream or sys.stdout
            patch.write(fixed.changes, stream, escaped=stream.isatty())
        else:
            proposed = suggest(self.change, fixed, self.token)
            if proposed is None:
                click.echo("nothing to suggest: the fixes undo what is proposed", err=True)
                return
            click.echo(f"{'suggested' if proposed.is_new else 'suggested before'}: {escape(proposed.url)}", err=True)


def _write(found: Review, stream: TextIO, output_format: str, color: str) -> None:
    if output_format != "text":
        importlib.import_module(f"tpllint.report.review.{output_format}").write(found, stream)
        return
    from tpllint.report.difference.text import WIDTH, View
    from tpllint.report.review import text

    columns = shutil.get_terminal_size().columns if stream.isatty() else WIDTH
    text.write(found, stream, View(coloured(color, stream), columns, columns >= SPLIT_FROM))


def _exit_code(found: Review, failing: Severity, *, exit_zero: bool) -> int:
    """3 for a defect, 2 where both sides could not be compared, 1 where findings are added; the highest wins."""
    if found.crashes:
        return 3
    if found.could_not_compare:
        return 2
    return int(found.adds(failing) and not exit_zero)
