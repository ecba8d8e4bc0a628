"""What `check` found, as one page for a browser: nothing is loaded, nothing runs, and it can be passed on as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO
from xml.etree.ElementTree import Element

import tpllint
from tpllint.finding import Finding, RelatedPlace, Report, TargetError, TargetResult, Totals
from tpllint.report.markup import Content, around_holes, document, element, fragment, hole
from tpllint.report.page import contents_of, defects, name_of, page, snippet_listing
from tpllint.report.spool import Spool
from tpllint.report.text import amounts, counted, evidence, place, scope, summary, template_words


class Writer:
    """Gathers a section per target on disk, and the names of those of which nothing is told; writes the page at the end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._totals = Totals()
        self._links = Spool()
        self._sections = Spool()
        self._others = Spool()
        self._told = self._untold = 0

    def add(self, report: Report) -> None:
        """Keep a report."""
        self._totals = self._totals.plus(report.totals)
        for one in report.by_target():
            (result,) = one.targets
            told = list(_told(one, result, f"target-{self._told + 1}"))
            if told:
                self._tell(one, result, told)
            else:
                self._untold += 1
                self._others.write(fragment(element("li", name_of(result.target))))

    def _tell(self, report: Report, result: TargetResult, told: Content) -> None:
        self._told += 1
        heading = f"target-{self._told}"
        self._links.write(fragment(element("li", element("a", name_of(result.target), href=f"#{heading}"))))
        self._sections.write(fragment(_section(report, result, told, heading)))

    def end(self) -> None:
        """Write the page."""
        parts = [(self._links_here(), self._links), (hole(), self._sections), (self._others_here(), self._others)]
        shown = [(part, spool) for part, spool in parts if part is not None]
        contents = [part for part, spool in shown if spool is self._links]
        sections = [part for part, spool in shown if spool is not self._links]
        title = f"{summary(self._totals)} - tpllint check"
        whole = document(page(title, _header(self._totals), contents, sections, _footer()))
        self._pour(around_holes(whole), [spool for _, spool in shown])

    def _pour(self, around: list[str], spools: list[Spool]) -> None:
        """Write the page with what belongs into its holes."""
        self._stream.write(around[0])
        for spool, text in zip(spools, around[1:], strict=True):
            spool.pour(self._stream)
            self._stream.write(text)

    def _links_here(self) -> Element | None:
        return contents_of(hole()) if self._told > 1 else None

    def _others_here(self) -> Element | None:
        if not self._untold:
            return None
        title = element("summary", f"{counted(self._untold, 'target')} of which there is nothing to tell")
        return element("section", element("details", title, element("ul", hole(), class_="names"), class_="fold"))


def write(report: Report, stream: TextIO) -> None:
    """Write one report that is a whole run."""
    writer = Writer(stream)
    writer.add(report)
    writer.end()


def _header(totals: Totals) -> Element:
    verdict = element("strong", amounts(totals), class_=_worst(totals))
    return element("header", element("h1", verdict, f" {scope(totals)}"))


def _worst(totals: Totals) -> str:
    """What a verdict looks like."""
    if totals.errors or totals.failed:
        return "error"
    return "warning" if totals.warnings else "info" if totals.infos else "good"


def _section(report: Report, result: TargetResult, told: Content, heading: str) -> Element:
    counts = amounts(report.totals) if report.findings else None
    return element(
        "section",
        element("h2", name_of(result.target), id=heading),
        element("p", counts, class_="note") if counts else None,
        told,
        aria_labelledby=heading,
    )


def _told(report: Report, result: TargetResult, heading: str) -> Iterator[Element]:
    """All that there is to tell of one target."""
    for note in result.notes:
        yield element("p", f"note: {note}", class_="note")
    if result.error:
        yield from _error(result.error)
    for number, finding in enumerate(report.findings, 1):
        yield finding_article(finding, f"{heading}-{number}")
    yield from defects(report.crashes)
    for _, reason in report.undecided():
        yield element("p", element("strong", "undecided", class_="info"), ": ", element("bdi", reason))


def _error(error: TargetError) -> Iterator[Element]:
    yield element("p", element("strong", "not checked", class_="error"), ": ", element("bdi", error.message))
    yield element("p", f"help: {error.hint}")


def finding_article(finding: Finding, heading: str) -> Element:
    """A finding with the code that it is about."""
    severity = element("strong", str(finding.severity), class_=str(finding.severity))
    where = place(finding.path, finding.span)
    return element(
        "article",
        element("h3", severity, " ", element("code", finding.rule), id=heading),
        element("p", element("bdi", finding.message)),
        element("p", element("code", f"{where}{template_words(finding)}"), class_="note"),
        snippet_listing(finding.snippet, f"code at {where}") if finding.snippet else None,
        (_related(related) for related in finding.related),
        element("dl", *(_fact(name, told) for name, told in evidence(finding)), class_="facts"),
        aria_labelledby=heading,
    )


def _related(related: RelatedPlace) -> Iterator[Element]:
    where = place(related.path, related.span)
    yield element("p", element("code", where), ": ", element("bdi", related.message), class_="note")
    if related.snippet:
        yield snippet_listing(related.snippet, f"code at {where}")


def _fact(name: str, told: str) -> Element:
    """A line of evidence; what is quoted from a prompt is code."""
    shown = element("bdi", told) if name == "help" else element("code", element("bdi", told))
    return element("div", element("dt", name), element("dd", shown))


def _footer() -> Element:
    made = f"tpllint {tpllint.__version__} made this page; "
    return element("footer", element("p", made, element("code", "tpllint explain RULE"), " tells more of a rule."))
