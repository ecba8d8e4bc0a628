"""A page as a parser reads it."""

from __future__ import annotations

from html.parser import HTMLParser

import html5lib

VOID = {"meta"}
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "header", "nav", "main", "section", "article", "footer", "h1", "h2"),
    *("h3", "p", "div", "span", "a", "ul", "li", "dl", "dt", "dd", "table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("details", "summary", "mark", "b", "i", "strong", "code", "bdi"),
}


class Page(HTMLParser):
    """What a parser makes of a page: its elements with their attributes and texts; one with an error in it raises."""

    def __init__(self, source: str) -> None:
        html5lib.HTMLParser(strict=True).parse(source)
        super().__init__()
        self.source = source
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of this name."""
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, tag: str | None = None) -> str:
        """All that is read on the page, or directly in elements of this name."""
        return "".join(text for name, text in self.texts if name == tag or (tag is None and name != "style"))
