"""Suppression comments, `{# tpllint: ignore[rule] reason #}`: what each names and where it holds. The parent applies them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice
from typing import Any

from tpllint.analysis.template import Template
from tpllint.span import Place

MARK = "tpllint:"
SUPPRESSION = re.compile(r"\s*tpllint:\s*ignore\[([^\[\]]*)\]")
BLANK = re.compile(r"\s*")
MAX_SUPPRESSIONS = 1000
"""In one template; those after them do not hold."""
MAX_WORDS = 50
MAX_SHOWN = 100


def suppressions(template: Template) -> Iterator[dict[str, Any]]:
    """A message for every comment that speaks to tpllint; `words` is None where it is not understood."""
    if MARK not in template.text:
        return
    layout = _Layout(template)
    addressed = ((place, said) for place, said in template.comments if said.lstrip().startswith(MARK))
    for place, said in islice(addressed, MAX_SUPPRESSIONS):
        yield {
            "kind": "suppression",
            "template": template.label,
            "says": said.strip()[:MAX_SHOWN],
            "words": _words(said),
            "whole": place.start < layout.begin,
            "place": layout.lines(place),
            "holds": layout.lines(layout.reach(place)),
        }


def _words(said: str) -> list[str] | None:
    found = SUPPRESSION.match(said)
    words = [word.strip()[:MAX_SHOWN] for word in found[1].split(",") if word.strip()] if found else []
    return words[:MAX_WORDS] or None


class _Layout:
    """What stands behind what in a source, found in one pass: a stranger's template may hold very many comments."""

    def __init__(self, template: Template) -> None:
        self._text = template.text
        self._line_starts = [0, *(found.end() for found in re.finditer("\n", template.text))]
        self._after: dict[int, int] = {}
        for place, _ in reversed(template.comments):
            self._after[place.start] = self._next(place.end)
        self.begin = self._next(0)

    def _next(self, offset: int) -> int:
        """The offset of the first thing from here on that is neither blank nor a comment."""
        found = BLANK.match(self._text, offset)
        at = found.end() if found else offset
        return self._after.get(at, at)

    def reach(self, place: Place) -> Place:
        """Where a comment holds: from its end to the end of the line on which the next thing begins."""
        end = self._text.find("\n", self._next(place.end))
        return Place(place.end, len(self._text) if end < 0 else end)

    def lines(self, place: Place) -> list[int]:
        """A place as line, column, last line and last column."""
        return [number for offset in (place.start, place.end) for number in self._position(offset)]

    def _position(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1
