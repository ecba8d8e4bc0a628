"""Markdown in which nothing of a stranger means anything: no link, no mention of anybody, no picture, no HTML comes of it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tpllint.report.escape import escape

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#!|~&$@])")
"""What may mean something to a reader of Markdown within a line."""


def cell(text: str) -> str:
    """Words of our own, in which nothing means anything to a reader of Markdown.

    A stranger's words go into `code`: what GitHub makes of names and addresses, no backslash prevents.
    """
    return SPECIAL.sub(r"\\\1", escape(text))


def code(text: str, limit: int | None = None) -> str:
    """A stranger's text, in the form of code; with `limit`, at most that many characters of it."""
    shown = escape(text, limit)
    if not shown.strip():
        return ""
    fence = "`" * (max([0, *map(len, re.findall("`+", shown))]) + 1)
    return f"{fence} {shown} {fence}" if shown[0] in "` " or shown[-1] in "` " else f"{fence}{shown}{fence}"


def fenced(language: str, lines: Iterable[str]) -> str:
    """A block of code behind a fence that no line in it closes."""
    body = "\n".join(lines)
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`{3,}", body))])
    return f"{fence}{language}\n{body}\n{fence}\n"


def in_table(text: str) -> str:
    """Code in a table, whose columns end at any bar, and to some readers also at one behind two backslashes."""
    return code(text.replace("\\|", "\\u{5c}|")).replace("|", "\\|")


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; what stands in it is Markdown already."""
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
