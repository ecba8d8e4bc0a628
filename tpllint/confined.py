"""Processes that do one thing with a stranger's file, under limits, and end."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tpllint import spawn, wire
from tpllint.errors import RepairableError

START_SECONDS = 60.0


class Confined:
    """A process that answers one request, and what it has said."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout
        self._buffer = bytearray()
        self._size = 0
        self._seconds = seconds
        self._end = time.monotonic() + START_SECONDS

    def ask(self, request: Mapping[str, Any]) -> None:
        """Hand over the request; the clock for it starts now."""
        body = memoryview(wire.encode(dict(request)))
        self._end = time.monotonic() + self._seconds
        with contextlib.suppress(BrokenPipeError):  # it died; reading from it says so
            while body:
                body = body[self._input.write(body) :]

    def message(self) -> dict[str, Any]:
        """Its next message. Raises EOFError where it ended, TimeoutError where it is late, WireError on anything else."""
        while (message := wire.take(self._buffer, wire.MAX_ANSWER_BYTES)) is None:
            self._receive()
        return message

    def _receive(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            if not selector.select(max(self._end - time.monotonic(), 0.0)):
                raise TimeoutError
        data = os.read(self._output.fileno(), 1 << 20)
        if not data:
            raise EOFError
        self._buffer += data
        self._size += len(data)
        if self._size > wire.MAX_ANSWER_BYTES:
            raise wire.WireError("more than 16 MB of answers")


@contextlib.contextmanager
def confined(module: str, seconds: float, refusal: Callable[[str], RepairableError]) -> Iterator[Confined]:
    """A process of its own that runs a module's `main` for one request; how it ends before its time becomes a `refusal`."""
    try:
        process = spawn.spawn(module)
    except OSError as error:
        message = f"no process can be started: {(error.strerror or str(error)).lower()}"
        raise RepairableError("no-worker", message, "allow more processes and open files, then run again") from error
    try:
        yield Confined(process, seconds)
    except EOFError:
        raise refusal("its process ended early, most likely for want of memory") from None
    except TimeoutError:
        raise refusal(f"it did not finish within {seconds:g} seconds") from None
    except (wire.WireError, KeyError, TypeError, ValueError) as error:
        raise refusal(f"its process sent {error}") from error
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
