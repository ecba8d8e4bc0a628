"""`tpllint check`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, TextIO

import click

from tpllint.capabilities import CAPABILITIES
from tpllint.checking import Check, checked, refused
from tpllint.cli.generation import VERBOSE, Generation, generated, generation_of, with_generation
from tpllint.cli.known import Treatment, known_findings
from tpllint.cli.options import (
    REPLACES,
    coloured,
    configured,
    conversations_of,
    files_read,
    listed,
    output,
    request,
    require_other_file,
    require_own_file,
    require_targets,
    with_config,
    with_request,
    workers,
)
from tpllint.cli.progress import Silence, progress
from tpllint.config import Config
from tpllint.errors import RepairableError
from tpllint.finding import Report
from tpllint.lock import FILE, RULE, Lock, read_lock
from tpllint.pool import Pool
from tpllint.portability import ENGINES
from tpllint.report import text as text_report
from tpllint.rule import PROFILES
from tpllint.selection import Selection
from tpllint.severity import Severity
from tpllint.targets import Argument, Request
from tpllint.targets import named as name_of

LEVELS = [severity.value for severity in Severity]
FORMATS = ["text", "json", "jsonl", "github", "gitlab", "sarif", "junit", "markdown", "html"]
"""Each is a module of `tpllint.report`."""


@click.command(name="check")
@click.argument("targets", nargs=-1, metavar="TARGET...")
@click.option(
    "--from-file", "lists", metavar="FILE", multiple=True, help="A list of targets, one per line; - is standard input."
)
@click.option("--select", metavar="RULES", multiple=True, help="Only these: codes, prefixes, names or ALL; repeatable.")
@click.option("--ignore", metavar="RULES", multiple=True, help="Not these.")
@click.option("--severity", metavar="RULE=LEVEL", multiple=True, help="Report a rule as error, warning or info.")
@click.option("--profile", metavar="PROFILE", help=f"What the model is for: {', '.join(PROFILES)}.")
@click.option("--expect", metavar="CAPABILITY", multiple=True, help=f"Its absence is an error: {', '.join(CAPABILITIES)}.")
@click.option("--engine", "engines", metavar="ENGINE", multiple=True, help=f"What it has to run on: {', '.join(ENGINES)}.")
@click.option("--base-model", is_flag=True, help="Compare a GGUF file with the model it was made from, which is on the Hub.")
@click.option("--locked", is_flag=True, help="Tell what changed since tpllint lock, by the rule template-changed-since-lock.")
@click.option("--lock-file", metavar="FILE", help=f"What --locked reads, instead of {FILE}.")
@click.option("--baseline", metavar="FILE", help="Hide the findings that this file of --write-baseline holds.")
@click.option("--write-baseline", metavar="FILE", help="Record the findings of this run, for --baseline.")
@click.option("--fix", is_flag=True, help="Repair what can be repaired without changing anything else, then check.")
@click.option("--diff-fixes", is_flag=True, help="Show what --fix would change as a unified diff; exit with 1 if it would.")
@click.option("--fail-on", type=click.Choice(LEVELS[::-1]), help="The level at which the exit code is 1.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 although there are findings.")
@click.option("--output-format", type=click.Choice(FORMATS), default="text", help="How to report.")
@click.option("--output", "path", metavar="FILE", help="Report into a file.")
@click.option("--no-progress", is_flag=True, help="No progress bar.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colours in text.")
@click.option("-q", "--quiet", is_flag=True, help="Findings and errors only.")
@with_generation
@VERBOSE
@with_config
@with_request
def command(
    targets: tuple[str, ...],
    lists: tuple[str, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    severity: tuple[str, ...],
    profile: str | None,
    expect: tuple[str, ...],
    engines: tuple[str, ...],
    base_model: bool,
    locked: bool,
    lock_file: str | None,
    baseline: str | None,
    write_baseline: str | None,
    fix: bool,
    diff_fixes: bool,
    fail_on: str | None,
    exit_zero: bool,
    output_format: str,
    path: str | None,
    no_progress: bool,
    color: str,
    quiet: bool,
    verbose: bool,
    config: str | None,
    no_config: bool,
    **asked: Any,
) -> int:
    """Find what is wrong with chat templates.

    A TARGET is a .jinja or .gguf file, a tokenizer_config.json, chat_template.json or processor_config.json, a model folder, a
    model on the Hub (org/model, org/model@revision, org/model@pr/3 or a URL), or - for standard input. With --locked, no TARGET
    means all that the lock file holds. With --generate, each model that passes is loaded, answers some prompts through its
    template, and is judged by what it writes; that needs `pip install 'tpllint[generate]'`.
    """
    all_locked = locked and not targets and not lists
    if not all_locked:
        require_targets(targets, lists)
    code, failing = 0, Severity(fail_on or Severity.ERROR)
    named: tuple[Argument, ...] = (lock_file or FILE,) if all_locked else (*targets, *lists)
    require_own_file(lock_file, "--lock-file")
    read = (*targets, *lists, *files_read(asked), *_given(config, baseline, lock_file or FILE if locked else None))
    require_other_file(path, read)
    known = Treatment()
    with output(path) as stream:
        writer = _writer(output_format, stream, color=color, quiet=quiet)
        try:
            given = configured(config, no_config)
            failing = Severity(fail_on) if fail_on else given.fail_on
            selection = selection_of(given, select, ignore, severity, profile, failing)
            generation = generation_of(asked, aloud=verbose, no_progress=no_progress)
            asked_for = Check(request_of(given, expect, engines, asked)._replace(base_model=base_model), selection)
            asked_for = _held_to(_lock(locked, lock_file), asked_for)
            named = _named(targets, lists, asked_for.request.lock)
            read = (*read, *map(name_of, named), *_given(given.file, given.baseline if write_baseline is None else None))
            require_other_file(path, read)
            known = known_findings(baseline, write_baseline, given.baseline, asked_for, (*read, *_given(path)))
            rooms = tuple(_rooms(asked_for.request, generation))
            if fix or diff_fixes:
                more = _fixes().rooms(named, asked_for, output_format, write_baseline, written=fix, shown=diff_fixes)
                rooms = (*rooms, *more)
            with workers(given, *rooms, documented=output_format == "sarif") as pool, progress(len(named), no_progress) as bar:
                given.require_rules(pool.rules)
                if diff_fixes:
                    with bar.aside():
                        return int(_fixes().show(named, pool, asked_for, known, stream, exit_zero=exit_zero))
                if fix:
                    told = None if quiet else stream if output_format == "text" else sys.stderr
                    with bar.aside():
                        code = _fixes().fix(named, pool, asked_for, known, told)
                for report in _undisturbed(_reports(named, pool, asked_for, generation, bar)):
                    report = known.told(report)
                    code = max(code, exit_code(known.counting(report), failing, exit_zero=exit_zero))
                    with bar.aside():
                        writer.add(report)
                        stream.flush()
        except RepairableError as error:
            if output_format == "text" or error.kind == REPLACES:
                raise
            report = refused(named, error)
            code = exit_code(report, failing, exit_zero=exit_zero)
            writer.add(report)
        writer.end()
    known.end(code, quiet=quiet)
    return code


def _reports(
    named: Sequence[Argument], pool: Pool, asked: Check, generation: Generation | None, bar: Silence
) -> Iterator[Report]:
    """What is wrong with the targets; and where a model is to speak, with what it writes."""
    if generation is None:
        return checked(named, pool, asked, bar.tell)
    return generated(named, pool, asked, generation)


def _fixes() -> ModuleType:
    """What a run that fixes nothing does not import."""
    return importlib.import_module("tpllint.cli.fixes")


def _named(targets: Sequence[str], lists: Sequence[str], lock: Lock | None) -> tuple[Argument, ...]:
    """What is to be checked: what the command line names, or else all that a lock holds. Raises RepairableError."""
    return lock.entries() if lock is not None and not (targets or lists) else listed(targets, lists)


def _given(*paths: str | None) -> Iterator[str]:
    """Those of some paths that the user gave."""
    yield from (path for path in paths if path is not None)


def _lock(locked: bool, path: str | None) -> Lock | None:
    """The lock that --locked and --lock-file name. Raises RepairableError."""
    if not locked and path is not None:
        raise RepairableError("contradiction", "--lock-file is read with --locked only", "add --locked, or drop --lock-file")
    return read_lock(FILE if path is None else path) if locked else None


def _held_to(lock: Lock | None, check: Check) -> Check:
    """The same run, which also tells what changed since a lock, whatever else is selected."""
    if lock is None:
        return check
    return Check(check.request._replace(lock=lock), check.selection._replace(asked=(RULE,)))


def _rooms(request: Request, generation: Generation | None) -> Iterator[str]:
    """What the workers need beyond rules and renders."""
    if request.expect or generation is not None:
        yield "description"
    if request.lock is not None:
        yield "signatures"


def _writer(output_format: str, stream: TextIO, *, color: str, quiet: bool) -> Any:
    if output_format == "text":
        return text_report.Writer(stream, color=coloured(color, stream), quiet=quiet)
    return importlib.import_module(f"tpllint.report.{output_format}").Writer(stream)


def _undisturbed(reports: Iterator[Report]) -> Iterator[Report]:
    """The same; an OSError in the making of one is a defect, and must not pass for one of the stream that they go to."""
    try:
        yield from reports
    except OSError as error:
        raise RuntimeError("the check failed") from error


def selection_of(
    config: Config,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    severity: tuple[str, ...],
    profile: str | None,
    fail_on: Severity,
) -> Selection:
    """What is to run: --select and --profile replace what the file selects, --ignore and --severity add to it."""
    if select and not _words(select):
        raise RepairableError("bad-selection", "--select names no rule", "leave it out, or write --select ALL")
    levels = dict(_level(word) for word in _words(severity))
    kept = {word: level for word, level in config.severity.items() if word not in levels}
    return Selection(
        select=_words(select) or (config.select if profile is None else ()),
        ignore=(*config.ignore, *_words(ignore)),
        severity=kept | levels,
        tells_infos=fail_on is Severity.INFO,
        profile=config.profile if profile is None else profile,
        per_path=config.per_path,
    )


def request_of(config: Config, expect: tuple[str, ...], engines: tuple[str, ...], asked: Mapping[str, Any]) -> Request:
    """What the command line asks for, and what the configuration adds to it."""
    if engines and not _words(engines):
        raise RepairableError("unknown-engine", "--engine names no engine", "leave it out, or write --engine minijinja")
    made = request(**asked)
    try:
        listed = conversations_of(config.conversations)
    except RepairableError as error:
        raise RepairableError(error.kind, f"{config.file}: conversations: {error.message}", error.hint) from error
    return made._replace(
        conversations=(*listed, *made.conversations),
        variables={**config.variables, **made.variables},
        expect=tuple(dict.fromkeys((*config.expect, *_words(expect)))),
        requires=tuple(dict.fromkeys((*config.requires, *_words(engines)))),
    )


def exit_code(report: Report, fail_on: Severity, *, exit_zero: bool) -> int:
    """0 nothing at the failing level, 1 findings, 2 an error the user can repair, 3 a defect; the highest wins."""
    if report.crashes:
        return 3
    if any(target.error for target in report.targets):
        return 2
    failing = any(finding.severity.rank >= fail_on.rank for finding in report.findings)
    return int(failing and not exit_zero)


def _words(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word.strip() for value in values for word in value.split(",") if word.strip())


def _level(word: str) -> tuple[str, Severity]:
    rule, _, level = word.partition("=")
    if level not in LEVELS:
        raise RepairableError("bad-severity", f"not of the form RULE=LEVEL: {word}", f"a level is {', '.join(LEVELS)}")
    return rule, Severity(level)
