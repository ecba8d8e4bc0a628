"""What the processes have in common that do one thing with a stranger's file for `tpllint.confined`, and then end."""

from __future__ import annotations

import os
import sys
from typing import Any, Protocol

from tpllint import wire
from tpllint.analysis import limits

MAX_MEMORY_BYTES = 2_000_000_000
"""A vocabulary of a quarter of a million entries takes most of a gigabyte while it is read, and some are twice as large."""


class Send(Protocol):
    """What takes a message to the parent."""

    def __call__(self, **message: Any) -> None:
        """Send these fields."""


def answering() -> Send:
    """Keep standard output for messages alone: what libraries write there and to standard error goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)

    def send(**message: Any) -> None:
        answers.write(wire.encode(message))
        answers.flush()

    return send


def confined_request(send: Send) -> dict[str, Any] | None:
    """Give up all that the request must not reach, and read it; None where the parent has none."""
    limits.confine(MAX_MEMORY_BYTES)
    send(kind="ready")
    request = wire.read(sys.stdin.buffer, wire.MAX_JOB_BYTES)
    limits.renew_cpu()
    return request
