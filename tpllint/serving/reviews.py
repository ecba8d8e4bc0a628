"""The queue of the server: which pull requests wait, and the processes that review them, one after the other."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Sequence

TIME_LIMIT = 300
"""How many seconds one review may take."""

_KEPT = 10_000

Log = Callable[[str], object]
Key = tuple[str, int]


class Reviews:
    """The pull requests that wait, each once, and inside `with` the thread that reviews them.

    `log` is told what becomes of each; it never raises.
    """

    def __init__(self, most: int, arguments: Sequence[str], log: Log) -> None:
        self._most = most
        self._arguments = arguments
        self._log = log
        self._waiting: list[Key] = []
        self._changed = threading.Condition()
        self._running: subprocess.Popen[bytes] | None = None
        self._ends = False
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *raised: object) -> None:
        """Forget what waits, and end the review that runs."""
        with self._changed:
            self._ends = True
            if self._running is not None:
                _kill(self._running)
            self._changed.notify()
        self._thread.join()

    def offer(self, keys: Sequence[Key]) -> list[Key]:
        """Let these wait, and return those for which there is no room."""
        with self._changed:
            new = [key for key in keys if key not in self._waiting]
            room = self._most - len(self._waiting)
            self._waiting += new[:room]
            self._changed.notify()
            return new[room:]

    def _work(self) -> None:
        while (key := self._next()) is not None:
            try:
                self._log(f"{key[0]} {key[1]}: {self._outcome(key)}")
            except Exception:  # a defect that ended this thread would leave a server that listens and does nothing
                for line in (f"{key[0]} {key[1]}: defect of the server", *traceback.format_exc().splitlines()):
                    self._log(line)

    def _next(self) -> Key | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ends or self._waiting)
            return None if self._ends else self._waiting.pop(0)

    def _outcome(self, key: Key) -> str:
        try:
            process = self._started(key)
        except OSError as error:
            return f"not reviewed: no process can be started: {(error.strerror or '').lower()}"
        return "not reviewed" if process is None else self._end_of(process)

    def _started(self, key: Key) -> subprocess.Popen[bytes] | None:
        repository, number = key
        command = [sys.executable, "-P", "-m", "tpllint", "review", f"hf:{repository}", "--pr", str(number), *self._arguments]
        environment = {name: value for name, value in os.environ.items() if name != "WEBHOOK_SECRET"}
        with self._changed:
            if self._ends:
                return None
            self._running = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environment,
                start_new_session=True,
            )
            return self._running

    def _end_of(self, process: subprocess.Popen[bytes]) -> str:
        with process:
            try:
                _, said = process.communicate(timeout=TIME_LIMIT)
            except subprocess.TimeoutExpired:
                _kill(process)
                return f"ended after {TIME_LIMIT} seconds"
            finally:
                with self._changed:
                    self._running = None
        told = " ".join(said[-_KEPT:].decode(errors="replace").split())
        return f"exit code {process.returncode}{told and f', {told}'}"


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a review with all processes that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
