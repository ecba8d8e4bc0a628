"""Options that several commands share, and what they mean."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TextIO, TypeVar

import click

from tpllint.cli.replacing import reader_of, replaced
from tpllint.config import RESERVED, Config, discovered, named
from tpllint.conversations import MAX_DEPTH, nests_too_deeply
from tpllint.errors import RepairableError
from tpllint.pool import Pool
from tpllint.registry import plugin_packs
from tpllint.sources.listed import STDIN, read_list
from tpllint.targets import Request

STDOUT = "-"
REPLACES = "would-replace"
"""The kind of the error that says that a file would be written over what is read."""

Command = TypeVar("Command", bound=Callable[..., Any])

TEMPLATE = (
    click.option("--template", metavar="NAME", help="Only the template of this name."),
    click.option("--chat-template", metavar="FILE", help="This template with the target's tokens."),
)
CONVERSATION = click.option(
    "--conversation", "conversations", metavar="FILE", multiple=True, help="Conversations of your own, in any form of a row."
)
SURROUNDINGS = (
    click.option("--var", "variables", metavar="NAME=JSON", multiple=True, help="A template variable."),
    click.option("--offline", is_flag=True, help="Ask no server; use what the Hub's cache holds."),
    click.option("--token", metavar="TOKEN", help="The Hub's access token, instead of HF_TOKEN."),
)


def with_target(command: Command) -> Command:
    """Add the options that `request` reads, without that of conversations."""
    for option in reversed((*TEMPLATE, *SURROUNDINGS)):
        command = option(command)
    return command


def with_request(command: Command) -> Command:
    """Add the options that `request` reads."""
    for option in reversed((*TEMPLATE, CONVERSATION, *SURROUNDINGS)):
        command = option(command)
    return command


def with_config(command: Command) -> Command:
    """Add the options that `configured` reads."""
    command = click.option("--no-config", is_flag=True, help="Read no configuration file.")(command)
    text = "This configuration file, not the nearest tpllint.toml or pyproject.toml."
    return click.option("--config", metavar="FILE", help=text)(command)


def configured(file: str | None, unwanted: bool) -> Config:
    """The configuration that holds for this run. Raises RepairableError."""
    if file is not None and unwanted:
        raise RepairableError("contradiction", "--config and --no-config exclude each other", "drop one of the two")
    if unwanted:
        return Config()
    try:
        here = os.getcwd()
    except OSError:  # the working directory is gone, and with it what stood above it
        here = "/"
    return discovered(here, os.geteuid()) if file is None else named(file, here)


def request(
    template: str | None,
    chat_template: str | None,
    variables: tuple[str, ...],
    offline: bool,
    token: str | None,
    conversations: tuple[str, ...] = (),
) -> Request:
    """The options' values as a request. Raises RepairableError."""
    return Request(
        conversations=conversations_of(conversations),
        variables=dict(_variable(word) for word in variables),
        template=template,
        chat_template=chat_template,
        offline=offline,
        token=token,
    )


def conversations_of(paths: Sequence[str]) -> tuple[Mapping[str, Any], ...]:
    """The conversations in some files, as a request holds them. Raises RepairableError."""
    if not paths:
        return ()
    from tpllint.sources.conversations import read_conversations  # takes 7 ms to import, and most runs read none

    return tuple(conversation for path in paths for conversation in read_conversations(path))


def _variable(word: str) -> tuple[str, Any]:
    name, equals, value = word.partition("=")
    hint = "write --var enable_thinking=true, or --var name='\"text\"'"
    if not equals or not name.isidentifier():
        raise RepairableError("bad-variable", f"not of the form NAME=JSON: {word}", hint)
    if name in RESERVED:
        raise RepairableError("bad-variable", f"{name} belongs to the conversation", "put it in a --conversation file")
    try:
        loaded = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise RepairableError("bad-variable", f"the value of {name} is not JSON: {value}", hint) from error
    if nests_too_deeply(loaded):
        raise RepairableError("bad-variable", f"the value of {name} nests deeper than {MAX_DEPTH} levels", hint)
    return name, loaded


