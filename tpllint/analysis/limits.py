"""The bounds a worker sets on itself before it reads an untrusted byte, and the clock it works against.

The parent enforces the wall clock from outside as well: a signal cannot interrupt a long operation inside the interpreter.
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
import signal
import time
from types import FrameType

MAX_MEMORY_BYTES = 1_000_000_000
SOFT_SECONDS = 7.0
"""After this much wall time of one job the running render is stopped and no further one is started."""
COSTLY_SECONDS = 3.0
"""The same for a template whose source tells already that some of it takes too long."""
MAX_CPU_SECONDS = 10
NOBODY = 65534


class LimitReached(BaseException):
    """A bound ended a piece of work. No Exception: Jinja swallows those while it folds constants and looks up items."""


class TimeIsUp(LimitReached):
    """The job's time is spent."""


class NotStarted(TimeIsUp):
    """The job's time had been spent before."""


class OutOfMemory(LimitReached):
    """The memory that a template may use is spent."""

    def __init__(self) -> None:
        super().__init__("it takes more memory than a template may use")


class TooLong(LimitReached):
    """A constant that takes longer to compute than a template has."""

    def __init__(self) -> None:
        super().__init__("it computes a constant number that takes longer than a template has")


def confine(memory: int = MAX_MEMORY_BYTES) -> None:
    """No more memory than this, no files, no sockets, no child processes, no core dump; for the rest of this process."""
    with contextlib.suppress(ValueError, OSError):  # macOS knows the limit and refuses to set it
        _lower(resource.RLIMIT_AS, memory)
    for limit, most in ((resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, 3)):
        _lower(limit, most)
    _lower(resource.RLIMIT_NPROC, 0)
    _leave_root()


def _lower(limit: int, most: int) -> None:
    """Set a limit, soft and hard, to `most`, or leave it where it is lower already."""
    hard = resource.getrlimit(limit)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(limit, (most, most))


def _leave_root() -> None:
    """Go on as nobody: RLIMIT_NPROC does not bind root, and containers run everything as root."""
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):  # a user namespace may not know nobody, or may forbid the change
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)


def renew_cpu() -> None:
    """Allow one more job's worth of CPU time: RLIMIT_CPU counts from the start of the process."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    allowed = int(spent.ru_utime + spent.ru_stime) + MAX_CPU_SECONDS + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (allowed if hard == resource.RLIM_INFINITY else min(allowed, hard), hard))


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise TimeIsUp


class Deadline:
    """The time left for one job, or for one template of it."""

    def __init__(self, seconds: float = SOFT_SECONDS, latest: float = math.inf) -> None:
        self.seconds = seconds
        self.end = min(time.monotonic() + seconds, latest)
        signal.signal(signal.SIGALRM, _stop)  # an alarm that nobody handles ends the process

    def sooner(self, seconds: float) -> Deadline:
        """A deadline of its own for a part of the job: so many seconds from now, and not later than this one."""
        return Deadline(seconds, self.end)

    def running(self, most: float | None = None) -> _Running:
        """Raise TimeIsUp inside the block when the job's time, or `most` seconds of it, is spent; at once if it is already."""
        return _Running(self.end if most is None else min(self.end, time.monotonic() + most), self.seconds)


class _Running:
    """A piece of work that has to be done by a moment. A render is one, and a check has hundreds: no generator is behind it.

    One inside of another may take no longer than that one has left, which goes on counting behind it.
    """

    def __init__(self, end: float, seconds: float) -> None:
        self._end = end
        self._seconds = seconds
        self._outer: float | None = None

    def __enter__(self) -> None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise NotStarted(f"not started: {self._seconds:g} seconds were spent before")
        outer = signal.setitimer(signal.ITIMER_REAL, left)[0]
        self._outer = time.monotonic() + outer if outer else None
        if outer and outer < left:
            signal.setitimer(signal.ITIMER_REAL, outer)

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        left = 0.0 if self._outer is None else max(self._outer - time.monotonic(), 1e-6)
        signal.setitimer(signal.ITIMER_REAL, left)
        if isinstance(error, TimeIsUp) and not error.args:
            error.args = (f"stopped after {self._seconds:g} seconds",)
