"""What a review found, for persons at a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from tpllint.difference.review import Review
from tpllint.report.difference.text import VERDICTS, View, bold, finding_lines, prompts, templates
from tpllint.report.difference.words import undecided_words
from tpllint.report.escape import escape
from tpllint.report.prompt import marks_for
from tpllint.report.review.words import basis, capabilities, findings_words, notes, verdict
from tpllint.report.text import crash_text, styled
from tpllint.report.text import finding_lines as whole_finding

LONGEST = 300


def write(review: Review, stream: TextIO, view: View) -> None:
    """Write all of it."""
    for line in (*_head(review, view), *_findings(review, view)):
        stream.write(line.rstrip() + "\n")
    if review.diff is not None:
        for line in (*templates(review.diff, view), *prompts(review.diff, view, marks_for(stream))):
            stream.write(line.rstrip() + "\n")
    for crash in review.crashes:
        stream.write(crash_text(crash, view.color) + "\n")


def _head(review: Review, view: View) -> Iterator[str]:
    colour = "yellow" if review.verdict is None else VERDICTS[review.verdict]
    yield f"{styled(verdict(review), colour, view.color)}: {escape(basis(review), LONGEST)}"
    yield f"{findings_words(review)}"
    if review.proposal is not None:
        yield f"  title  {escape(review.proposal.title, LONGEST)}"
    yield f"  left   {escape(review.left)}"
    yield f"  right  {escape(review.right)}"
    for word, told in capabilities(review):
        yield f"  {word:5}  {escape(told, LONGEST)}"
    for note in notes(review):
        yield f"  note: {note}"
    if review.diff is not None and undecided_words(review.diff):
        yield f"  undecided: {escape(undecided_words(review.diff), LONGEST)}"


def _findings(review: Review, view: View) -> Iterator[str]:
    if review.added or review.removed:
        yield ""
    if review.added:
        yield bold("findings added", view)
        for finding in review.added:
            yield from (*whole_finding(finding, view.color), "")
    if review.removed:
        yield bold("findings removed", view)
        for finding in review.removed:
            yield from finding_lines(finding, "-", view)
