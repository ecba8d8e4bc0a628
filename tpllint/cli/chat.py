"""`tpllint chat`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

from tpllint.chatting import Chat, Message, begin, said_by
from tpllint.checking import Check, check
from tpllint.cli.generation import Echo, settings_of, with_model
from tpllint.cli.options import request, with_target, workers
from tpllint.cli.progress import progress_of_model
from tpllint.config import Config
from tpllint.errors import RepairableError
from tpllint.generating import why_not
from tpllint.generation.talker import Talker
from tpllint.report.escape import escape, escape_lines
from tpllint.report.text import counted
from tpllint.targets import opened

MAX_NEW_TOKENS = 512
HELP = "/prompt shows what the model was given, /system TEXT sets the system message, /reset begins again, /exit ends"


@click.command(name="chat")
@click.argument("target", metavar="TARGET")
@click.option("--system", metavar="TEXT", help="The system message.")
@click.option("--show-prompt", is_flag=True, help="Show the prompt of each turn before the answer to it.")
@with_model
@with_target
def command(target: str, system: str | None, show_prompt: bool, **asked: Any) -> int:
    """Talk to a model through exactly this template, to hear whether it understands.

    TARGET is a model folder or a model on the Hub, as in `check`; --chat-template FILE tries another template on it. It is
    checked first. What is typed is a message; /help tells the commands. It needs `pip install 'tpllint[generate]'`.
    """
    settings, max_new_tokens = settings_of(asked)
    wanted = request(**asked)
    (opened_target,) = opened([target], wanted)
    with Talker(settings) as talker, workers(Config(), "description") as pool:
        report = check([target], pool, Check(wanted))
        error, reason = report.targets[0].error, why_not(report)
        if error is not None:
            raise RepairableError(error.kind, error.message, error.hint)
        if reason:
            raise RepairableError("not-safe", f"the model is not loaded: {reason}", "run tpllint check with the same arguments")
        with progress_of_model(False) as bar:
            chat = begin(opened_target, pool, wanted, talker, max_new_tokens or MAX_NEW_TOKENS, bar.say)
        click.echo(f"{escape(target)} on {chat.loaded.device}, {chat.loaded.dtype}; {HELP}", err=True)
        _Session(chat, system, show_prompt).run()
    return 0


class _Session:
    """What was said so far, and what each line that is typed does to it."""

    def __init__(self, chat: Chat, system: str | None, show_prompt: bool) -> None:
        self._chat = chat
        self._system = system
        self._show_prompt = show_prompt
        self._said: tuple[Message, ...] = ()

    def run(self) -> None:
        """Take lines until there are no more."""
        for line in _lines():
            try:
                if line == "/exit":
                    return
                self._take(line)
            except RepairableError as error:
                if error.kind == "model-process-ended":
                    raise
                click.echo(f"error: {escape(error.message)}\n  help: {escape(error.hint)}", err=True)

    def _take(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        commands: Mapping[str, Callable[[str], None]] = {
            "/help": lambda _: click.echo(HELP, err=True),
            "/prompt": lambda _: self._print_prompt(self._messages),
            "/reset": self._reset,
            "/system": self._set_system,
        }
        if word in commands:
            commands[word](rest.strip())
        elif word.startswith("/"):
            raise RepairableError("unknown-command", f"no such command: {word}", HELP)
        elif line.strip():
            self._answer(line)

    @property
    def _messages(self) -> tuple[Message, ...]:
        return (*([{"role": "system", "content": self._system}] if self._system else ()), *self._said)

    def _reset(self, _: str) -> None:
        self._said = ()

    def _set_system(self, text: str) -> None:
        self._system, self._said = text or None, ()

    def _print_prompt(self, messages: tuple[Message, ...]) -> None:
        click.echo(escape_lines(self._chat.prompt(messages)), err=True)

    def _answer(self, text: str) -> None:
        asked = (*self._messages, {"role": "user", "content": text})
        if self._show_prompt:
            self._print_prompt(asked)
        echo = Echo(sys.stdout)
        answered = self._chat.answer(asked, lambda _, piece: echo.hear(piece))
        echo.end()
        self._said = (*self._said, asked[-1], {"role": "assistant", "content": said_by(answered)})
        if answered.stop is None:
            click.echo(f"(cut off after {counted(answered.tokens, 'token')})", err=True)


def _lines() -> Iterator[str]:
    """What is typed or piped in, line by line."""
    while True:
        if sys.stdin.isatty():
            click.echo("> ", nl=False, err=True)
        line = sys.stdin.readline()
        if not line:
            return
        yield line.rstrip("\r\n")
