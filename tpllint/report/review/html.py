"""What a review found, as one page for a browser: nothing is loaded, nothing runs, and it can be passed on as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO
from xml.etree.ElementTree import Element

import tpllint
from tpllint.difference.review import Review
from tpllint.report.difference.html import comparison, contents, finding_list
from tpllint.report.difference.words import undecided_words
from tpllint.report.escape import escape
from tpllint.report.html import finding_article
from tpllint.report.markup import Content, document, element
from tpllint.report.page import defects, name_of, page
from tpllint.report.review.words import basis, capabilities, findings_words, notes, verdict

LONGEST = 300
LONGEST_TITLE = 60


def write(review: Review, stream: TextIO) -> None:
    """Write the page."""
    title = f"{verdict(review)}: {escape(review.right, LONGEST_TITLE)} - tpllint review"
    sections = [*_findings(review), *(comparison(review.diff) if review.diff else ()), *_defects(review)]
    stream.write(document(page(title, _header(review), contents(sections), sections, _footer())))


def _header(review: Review) -> Element:
    facts: list[tuple[str, Content]] = [("left", name_of(review.left)), ("right", name_of(review.right))]
    if review.proposal is not None:
        facts.insert(0, ("title", element("bdi", escape(review.proposal.title, LONGEST))))
    facts += [(word, told) for word, told in capabilities(review)]
    items = list(notes(review))
    if review.diff is not None and undecided_words(review.diff):
        items.append(f"undecided: {undecided_words(review.diff)}")
    told = verdict(review)
    return element(
        "header",
        element("h1", element("strong", told, class_=told), f": {escape(basis(review), LONGEST)}"),
        element("p", findings_words(review)),
        element("dl", *(element("div", element("dt", name), element("dd", fact)) for name, fact in facts)),
        element("ul", *(element("li", item) for item in items)) if items else None,
    )


def _findings(review: Review) -> Iterator[Element]:
    if review.added:
        articles = (finding_article(finding, f"added-{number}") for number, finding in enumerate(review.added, 1))
        yield element("section", element("h2", "Findings added", id="added"), *articles, aria_labelledby="added")
    if review.removed:
        removed = finding_list("-", review.removed)
        yield element("section", element("h2", "Findings removed", id="removed"), removed, aria_labelledby="removed")


def _defects(review: Review) -> Iterator[Element]:
    if review.crashes:
        heading = element("h2", "Defects of tpllint", id="defects")
        yield element("section", heading, defects(review.crashes), aria_labelledby="defects")


def _footer() -> Element:
    return element("footer", element("p", f"tpllint {tpllint.__version__} made this page with tpllint review."))
