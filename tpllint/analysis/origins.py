"""Which message each part of a prompt came from."""

from __future__ import annotations

import json
import re
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

from tpllint.analysis.markers import THINKING
from tpllint.job import Origin

MAX_SEARCHED = 1_000_000_000
"""How many characters are looked through in all: the longest texts are looked for first."""
MAX_PLACES = 1000
"""A text that is found more often than this says nothing about where it came from."""
MAX_TEXTS = 2000
"""How many texts are looked for, the longest ones."""
TELLING = 12
"""A text of this length that only one message says comes from it wherever it is found, also a second time."""
MAX_DEPTH = 20
"""How deep in a message a text is looked for."""
WHOLE_DEPTH = 3
"""How deep in a message an object may be written as JSON: a list of tool calls, a call, its function, the arguments."""
NOT_TEXT = frozenset(("role", "type"))
"""Keys of a message whose values name kinds: a template writes its own words for them."""
WAYS_OF_JSON: tuple[dict[str, Any], ...] = ({}, {"separators": (",", ":")}, {"indent": 2}, {"indent": 4})
PIECES = re.compile(rf"\n+|{THINKING.pattern}", re.IGNORECASE)
"""What a template cuts a message's text at, when it does not write it whole."""


@dataclass(frozen=True)
class _Text:
    """Something a message says, in the forms in which a template may write it, and the blanks that may stay around it."""

    message: int
    forms: tuple[str, ...]
    before: str = ""
    after: str = ""


def origins(text: str, messages: Sequence[Mapping[str, Any]], elsewhere: str = "") -> tuple[Origin, ...]:
    """The prompt as a sequence of spans without gaps, each from one message or from none.

    `elsewhere` is what else may have put a text into the prompt: the template's source, tools, documents, variables.

    A span names a message only where its text is found in the prompt and does not seem to come from anywhere else: nothing else
    says it, or it stands between what was found of the messages around it, as often as it is said there. Everything else has no
    message: the template's own words, special tokens, tools, documents, and what a template rewrote beyond recognition or what
    could not be told apart.
    """
    found = _Prompt(text)
    roles = {message.get("role") for message in messages if isinstance(message.get("role"), str)}
    texts = (said for index, message in enumerate(messages) for said in _texts(index, message))
    said = [said for said in texts if said.forms and said.forms[0] not in roles]  # a header says the same
    missing = _place_unique(found, said, elsewhere)
    pieces = [piece for said in missing if not found.has(said) for piece in _pieces(said)]
    _place_between(found, [*missing, *_place_unique(found, pieces, elsewhere)])
    return tuple(found.origins())


def _texts(index: int, message: Mapping[str, Any]) -> Iterator[_Text]:
    """The texts of a message, from the whole of a tool call down to each of its values."""
    for key, value in message.items():
        if key in NOT_TEXT:
            continue
        for leaf in _leaves(value, 0):
            yield _string(index, leaf) if isinstance(leaf, str) else _object(index, leaf)


def _leaves(value: Any, depth: int) -> Iterator[Any]:
    if isinstance(value, str):
        yield value
    elif depth == MAX_DEPTH:
        return
    elif isinstance(value, dict):
        if depth <= WHOLE_DEPTH:
            yield value
        yield from (leaf for key, inner in value.items() if key not in NOT_TEXT for leaf in _leaves(inner, depth + 1))
    elif isinstance(value, list):
        yield from (leaf for inner in value for leaf in _leaves(inner, depth + 1))


def _string(message: int, value: str) -> _Text:
    bare = value.strip()
    at = value.index(bare)
    in_json = (json.dumps(value, ensure_ascii=ascii)[1:-1] for ascii in (False, True))
    forms = tuple(dict.fromkeys((bare, *in_json))) if bare else ()
    return _Text(message, forms, value[:at], value[at + len(bare) :])


def _object(message: int, value: dict[str, Any]) -> _Text:
    forms = (json.dumps(value, ensure_ascii=False, **way) for way in WAYS_OF_JSON) if value else ()
    return _Text(message, tuple(dict.fromkeys(forms)))


def _pieces(said: _Text) -> Iterator[_Text]:
    """The lines of a text that is nowhere to be found whole."""
    parts = [part.strip() for part in PIECES.split(said.forms[0]) if part.strip()]
    if len(parts) > 1:
        yield from (_Text(said.message, (part,)) for part in parts)


