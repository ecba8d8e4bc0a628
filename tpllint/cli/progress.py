"""The progress bar of runs that take long enough to be seen."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

FROM = 10
"""Targets; with fewer a run is over before anybody looks."""


class Silence:
    """Shows nothing."""

    def tell(self, done: int, all_: int) -> None:
        """So many targets are done."""

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Room for a report to be written."""
        yield


class Shown(Silence):
    """A bar at the bottom of the terminal."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._task = bar.add_task("checking", total=None)

    def tell(self, done: int, all_: int) -> None:
        """Move on."""
        self._bar.update(self._task, completed=done, total=all_)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bar away while a report is written: it may go to the same terminal."""
        self._bar.stop()
        try:
            yield
        finally:
            self._bar.start()


@contextlib.contextmanager
def progress(targets: int, unwanted: bool) -> Iterator[Silence]:
    """A progress bar where standard error is a terminal and there is something to wait for."""
    if unwanted or targets < FROM or not (sys.stderr and sys.stderr.isatty()):
        yield Silence()
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        yield Shown(bar)
