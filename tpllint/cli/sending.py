"""`tpllint review --comment` and `--suggest`: sends to the Hub what was found, or shows what would be sent."""

from __future__ import annotations

import io
import sys
from typing import NamedTuple, TextIO

import click

from tpllint.cli.fixes import refused_lines
from tpllint.difference.review import Review
from tpllint.fixing import Fixed
from tpllint.report import patch
from tpllint.report.escape import escape
from tpllint.reviewing import MARKER, Change, comment, sender, suggest


class Sending(NamedTuple):
    """Who sends what; `user` is None where nothing is sent, but shown: below the report, or on standard error where that is for
    programs.
    """

    change: Change
    comments: bool
    user: str | None
    token: str | None
    is_for_programs: bool

    def send(self, found: Review, fixed: Fixed | None) -> None:
        """Send the fixes, then the review. Raises RepairableError; what has been sent is found by the next run."""
        if fixed is not None:
            self._suggest(fixed)
        if self.comments:
            self._comment(found)

    def _comment(self, found: Review) -> None:
        from tpllint.report.review import markdown

        body = io.StringIO()
        body.write(f"{MARKER}\n")
        markdown.write(found, body)
        if self.user is None:
            click.echo(f"\n{body.getvalue()}", nl=False, file=self._stream())
            return
        posted = comment(self.change, self.user, body.getvalue(), self.token)
        click.echo(f"comment {posted.outcome}: {escape(posted.url)}", err=True)

    def _suggest(self, fixed: Fixed) -> None:
        click.echo(refused_lines(fixed.refused), nl=False, err=True)
        if not fixed.changes:
            click.echo("nothing to suggest", err=True)
        elif self.user is None:
            stream = self._stream()
            patch.write(fixed.changes, stream, escaped=stream.isatty())
        else:
            proposed = suggest(self.change, self.user, fixed, self.token)
            if proposed is None:
                click.echo("nothing to suggest: the fixes undo what is proposed", err=True)
                return
            click.echo(f"{'suggested' if proposed.is_new else 'suggested before'}: {escape(proposed.url)}", err=True)

    def _stream(self) -> TextIO:
        return sys.stderr if self.is_for_programs else sys.stdout


def sending(
    change: Change, token: str | None, *, comments: bool, suggests: bool, dry_run: bool, is_for_programs: bool
) -> Sending:
    """What will be sent once there is something to send. Raises RepairableError where it is known already that it cannot be."""
    asked = (comments or suggests) and not dry_run
    user = sender(change, token, comments=comments, suggests=suggests) if asked else None
    return Sending(change, comments, user, token, is_for_programs)
