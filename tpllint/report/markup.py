"""HTML of which every text has been escaped, for browsers and for the eyes of their users alike."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import TypeAlias
from xml.etree.ElementTree import Element, tostring

from tpllint.report.escape import escape

BLOCKS = frozenset(
    (
        *("html", "head", "meta", "title", "style", "body", "header", "nav", "main", "section", "article", "footer"),
        *("p", "div", "ul", "li", "dl", "table", "thead", "tbody", "tr", "details", "summary"),
    )
)
"""Elements behind which a line of the file ends."""
HOLE = "hole"
Content: TypeAlias = str | Element | Iterable["Content"] | None


def element(tag: str, *content: Content, **attributes: str) -> Element:
    """An element with these attributes; `class_` and `aria_label` are `class` and `aria-label`.

    Whatever a text holds stays text: neither a browser obeys it, nor can invisible characters reorder what is read.
    """
    named = {name.rstrip("_").replace("_", "-"): escape(value) for name, value in attributes.items()}
    made = Element(tag, named)
    _fill(made, content)
    made.tail = "\n" if tag in BLOCKS else None
    return made


def _fill(parent: Element, content: Iterable[Content]) -> None:
    for part in content:
        if isinstance(part, str):
            _write(parent, escape(part))
        elif isinstance(part, Element):
            parent.append(part)
        elif part is not None:
            _fill(parent, part)


def _write(parent: Element, text: str) -> None:
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text


def style(css: str) -> Element:
    """The one style of a page: no text of a stranger is in it."""
    made = Element("style")
    made.text, made.tail = css, "\n"
    return made


def source_of(css: str) -> str:
    """What a content policy calls a style by."""
    import hashlib  # loads OpenSSL

    return f"'sha256-{base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()}'"


def fragment(part: Element) -> str:
    """A part of a page as it is written: in ASCII, so that it survives every stream and terminal."""
    written: bytes = tostring(part, encoding="us-ascii", method="html")
    return written.decode("ascii")


def document(root: Element) -> str:
    """A page as it is written."""
    return "<!DOCTYPE html>\n" + fragment(root)


def hole() -> Element:
    """Stands in a page where fragments go that were written before it."""
    return Element(HOLE)


def around_holes(page: str) -> list[str]:
    """What is written before, between and behind the holes of a page; no text of a stranger is a tag."""
    return page.split(f"<{HOLE}></{HOLE}>")
