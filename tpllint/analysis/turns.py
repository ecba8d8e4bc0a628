"""Turns as brackets: the markers that open and close one, learnt from a plain chat, and prompts in which they disagree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from tpllint.markers import BARE_MARKER

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

TAG = re.compile(r"<(/?)(\w+)>")


class TurnMarkers(NamedTuple):
    """What opens and what closes the turns of users and assistants; `known` are all markers in and around those turns.

    `header_with_question` tells that the answer's opener follows a question even where none is asked for.
    """

    openers: frozenset[str]
    closers: frozenset[str]
    known: frozenset[str]
    header_with_question: bool


class Imbalance(NamedTuple):
    """Two openers or two closers with nothing between them that could be their counterpart.

    `second` is where the later one stands in the prompt, `first` the earlier one: None where nothing came before.
    """

    closed: bool
    marker: str
    first: tuple[int, int] | None
    second: tuple[int, int]


def turn_markers(template: Template) -> TurnMarkers | None:
    """The markers that bracket both a user's and an assistant's turn; None where one of the four is missing or ambiguous."""
    gaps, anatomy = template.anatomy.gaps("user-assistant-user"), template.anatomy
    if gaps is None or anatomy.user_end is None or anatomy.assistant_end is None:
        return None
    to_assistant, to_user = _words(gaps[1]), _words(gaps[2])
    closes_answer = _shared(_words(anatomy.assistant_end), to_user)
    closes_question = _shared(_words(anatomy.user_end), to_assistant)
    header_with_question = closes_question == to_assistant
    if header_with_question:
        closes_question = [word for word in to_assistant[:1] if word in closes_answer]
    opens_answer, opens_question = to_assistant[len(closes_question) :], to_user[len(closes_answer) :]
    if not (closes_answer and closes_question and opens_answer and opens_question):
        return None
    common = [word for word in closes_answer if word in closes_question]
    closers = frozenset(common[:1] or (closes_answer[-1], closes_question[-1]))
    openers = frozenset((opens_answer[0], opens_question[0]))
    found = TurnMarkers(openers, closers, frozenset((*to_assistant, *to_user)), header_with_question)
    alternates = imbalance(gaps[1] + gaps[2], found) is None and not found.openers & closers
    return found if alternates else None


def imbalance(text: str, turns: TurnMarkers) -> Imbalance | None:
    """The first place where a prompt opens a turn inside a turn, or closes one that is not open.

    Where a marker that no turn of the plain chat has stands between the two, it may be their counterpart: undecided.
    """
    opened, unsure, before = False, True, None
    for start, end, word in _markers(_without_elements(text)):
        if word not in turns.openers and word not in turns.closers:
            unsure = unsure or word not in turns.known
            continue
        closes = word in turns.closers
        if closes is not opened and not unsure:
            return Imbalance(closes, word, before, (start, end))
        opened, unsure, before = not closes, False, (start, end)
    return None


def _without_elements(text: str) -> str:
    """The text with blanks for what stands between a pair of tags, such as a tool's result: it opens and closes itself."""
    opened: dict[str, int] = {}
    elements: list[tuple[int, int]] = []
    for tag in TAG.finditer(text):
        if not tag[1]:
            opened[tag[2]] = tag.start()
        elif tag[2] in opened:
            start = opened.pop(tag[2])
            elements = [element for element in elements if element[0] < start]  # those inside of it go with it
            elements.append((start, tag.end()))
    kept, at = [], 0
    for start, end in elements:
        if start >= at:
            kept += [text[at:start], " " * (end - start)]
            at = end
    return "".join([*kept, text[at:]])


def _markers(text: str) -> Iterator[tuple[int, int, str]]:
    for found in BARE_MARKER.finditer(text):
        yield found.start(), found.end(), found[0]


def _words(text: str) -> list[str]:
    return [word for _, _, word in _markers(text)]


def _shared(left: list[str], right: list[str]) -> list[str]:
    return [word for word, _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False))]
