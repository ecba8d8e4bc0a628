"""What `diff` found, as one page for a browser: nothing is loaded, nothing runs, and it can be passed on as it is."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TextIO
from xml.etree.ElementTree import Element

import tpllint
from tpllint.difference.diff import Diff, Side, Structure
from tpllint.difference.outcomes import Compared, Status
from tpllint.finding import Finding
from tpllint.report.difference.anatomy import Row, rows, treatments
from tpllint.report.difference.html_prompts import changed, names
from tpllint.report.difference.words import fit_words, structure_words, summary, undecided_words
from tpllint.report.escape import escape
from tpllint.report.markup import Content, document, element
from tpllint.report.page import contents_of, defects, listing, name_of, page, row
from tpllint.report.text import counted, place

COLUMNS = 400
"""Of a fact on one side, before it is cut in the middle."""
LONGEST_TITLE = 60
WHOLE = ("turns", "prompt")
"""Sections that stand whole in the second table, also where the first one tells a part of them."""


def write(diff: Diff, stream: TextIO) -> None:
    """Write the page."""
    left, right = (escape(name, LONGEST_TITLE) for name in (diff.left, diff.right))
    title = f"{diff.verdict}: {left} and {right} - tpllint diff"
    sections = [*comparison(diff), *_findings(diff), *_defects(diff)]
    stream.write(document(page(title, _header(diff), contents(sections), sections, _footer(diff))))


def comparison(diff: Diff) -> Iterator[Element]:
    """What both sides do, a section for each thing."""
    yield from _templates(diff)
    yield from changed(diff)
    yield from _unchanged(diff)


def _header(diff: Diff) -> Element:
    sides = (("left", diff.before), ("right", diff.after))
    only = (("left", diff.templates_removed), ("right", diff.templates_added))
    notes = [element("li", f"only on the {side}: template ", name_of(name)) for side, found in only for name in found]
    notes += [element("li", f"fit: {fit_words(diff)}")] if fit_words(diff) else []
    notes += [element("li", f"undecided: {undecided_words(diff)}")] if undecided_words(diff) else []
    return element(
        "header",
        element("h1", element("strong", str(diff.verdict), class_=str(diff.verdict)), f": {summary(diff)}"),
        element("dl", *(element("div", element("dt", name), element("dd", _side(side))) for name, side in sides)),
        element("ul", *notes) if notes else None,
    )


def _side(side: Side) -> Content:
    return [name_of(side.name), "" if side.engine == "transformers" else f" in {side.engine}"]


def contents(sections: Iterable[Element]) -> Element | None:
    """Links to the sections by their headings."""
    headings = [section.find("h2") for section in sections]
    links = [element("a", "".join(found.itertext()), href=f"#{found.get('id')}") for found in headings if found is not None]
    return contents_of(element("li", link) for link in links) if links else None


def _templates(diff: Diff) -> Iterator[Element]:
    for number, name in enumerate(diff.structures, 1):
        heading = f"template-{number}"
        yield element(
            "section",
            element("h2", "Template ", name_of(name), id=heading),
            element("p", structure_words(diff, name)),
            _tables(diff, name),
            aria_labelledby=heading,
        )


def _tables(diff: Diff, name: str) -> Iterator[Element]:
    """What both sides make of what callers do, and what differs in how; nothing where nothing differs."""
    left, right = (side.descriptions.get(name) for side in (diff.before, diff.after))
    if not left or not right:
        return
    treated, found = treatments(left, right, COLUMNS), rows(diff.changes(name), left, right, COLUMNS)
    if not found and diff.structures[name] is Structure.SAME and not any(row.differs for row in treated):
        return
    yield from _capabilities(treated)
    told = {(row.left, row.right) for row in treated}
    found = [row for row in found if row.section in WHOLE or (row.left, row.right) not in told]
    if found:
        grouped = [(section, list(members)) for section, members in groupby(found, key=lambda row: row.section)]
        yield _table("What differs in how prompts are made", grouped)


def _capabilities(treated: Sequence[Row]) -> Iterator[Element]:
    """All that is told of every two templates: what differs first, the rest below it, closed."""
    differing, same = ([row for row in treated if row.differs is wanted] for wanted in (True, False))
    if differing:
        yield _table("What callers can do that differs", [("", differing)])
    if same:
        title = f"{counted(len(same), 'thing')} that callers can do {'is' if len(same) == 1 else 'are'} the same on both sides"
        yield element("details", element("summary", title), _table("What callers can do alike", [("", same)]), class_="fold")


def _table(caption: str, sections: Iterable[tuple[str, list[Row]]]) -> Element:
    titles = (element("th", title, scope="col") for title in ("what", "left", "right"))
    bodies = (element("tbody", _section(section), (_row(row) for row in members)) for section, members in sections)
    return element("table", element("caption", caption), element("thead", element("tr", *titles)), *bodies)


def _section(name: str) -> Element | None:
    return element("tr", element("th", name, scope="rowgroup", colspan="3"), class_="section") if name else None


def _row(row: Row) -> Iterator[Element]:
    """A fact; its remark stands below both sides."""
    kind = "differs" if row.differs else "same"
    sign: Content = [element("span", "\u2260", aria_label="differs", role="img", class_="sign"), " "] if row.differs else None
    label = element("th", sign, row.label, scope="row", **({"rowspan": "2"} if row.remark else {}))
    yield element("tr", label, element("td", row.left), element("td", row.right), class_=kind)
    if row.remark:
        yield element("tr", element("td", row.remark, colspan="2"), class_=f"{kind} remark")


def _unchanged(diff: Diff) -> Iterator[Element]:
    same = [each for each in diff.conversations if each.status is Status.SAME]
    refused = [each for each in diff.conversations if each.status is Status.BOTH_RAISE]
    if not same and not refused:
        return
    yield element(
        "section",
        element("h2", "What did not change", id="unchanged"),
        _list(f"{counted(len(same), 'prompt')} the same on both sides", same, diff),
        _list(f"{counted(len(refused), 'conversation')} that both sides refuse", refused, diff),
        aria_labelledby="unchanged",
    )


def _list(title: str, found: list[Compared], diff: Diff) -> Element | None:
    return element("details", element("summary", title), names(found, diff)) if found else None


def _findings(diff: Diff) -> Iterator[Element]:
    both = (("Only on the right", "+", diff.added), ("Only on the left", "-", diff.removed))
    told = [(title, sign, findings) for title, sign, findings in both if findings]
    if told:
        yield element(
            "section",
            element("h2", "Findings", id="findings"),
            ([element("h3", title), finding_list(sign, findings)] for title, sign, findings in told),
            aria_labelledby="findings",
        )


def finding_list(sign: str, findings: Iterable[Finding]) -> Element:
    """Findings in short; the sign tells whether they come or go."""
    return element("ul", *(element("li", *_finding(sign, finding)) for finding in findings), class_="findings")


def _finding(sign: str, finding: Finding) -> Iterator[Content]:
    severity = element("strong", str(finding.severity), class_=str(finding.severity))
    yield element("p", f"{sign} ", severity, " ", element("code", finding.rule), f" {finding.message}")
    yield element("p", element("code", place(finding.path, finding.span)), class_="note")


def _defects(diff: Diff) -> Iterator[Element]:
    if diff.crashes:
        yield element(
            "section", element("h2", "Defects of tpllint", id="defects"), defects(diff.crashes), aria_labelledby="defects"
        )


def _footer(diff: Diff) -> Element:
    """Who made the page, and how it is made again."""
    sides = [diff.left, diff.right]
    dashed = ["--"] if any(name.startswith("-") for name in sides) else []
    command = shlex.join(["tpllint", "diff", "--output-format", "html", "--output", "diff.html", *dashed, *sides])
    return element(
        "footer",
        element(
            "p", f"tpllint {tpllint.__version__} made this page; this makes it again, with the options that it was run with:"
        ),
        listing("command", row(command)),
    )
