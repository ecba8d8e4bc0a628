"""What `check` does with findings that are known: nothing, hold them back by a baseline, or record them in one.

The baseline is imported inside functions: most runs have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from tpllint.cli.options import output, require_other_file, require_own_file
from tpllint.errors import RepairableError
from tpllint.report.escape import escape
from tpllint.report.text import counted

if TYPE_CHECKING:
    from tpllint.baseline import Recording, Sieve
    from tpllint.checking import Check
    from tpllint.finding import Report


class Treatment:
    """What becomes of the findings of a run: all are told, fixed and counted, unless a baseline says otherwise."""

    def fixable(self, report: Report) -> Report:
        """What of a report may be fixed, which is what would be told."""
        return report

    def told(self, report: Report) -> Report:
        """What is written of a report."""
        return report

    def counting(self, report: Report) -> Report:
        """What of a report decides the exit code."""
        return report

    def end(self, code: int, *, quiet: bool) -> None:
        """The run is over and would exit with this code."""


class Held(Treatment):
    """Findings of a baseline are neither told nor do they count."""

    def __init__(self, path: str, sieve: Sieve) -> None:
        self._path = path
        self._sieve = sieve

    def fixable(self, report: Report) -> Report:
        """As the baseline leaves it; what is fixed counts for nothing that it holds without need."""
        return self._sieve.without_known(report)

    def told(self, report: Report) -> Report:
        """As the baseline leaves it."""
        return self._sieve.left(report)

    def end(self, code: int, *, quiet: bool) -> None:
        """Tell of what the baseline holds without need."""
        stale = self._sieve.stale()
        if stale and not quiet:
            occurs = "occurs" if stale == 1 else "occur"
            path = escape(self._path)
            said = f"{counted(stale, 'finding')} of {path} no longer {occurs}; write it anew with --write-baseline {path}"
            click.echo(f"note: {said}", err=True)


class Recorded(Treatment):
    """Findings are told, and recorded; what is recorded does not count."""

    def __init__(self, path: str, recording: Recording) -> None:
        self._path = path
        self._recording = recording

    def counting(self, report: Report) -> Report:
        """Without what is recorded."""
        return self._recording.rest(report)

    def end(self, code: int, *, quiet: bool) -> None:
        """Write the baseline, unless something could not be checked. Raises RepairableError."""
        path = escape(self._path)
        if code > 1:
            click.echo(f"note: {path} is not written: not everything could be checked", err=True)
            return
        baseline = self._recording.baseline()
        text = baseline.as_text()
        with output(self._path) as stream:
            stream.write(text)
        if not quiet:
            recorded = sum(known.times for known in baseline.findings.values())
            click.echo(f"{counted(recorded, 'finding')} recorded in {path}", err=True)


def known_findings(
    read: str | None, written: str | None, configured: str | None, asked: Check, used: Sequence[str]
) -> Treatment:
    """What --baseline and --write-baseline ask for, else the configuration; `used` are other files of the run.

    Raises RepairableError.
    """
    require_own_file(read, "--baseline")
    require_own_file(written, "--write-baseline")
    if written is not None:
        return _recorded(read, written, used)
    path = configured if read is None else read
    if path is None:
        return Treatment()
    from tpllint.baseline import Sieve, read_baseline

    every = asked.request.template is None and asked.request.chat_template is None
    return Held(path, Sieve(read_baseline(path), asked.selection, every_template=every))


def _recorded(read: str | None, written: str, used: Sequence[str]) -> Recorded:
    if read is not None:
        raise RepairableError("contradiction", "--baseline and --write-baseline exclude each other", "drop one of the two")
    require_other_file(written, used, "--write-baseline")
    from tpllint.baseline import Recording

    return Recorded(written, Recording(written))
