"""`tpllint serve-webhook`."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from queue import SimpleQueue

import click

from tpllint.errors import RepairableError
from tpllint.sources.own_file import own_bytes

SECRET = "WEBHOOK_SECRET"
LONGEST_SECRET = 1000


@click.command(name="serve-webhook")
@click.option("--secret-file", metavar="FILE", help="The webhook's secret stands in this file, not in WEBHOOK_SECRET.")
@click.option("--host", default="127.0.0.1", metavar="HOST", help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=7860, metavar="PORT", help="The port to listen on.")
@click.option("--queue", type=click.IntRange(1, 10_000), default=100, metavar="N", help="So many pull requests may wait.")
@click.option("--comment/--no-comment", "commented", default=True, help="Post reviews, or only log how they end.")
def command(secret_file: str | None, host: str, port: int, queue: int, commented: bool) -> int:
    """Review each pull request that a webhook of the Hub tells of, until Ctrl-C or SIGTERM.

    The Hub posts to /webhooks/review. It needs `pip install 'tpllint[webhook]'`, and HF_TOKEN for comments.
    """
    from tpllint.serving import Wanted, served

    secret = _from_file(secret_file) if secret_file is not None else os.environ.get(SECRET, "").strip()
    if not secret:
        hint = f"set {SECRET}, or write it into a --secret-file; give the webhook the same"
        raise RepairableError("missing-secret", "there is no secret by which the Hub is known", hint)
    signals: SimpleQueue[int] = SimpleQueue()  # its `put` may interrupt itself: a signal can follow a signal
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: signals.put(number))
    with served(Wanted(host, port, queue, commented), secret, _log):
        signals.get()
    _log("ended")
    return 0


def _from_file(path: str) -> str:
    takes = "--secret-file takes a text file that holds the secret"
    too_large = RepairableError("unusable-path", f"{path} holds no secret but a long text", takes)
    try:
        return own_bytes(path, LONGEST_SECRET, takes=takes, too_large=too_large).decode("utf-8").strip()
    except FileNotFoundError as error:
        raise RepairableError("no-such-path", f"no such file: {path}", takes) from error
    except UnicodeDecodeError as error:
        raise RepairableError("unusable-path", f"{path} is not UTF-8", takes) from error


def _log(line: str) -> None:
    """Write a line; a log that nobody reads any more, or a full disk, is no reason to stop serving."""
    with contextlib.suppress(OSError, ValueError):
        click.echo(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {line}", err=True)