def _alike(texts: Sequence[_Text]) -> Iterator[list[_Text]]:
    """The texts in groups that say the same, the longest first: a shorter one may be a part of a longer one."""
    ordered = sorted(texts, key=lambda said: (-len(said.forms[0]), said.forms[0], said.message))
    for _, group in groupby(ordered[:MAX_TEXTS], key=lambda said: said.forms[0]):
        yield list(group)


def _place_unique(found: _Prompt, texts: Sequence[_Text], elsewhere: str) -> list[_Text]:
    """Place what only one message says and what is found once; the rest is returned."""
    rest = []
    for group in _alike(texts):
        (form, places), alone = found.places(group[0]), len(group) == 1 and group[0].forms[0] not in elsewhere
        if alone and (len(places) == 1 or (places and len(form) >= TELLING)):
            for place in places:
                found.take(group[0], form, place)
        else:
            rest += group
    return rest


def _place_between(found: _Prompt, texts: Sequence[_Text]) -> None:
    """Place what is found, between the messages before and after its own, as often as messages there say it."""
    for group in _alike(texts):
        group = [said for said in group if not found.has(said)]
        within = [found.places(said, *found.window(said.message)) for said in group]
        everywhere = sorted({place for _, places in within for place in places})
        if len(everywhere) == len(group) and all(
            place in places for place, (_, places) in zip(everywhere, within, strict=True)
        ):
            for said, (form, _), place in zip(group, within, everywhere, strict=True):
                found.take(said, form, place)


class _Prompt:
    """A prompt, and the spans in it whose message is known."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._left = MAX_SEARCHED
        self._spans: list[tuple[int, int, int]] = []
        self._known: dict[int, list[str]] = {}

    def take(self, said: _Text, form: str, at: int) -> None:
        """The text stands here, in this form, with the blanks around it that the template left."""
        start, end = at, at + len(form)
        first, last = start - len(said.before), end + len(said.after)
        if first >= 0 and self.text[first:start] == said.before and self._taken_until(first, start) is None:
            start = first
        if self.text[end:last] == said.after and self._taken_until(end, last) is None:
            end = last
        insort(self._spans, (start, end, said.message))
        self._known.setdefault(said.message, []).append(form)

    def has(self, said: _Text) -> bool:
        """Whether the text is a part of one of its message that has its place, as a value in a tool call is."""
        known = self._known.get(said.message, ())
        return any(form in whole for form in said.forms for whole in known)

    def window(self, message: int) -> tuple[int, int]:
        """Where a message can stand, if messages are written in their order: between what is known of the others."""
        before = [end for _, end, other in self._spans if other < message]
        after = [start for start, _, other in self._spans if other > message]
        start, end = max(before, default=0), min(after, default=len(self.text))
        return (start, end) if start <= end else (0, 0)

    def origins(self) -> Iterator[Origin]:
        """The spans, and what lies between them."""
        at = 0
        for start, end, message in self._spans:
            if at < start:
                yield Origin(at, start, None)
            yield Origin(start, end, message)
            at = end
        if at < len(self.text):
            yield Origin(at, len(self.text), None)

    def places(self, said: _Text, start: int = 0, end: int | None = None) -> tuple[str, list[int]]:
        """The first form in which a text is found, and where: as words of its own, or else at all."""
        if self.has(said):
            return "", []
        for form in said.forms:
            if places := self._places(form, start, len(self.text) if end is None else end):
                return form, places
        return "", []

    def _places(self, form: str, start: int, end: int) -> list[int]:
        self._left -= end - start
        if self._left < 0:
            return []
        found = list(islice(self._free(form, start, end), MAX_PLACES))
        if len(found) == MAX_PLACES:
            return []
        return [at for at in found if self._is_whole(at, at + len(form))] or found

    def _free(self, form: str, start: int, end: int) -> Iterator[int]:
        """Where a text stands and nothing is taken."""
        at = self.text.find(form, start, end)
        while at >= 0:
            taken = self._taken_until(at, at + len(form))
            if taken is None:
                yield at
                taken = at + len(form)
            at = self.text.find(form, taken, end)

    def _taken_until(self, start: int, end: int) -> int | None:
        """The end of a known span that overlaps these characters, None where there is none."""
        after = bisect_left(self._spans, (end,))
        if after and self._spans[after - 1][1] > start:
            return self._spans[after - 1][1]
        return None

    def _is_whole(self, start: int, end: int) -> bool:
        """Whether no word is cut in two at either end."""
        cuts = ((start - 1, start), (end - 1, end))
        inside = (pair for pair in cuts if pair[0] >= 0 and pair[1] < len(self.text))
        return not any(self.text[left].isalnum() and self.text[right].isalnum() for left, right in inside)
