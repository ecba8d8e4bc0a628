"""The options of runs in which the model speaks, and what `tpllint check --generate` does with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import click

from tpllint.cli.options import Command
from tpllint.cli.progress import progress_of_model
from tpllint.errors import RepairableError
from tpllint.generation.settings import DEVICES, DTYPES, QUANTIZATIONS
from tpllint.report.escape import escape

if TYPE_CHECKING:
    from tpllint.checking import Check
    from tpllint.conversations.rows import Prompt
    from tpllint.difference.diff import Diff
    from tpllint.finding import Report
    from tpllint.generation.settings import Settings
    from tpllint.pool import Pool
    from tpllint.targets import Argument, Request

MODEL = (
    click.option("--device", type=click.Choice(DEVICES), help="Where the model runs."),
    click.option("--dtype", type=click.Choice(DTYPES), help="As what its weights are loaded."),
    click.option("--quantize", type=click.Choice(QUANTIZATIONS), help="Load the weights smaller, with bitsandbytes."),
    click.option("--trust-remote-code", is_flag=True, help="Run the code that the model brings: it can do whatever you can."),
    click.option("--max-new-tokens", type=click.IntRange(1, 4096), metavar="N", help="So many tokens for each answer."),
)
MODEL_NAMES = ("device", "dtype", "quantize", "trust_remote_code", "max_new_tokens")
PROMPTS = (
    click.option("--generate", is_flag=True, help="Let the model answer through its template, and judge what it writes."),
    click.option("--prompts", metavar="FILE", help="With --generate: ask these, in any form of a row."),
)
VERBOSE = click.option("-v", "--verbose", is_flag=True, help="With --generate, show what the model writes as it comes.")


def with_model(command: Command) -> Command:
    """Add the options that `settings_of` reads."""
    for option in reversed(MODEL):
        command = option(command)
    return command


def with_generation(command: Command) -> Command:
    """Add the options that `generation_of` reads."""
    for option in reversed((*PROMPTS, *MODEL)):
        command = option(command)
    return command


class Generation(NamedTuple):
    """What the command line says of the model: how to run it, what to ask it, and how long its answers may be.

    `aloud` shows what it writes as it comes.
    """

    settings: Settings
    prompts: tuple[tuple[str, Prompt], ...]
    max_new_tokens: int
    aloud: bool = False
    no_progress: bool = False


def settings_of(asked: MutableMapping[str, Any]) -> tuple[Settings, int | None]:
    """How to run a model and how long its answers may be, by the options of `with_model`; they are taken out of `asked`."""
    from tpllint.generation.settings import Settings

    given = {name: asked.pop(name) for name in ("device", "dtype", "quantize", "trust_remote_code")}
    chosen = {name: value for name, value in given.items() if value}
    return Settings(**chosen, offline=asked["offline"], token=asked["token"]), asked.pop("max_new_tokens")


def generation_of(asked: MutableMapping[str, Any], *, aloud: bool = False, no_progress: bool = False) -> Generation | None:
    """What the options of `with_generation` say; they are taken out of `asked`. None where no model is to speak.

    Raises RepairableError.
    """
    wanted, prompts = asked.pop("generate"), asked.pop("prompts")
    if wanted:
        from tpllint.asking import MAX_NEW_TOKENS, canonical_prompts
        from tpllint.sources.conversations import read_prompts

        settings, max_new_tokens = settings_of(asked)
        to_ask = canonical_prompts() if prompts is None else read_prompts(prompts)
        return Generation(settings, to_ask, max_new_tokens or MAX_NEW_TOKENS, aloud, no_progress)
    given = {"prompts": prompts, **{name: asked.pop(name) for name in MODEL_NAMES}}
    used = next((name for name, value in given.items() if value), None)
    if used is not None:
        option = f"--{used.replace('_', '-')}"
        raise RepairableError("contradiction", f"{option} is about a model that speaks", f"add --generate, or drop {option}")
    return None


def generated(targets: Sequence[Argument], pool: Pool, check: Check, given: Generation) -> Iterator[Report]:
    """Check the targets and let their models speak; what they write is shown where somebody wants to see it."""
    from tpllint.asking import Asked
    from tpllint.generating import Wanted
    from tpllint.generating import generated as spoken
    from tpllint.generation.talker import Talker

    wanted = Wanted(check, Asked(given.prompts, given.max_new_tokens))
    with Talker(given.settings) as talker, progress_of_model(given.no_progress or given.aloud) as bar:
        answers = _Answers()
        for report in spoken(targets, pool, wanted, talker, bar.say, answers.hear if given.aloud else None):
            answers.end()
            with bar.aside():
                yield report


def with_fits(found: Diff, targets: Sequence[str], pool: Pool, request: Request, given: Generation) -> Diff:
    """A diff with what the model of one of its sides says of both. Raises RepairableError."""
    from tpllint.asking import side_fits
    from tpllint.generation.talker import Talker
    from tpllint.targets import opened

    left, right = opened(targets, request)
    with Talker(given.settings) as talker, progress_of_model(False) as bar:
        return found.with_fits(side_fits((left, right), pool, request, given.prompts, talker, bar.say))


class Echo:
    """Writes what a model writes, line by line behind a bar: no line of it can be taken for one of ours, or for a command."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._line = ""
        self._shown = ""

    def hear(self, piece: str) -> None:
        """Show a piece of an answer."""
        for index, part in enumerate(piece.split("\n")):
            if index:
                self._break()
            if part:
                self._line += part
                self._show()

    def end(self) -> None:
        """End the line, if one has begun."""
        if self._shown:
            whole = self._whole()
            rest = "" if whole.startswith(self._shown) else f"\n{whole}"
            click.echo(rest, file=self._stream)
        self._line = self._shown = ""

    def _break(self) -> None:
        if not self._shown:
            click.echo("|", file=self._stream)
        self.end()

    def _show(self) -> None:
        """As much of the line as is new; what turns out to be a command is shown when the line ends."""
        whole = self._whole()
        if whole.startswith(self._shown):
            click.echo(whole.removeprefix(self._shown), nl=False, file=self._stream)
            self._shown = whole

    def _whole(self) -> str:
        return f"| {escape(self._line)}"


class _Answers:
    """Writes to standard error what a model writes, each prompt under its name."""

    def __init__(self) -> None:
        self._name: str | None = None
        self._echo = Echo(sys.stderr)

    def hear(self, name: str, piece: str) -> None:
        """Show a piece of the answer to a prompt."""
        if name != self._name:
            self._echo.end()
            click.echo(f"--- {escape(name)}", err=True)
            self._name = name
        self._echo.hear(piece)

    def end(self) -> None:
        """All is said."""
        self._echo.end()
        self._name = None
