"""What a review found, as Markdown: for the discussion of a pull request, in as much room as a comment has.

A stranger's words stand in code only; conversations are folded, and what there is no room for is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape as html_escape
from typing import TextIO

from tpllint.difference.diff import Diff
from tpllint.difference.review import Review
from tpllint.difference.shown import Shown
from tpllint.report.difference.markdown import finding_item, shown_blocks, template_blocks
from tpllint.report.difference.words import prompts_title, undecided_words
from tpllint.report.difference.words import title as title_of
from tpllint.report.escape import escape
from tpllint.report.markdown import Part, crash_block, finding_blocks
from tpllint.report.markdown_text import cell, code, in_table, table
from tpllint.report.review.words import basis, capabilities, findings_words, notes, verdict

LONGEST = 300
ROOM = {"findings": 18_000, "removed": 4_000, "templates": 7_000, "conversations": 18_000, "defects": 4_000}
"""In characters; a comment on the Hub has at most 65,536, and a marker and a head go before these."""


def write(review: Review, stream: TextIO) -> None:
    """Write what there is room for."""
    stream.write("\n\n".join(block.rstrip("\n") for block in _blocks(review) if block) + "\n")


def _blocks(review: Review) -> Iterator[str]:
    yield f"**{verdict(review)}**: {_basis(review)}"
    yield f"{cell(findings_words(review))}"
    yield table(("left", "right"), [(in_table(escape(review.left, LONGEST)), in_table(escape(review.right, LONGEST)))])
    yield "\n".join(f"- {word}: {code(told, LONGEST)}" for word, told in capabilities(review))
    yield from map(cell, notes(review))
    if review.diff is not None and undecided_words(review.diff):
        yield f"Undecided: {code(undecided_words(review.diff), LONGEST)}"
    yield from _findings(review)
    if review.diff is not None:
        yield from _comparison(review.diff)
    defects = Part("Defects of tpllint", ROOM["defects"], "defect")
    for crash in review.crashes:
        defects.add(crash_block(crash))
    yield defects.text()


def _basis(review: Review) -> str:
    return cell(basis(review)) if review.diff is not None else code(basis(review), LONGEST)


def _findings(review: Review) -> Iterator[str]:
    added, removed = Part("Findings added", ROOM["findings"], "finding"), Part("Findings removed", ROOM["removed"], "finding")
    for finding in review.added:
        added.add("".join(f"{block}\n" for block in finding_blocks(finding)))
    for finding in review.removed:
        removed.add(finding_item(finding))
    yield added.text()
    yield removed.text()


def _comparison(diff: Diff) -> Iterator[str]:
    templates = Part("", ROOM["templates"], "template")
    for name in diff.structures:
        templates.add("".join(f"{block.rstrip()}\n\n" for block in template_blocks(diff, name)))
    yield templates.text()
    if not diff.changed:
        return
    conversations = Part("", ROOM["conversations"], "conversation")
    for shown in diff.shown:
        conversations.add(_folded(shown, diff))
    yield f"### {cell(prompts_title(diff))}"
    yield conversations.text()


def _folded(shown: Shown, diff: Diff) -> str:
    """A conversation that is opened by who wants to see it."""
    _, *blocks = shown_blocks(shown, diff)
    summary = f"<summary><code>{html_escape(title_of(shown.example.compared, diff))}</code></summary>"
    body = "\n\n".join(block.rstrip("\n") for block in blocks if block)
    return f"<details>{summary}\n\n{body}\n\n</details>\n\n"
