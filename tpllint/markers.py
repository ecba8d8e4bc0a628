"""Prompts as text: markers in the form of control tokens, headers, and what two texts share."""

from __future__ import annotations

import re

THINKING = re.compile(r"<[^<>\n]{0,40}think[^<>\n]{0,40}>|\[/?think\]", re.IGNORECASE)
"""A marker that opens or closes a model's reasoning; its length is bounded because people search whole rows of data for it."""
PRINTED_AS_PYTHON = re.compile(r"'type': ?'text'")
PRINTED_AS_JSON = re.compile(r'"type": ?"text"')
"""How a list of parts looks that was printed in place of its text."""
CLOSING_MARKER = re.compile(r"\[/\w+\]|</\w+>")
"""A marker that by its form ends what another one opened, as `[/INST]` does; an answer may follow it."""
PLACEHOLDER = re.compile(r"\{{1,4}\s*[A-Za-z_][\w.]*\s*\}{1,4}|%\([A-Za-z_]\w*\)s|\$\{[A-Za-z_]\w*\}")
"""No run in it is without bound where it can begin at each of its characters: that would take quadratic time."""
TORN_MARKER = re.compile(r"[^<\s]*>")
BARE_MARKER = re.compile(r"<[^<>\s]{1,40}>|\[[^\[\]\s]{1,40}\]|\u2329\S{1,40}\u232a|\u3008\S{1,40}\u3009")
MARKER = re.compile(rf"\s*(?:{BARE_MARKER.pattern})")
"""A marker and the blanks before it; to match with. A search for blanks takes quadratic time."""


def begins_with_marker(text: str) -> bool:
    """Whether a text begins, blanks aside, with something in the form of a control token, such as `<|user|>` or `[INST]`."""
    return MARKER.match(text) is not None


def marker_start(text: str, at: int) -> int:
    """`at`, or where the marker begins that `at` would cut in two."""
    start = text.rfind("<", 0, at)
    return start if start >= 0 and ">" not in text[start:at] and MARKER.match(text, start) else at


def first_marker(text: str) -> str | None:
    """The first marker in a text; None where there is none."""
    found = BARE_MARKER.search(text)
    return found[0] if found else None


def before_thinking(text: str) -> str:
    """A header up to where a model's reasoning opens or closes in it; the whole of it where none does."""
    found = THINKING.search(text)
    return text[: found.start()] if found else text


def common_suffix(left: str, right: str) -> int:
    """The length of the longest text that both end with and that begins inside no marker."""
    length = shared(left[::-1], right[::-1])
    torn = TORN_MARKER.match(left[len(left) - length :]) if length else None
    return length - torn.end() if torn else length


def common_prefix(left: str, right: str) -> int:
    """The length of the longest text that both begin with and that ends inside no marker."""
    return marker_start(left, shared(left, right))


def shared(left: str, right: str) -> int:
    """The length of the longest text that both begin with, wherever that ends; found by halves, since prompts may be long."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if left[low:middle] == right[low:middle] else (low, middle - 1)
    return low


def gaps(text: str, words: tuple[str, ...]) -> tuple[str, ...] | None:
    """What stands before, between and after the words in a text; None unless each is there, once, in this order."""
    found, at = [], 0
    for word in words:
        where = text.find(word, at)
        if where < 0 or text.count(word) != 1:
            return None
        found.append(text[at:where])
        at = where + len(word)
    return (*found, text[at:])
