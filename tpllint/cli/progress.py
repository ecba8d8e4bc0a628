"""The progress bar of runs that take long enough to be seen."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

FROM = 10
"""Targets; with fewer a run is over before anybody looks."""
FROM_BYTES = 1_000_000
"""Of rows; as above."""


class Silence:
    """Shows nothing."""

    def tell(self, done: int, all_: int | None) -> None:
        """So much is done of all there is, which may be unknown."""

    def say(self, doing: str, share: float | None) -> None:
        """This is being done now, and so much of it is done, from 0 to 1, which may be unknown."""

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Room for a report to be written."""
        yield


class Shown(Silence):
    """A bar at the bottom of the terminal."""

    def __init__(self, bar: Bar, doing: str) -> None:
        self._bar = bar
        self._task = bar.add_task(doing, total=None)

    def tell(self, done: int, all_: int | None) -> None:
        """Move on."""
        self._bar.update(self._task, completed=done, total=all_)

    def say(self, doing: str, share: float | None) -> None:
        """Move on."""
        self._bar.update(self._task, description=doing, completed=share or 0, total=None if share is None else 1)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bar away while a report is written: it may go to the same terminal."""
        self._bar.stop()
        try:
            yield
        finally:
            self._bar.start()


def progress(targets: int, unwanted: bool) -> AbstractContextManager[Silence]:
    """A progress bar where standard error is a terminal and there is something to wait for."""
    return _silence() if unwanted or targets < FROM else _shown("checking")


def progress_of_rows(size: int | None, unwanted: bool) -> AbstractContextManager[Silence]:
    """The same for rows in a file of this size; None where nobody knows it."""
    return _silence() if unwanted or (size is not None and size < FROM_BYTES) else _shown("reading")


def progress_of_model(unwanted: bool) -> AbstractContextManager[Silence]:
    """The same for a model that is loaded and answers."""
    return _silence() if unwanted else _shown("importing")


@contextlib.contextmanager
def _silence() -> Iterator[Silence]:
    yield Silence()


@contextlib.contextmanager
def _shown(doing: str) -> Iterator[Silence]:
    if not (sys.stderr and sys.stderr.isatty()):
        yield Silence()
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        yield Shown(bar, doing)
