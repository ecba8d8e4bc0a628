"""The process that runs one model: it loads what a request names, answers what others ask, and ends with its parent.

Only here, and in what this imports, are torch and transformers. Messages go over the standard output that the process was
started with; what libraries write there goes to standard error.
"""

from __future__ import annotations

import gc
import os
import queue
import sys
import threading
import traceback
from typing import Any

from tpllint import wire
from tpllint.generation.model_refusal import RefusedError


class Line:
    """The way to the parent."""

    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)

    def send(self, **message: Any) -> None:
        """Send these fields."""
        self._answers.write(wire.encode(message))
        self._answers.flush()

    def progress(self, what: str, part: float | None) -> None:
        """Tell what is done now, and how much of it, from 0 to 1, where that is known."""
        self.send(kind="progress", what=what, part=part)


def main() -> None:
    """Answer requests from standard input until it ends. An error that nobody expects is told by its traceback."""
    try:
        _serve(Line())
    except Exception:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)  # Python would wait for whoever reads standard input


def _serve(line: Line) -> None:
    requests = _requests()
    try:
        from tpllint.generation.model_desk import Desk
    except ImportError as error:
        line.send(kind="refused", failure="missing-package", reason=error.name or str(error))
        return
    gc.freeze()
    gc.enable()
    desk = Desk(line)
    line.send(kind="ready", **desk.machine())
    while True:
        try:
            desk.serve(requests.get())
        except RefusedError as refused:
            line.send(kind="refused", failure=refused.failure, reason=refused.reason)


def _requests() -> queue.Queue[dict[str, Any]]:
    """Where requests arrive. They are waited for beside the work: the process ends as soon as nobody can ask any more."""
    arrived: queue.Queue[dict[str, Any]] = queue.Queue()

    def listen() -> None:
        try:
            while (request := wire.read(sys.stdin.buffer, wire.MAX_JOB_BYTES)) is not None:
                arrived.put(request)
        finally:
            os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    return arrived
