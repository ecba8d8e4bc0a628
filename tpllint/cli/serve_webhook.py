"""`tpllint serve-webhook`."""

from __future__ import annotations

import os
import signal
import threading
import time

import click

from tpllint.errors import RepairableError

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
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with served(Wanted(host, port, queue, commented), secret, _log):
        ended.wait()
    _log("ended")
    return 0


def _from_file(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as stream:
            secret = stream.read(LONGEST_SECRET + 1).strip()
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read"
        raise RepairableError("unusable-path", message, "name a text file that holds the secret") from error
    if len(secret) > LONGEST_SECRET:
        raise RepairableError("unusable-path", f"{path} holds no secret but a long text", "name the file of the secret")
    return secret


def _log(line: str) -> None:
    click.echo(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {line}", err=True)
