"""Exact source offsets for Jinja's tokens.

Jinja's tokens carry line numbers only and do not concatenate back to the source: whitespace control drops text. What is
dropped is always whitespace, so walking forward through the source finds every token's offset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2.exceptions import TemplateSyntaxError
from jinja2.lexer import Lexer

from tpllint.span import NEWLINE, Place, Position, offset_at

AT_OFFSET = re.compile(r" at \d+$")
"""Jinja's lexer tells an offset in its message, which means nothing to a reader."""


class LexicalError(TemplateSyntaxError):
    """The source cannot be cut into tokens; its `lineno` is an offset plus one, like that of every other error."""


def normalised(source: str) -> str:
    """The source as Jinja's lexer reads it: line ends are line feeds and one trailing newline is gone."""
    text = NEWLINE.sub("\n", source)
    return text.removesuffix("\n")


def raw_tokens(lexer: Lexer, source: str) -> Iterator[tuple[int, str, str]]:
    """Offset into `normalised(source)`, kind and text of every raw token. Raises LexicalError."""
    text, at = normalised(source), 0
    try:
        for _, kind, value in lexer.tokeniter(source, None):
            start = _find(text, value, at)
            at = start + len(value)
            yield start, kind, value
    except TemplateSyntaxError as error:
        offset = max(at, offset_at(text, Position(error.lineno, 1)))
        raise LexicalError(AT_OFFSET.sub("", error.message or ""), min(offset, max(len(text) - 1, 0)) + 1) from error


def comments(lexer: Lexer, source: str) -> Iterator[tuple[Place, str]]:
    """Where every comment stands, from `{#` to `#}`, and what it says between them. Raises LexicalError."""
    start, said = 0, ""
    for at, kind, value in raw_tokens(lexer, source):
        if kind == "comment_begin":
            start, said = at, ""
        elif kind == "comment":
            said = value
        elif kind == "comment_end":
            yield Place(start, at + len(value.rstrip())), said


def _find(text: str, value: str, start: int) -> int:
    at = start
    while not text.startswith(value, at):
        if at >= len(text) or not text[at].isspace():
            return start  # not seen on any template; a place that is slightly off beats a crash
        at += 1
    return at