def require_targets(targets: Sequence[str], lists: Sequence[str]) -> None:
    """There is a target, or a list that may name some. Raises what click raises for a missing argument."""
    if not targets and not lists:
        raise click.MissingParameter(param_hint="'TARGET...'", param_type="argument")


def listed(targets: Sequence[str], lists: Sequence[str]) -> tuple[str, ...]:
    """The targets of the command line, then those of each list. Raises RepairableError."""
    wanted = [*targets, *(target for path in lists for target in read_list(path, sys.stdin.buffer if sys.stdin else None))]
    readings = lists.count(STDIN) + (STDIN in wanted)
    if STDIN in lists and readings > 1:
        message = "standard input cannot be both a list of targets and something else"
        raise RepairableError("contradiction", message, "write one of the two into a file")
    return tuple(wanted)


@contextlib.contextmanager
def workers(
    config: Config, *rooms: str, documented: bool = False, hands: int = 1, meanwhile: Callable[[], None] | None = None
) -> Iterator[Pool]:
    """A pool of workers that know the built-in rules, those of every installed plug-in and those of the user's folders.

    `rooms` are what its jobs need beyond rules and renders, as a `Pool` takes them, and all others.
    """
    packs = [*plugin_packs(), *config.rules]
    with Pool(packs, rooms=rooms, documented=documented, hands=hands, meanwhile=meanwhile) as pool:
        yield pool


def coloured(color: str, stream: TextIO) -> bool:
    """What --color means for a stream: `auto` is a terminal whose user has not set NO_COLOR."""
    return color == "always" or (color == "auto" and stream.isatty() and not os.environ.get("NO_COLOR"))


def _standard_output() -> Iterator[TextIO]:
    if sys.stdout is None:
        raise RepairableError("unusable-output", "standard output is closed", "write into a file with --output")
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in the buffer cannot be written either
        raise RepairableError(
            "unusable-output", f"standard output cannot be written: {_reason(error)}", "make room for it"
        ) from error


def require_other_file(path: str | None, read: Sequence[str], option: str = "--output") -> None:
    """What is written into has a name, and is nothing that is read: no target, no file of its model. Raises RepairableError."""
    if path == "":
        raise _nameless(path, option)
    if path is None or path == STDOUT or _is_stream(path):
        return
    reader = reader_of(path, read)
    if reader is not None:
        is_itself = os.path.realpath(path) == os.path.realpath(reader)
        told = f"{option} {path} would replace {reader}" if is_itself else f"{option} {path} would be a file of {reader}"
        raise RepairableError(REPLACES, told, "name another file, which is none of those that are read")


def require_own_file(path: str | None, option: str) -> None:
    """A file of tpllint's own has a name, and is neither standard input nor output. Raises RepairableError."""
    if path is not None and path in ("", STDOUT):
        raise _nameless(path, option)


def _nameless(path: str, option: str) -> RepairableError:
    message = f"{option} takes the name of a file, not {path!r}"
    return RepairableError("no-file-name", message, f"write {option} FILE, or leave it out")


def _is_stream(path: str) -> bool:
    """Whether there is a pipe or a device, which is written to and not replaced, or what cannot be written at all."""
    return os.path.lexists(path) and not os.path.isfile(path)


def files_read(asked: Mapping[str, Any]) -> tuple[str, ...]:
    """The files that the options of `request` and of a model that speaks name, beside the targets."""
    named = (asked.get(option) for option in ("chat_template", "prompts"))
    return (*asked.get("conversations", ()), *(file for file in named if file))


@contextlib.contextmanager
def output(path: str | None = None) -> Iterator[TextIO]:
    """Standard output, or a file that appears whole or not at all. Raises RepairableError."""
    if path is None or path == STDOUT:
        yield from _standard_output()
        return
    try:
        with _opened(path) as stream:
            yield stream
    except OSError as error:
        message = f"{path} cannot be written: {_reason(error)}"
        raise RepairableError("unusable-path", message, "check the folder and its permissions") from error


def _opened(path: str) -> AbstractContextManager[TextIO]:
    return open(path, "w", encoding="utf-8") if _is_stream(path) else replaced(path)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
