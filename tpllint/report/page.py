"""What the pages of tpllint share: their head with a strict policy, their style, their frame, and how code stands in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.resources import files
from xml.etree.ElementTree import Element

from tpllint.finding import Crash
from tpllint.report.escape import code, escape
from tpllint.report.markup import Content, element, source_of, style
from tpllint.report.text import CUT, crash_text
from tpllint.snippet import Excerpt, Snippet

STYLE = "page.css"
POLICY = "default-src 'none'; style-src {style}; base-uri 'none'; form-action 'none'"
LONGEST_NAME = 200


def page(title: str, header: Element, contents: Content, sections: Content, footer: Element) -> Element:
    """A whole page; nothing is loaded, nothing runs, and the sections come first to whoever skips the header."""
    body = element(
        "body",
        element("a", "Skip to what was found", class_="skip", href="#found"),
        header,
        contents,
        element("main", sections, id="found", tabindex="-1"),
        footer,
    )
    return element("html", _head(title), body, lang="en")


def _head(title: str) -> Element:
    css = files(__package__).joinpath(STYLE).read_text(encoding="ascii")
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY.format(style=source_of(css))),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        style(css),
    )


def contents_of(links: Content) -> Element:
    """The list of links to the sections of a page."""
    return element("nav", element("ul", links), aria_label="Sections")


def name_of(text: str) -> Element:
    """A name that somebody else chose."""
    return element("code", element("bdi", escape(text, LONGEST_NAME)))


def listing(label: str, *rows: Content) -> Element:
    """Lines of code, which scroll sideways where they are long."""
    return element("div", *rows, class_="code", tabindex="0", role="group", aria_label=label)


def row(*content: Content) -> Element:
    """One line of a listing."""
    return element("div", *content, class_="row")


def snippet_listing(snippet: Snippet, label: str) -> Element:
    """The lines of a place, marked."""
    rows = [_excerpt(line) for line in snippet.lines]
    if snippet.last_line > snippet.lines[-1].line:
        rows.append(row(f"{CUT} to line {snippet.last_line}"))
    return listing(label, *rows)


def _excerpt(line: Excerpt) -> Element:
    marked = element("mark", code(line.marked)) if line.marked else element("mark", class_="gap")
    before, after = (CUT if line.cut_before else ""), (CUT if line.cut_after else "")
    number = element("span", str(line.line), class_="number")
    return row(number, " ", before + code(line.before), marked, code(line.after) + after)


def defects(crashes: Iterable[Crash]) -> Iterator[Element]:
    """The rules that raised: a defect is never passed over."""
    lines = [line for crash in crashes for line in crash_text(crash, False).splitlines()]
    if lines:
        yield listing("what failed", *map(row, lines))
