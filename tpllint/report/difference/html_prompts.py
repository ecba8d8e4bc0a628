"""The prompts of a diff as HTML: both sides beside each other, and the code that wrote what differs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from xml.etree.ElementTree import Element

from tpllint.conversations import IN_PARTS, canonical
from tpllint.difference.diff import Diff
from tpllint.difference.examples import Example
from tpllint.difference.outcomes import Compared, Status
from tpllint.difference.shown import Code, Shown, Traced
from tpllint.report.difference.side_by_side import Block, Cut, Line, Part, blocks, cut, lines_of, segments
from tpllint.report.difference.words import alike_words, prompts_title, raised, title, turn_words
from tpllint.report.escape import escape
from tpllint.report.markup import Content, element
from tpllint.report.page import LONGEST_NAME, snippet_listing
from tpllint.report.prompt import BLANKS, CONTROL, UNICODE
from tpllint.report.text import counted, place

MOST_CHARACTERS = 20_000
"""Of a prompt, on each side; the JSON has all of both."""
MOST_PROMPTS = 200
"""Conversations beside the examples of which the prompts are shown; of the rest, the names are."""
MOST_IN_ALL = 1_000_000
"""Characters of their prompts, both sides together."""
MOST_NAMES = 2000
MOST_CODES = 4
CONTEXT = 3
"""Lines around what differs that are never folded."""
FEWEST_FOLDED = 4
FIRST_LINES = 12
"""Of a prompt that only one side has, before it is folded."""
NOTABLE = re.compile(f"(?P<special>{CONTROL})|{BLANKS}")
NOTABLE_ALIGNED = re.compile(rf"(?P<special>{CONTROL}|\{{/?[a-z]{{1,20}}\}})|{BLANKS}")
"""With the markers of turns as `dialects.aligned` writes them."""


def changed(diff: Diff) -> Iterator[Element]:
    """The section about the conversations that changed; none where none did."""
    if not diff.changed:
        return
    articles = diff.shown[: _fitting([one.example.compared for one in diff.shown])]
    shown = {one.example.compared.key for one in articles}
    first = [one.compared for one in diff.examples if one.compared.key not in shown]
    told = shown | {compared.key for compared in first}
    rest = [*first, *sorted((each for each in diff.changed if each.key not in told), key=_is_canonical)]
    yield element(
        "section",
        element("h2", "What changed", id="changed"),
        element("p", prompts_title(diff)),
        (_article(one, diff, number) for number, one in enumerate(articles, 1)),
        _remaining(rest, len(first), diff),
        aria_labelledby="changed",
    )


def _is_canonical(compared: Compared) -> bool:
    """Whether every two templates are given it; the user's own and what was made for these two come first."""
    return compared.name.removesuffix(IN_PARTS) in canonical()


def _article(shown: Shown, diff: Diff, number: int) -> Element:
    heading = f"example-{number}"
    found = shown.example
    notes = [note for note in (alike_words(found).lstrip("; "), _aligned_words(found)) if note]
    return element(
        "article",
        element("h3", title(found.compared, diff), id=heading),
        [element("p", "; ".join(notes), class_="note")] if notes else None,
        _prompts(found, diff),
        _codes(shown),
        _tokens(shown),
        _as_they_are(found, diff),
        aria_labelledby=heading,
    )


def _aligned_words(found: Example) -> str:
    return "with the markers of both written as what they are for" if found.is_aligned else ""


def _as_they_are(found: Example, diff: Diff) -> Iterator[Element]:
    """The prompts themselves below those with other markers."""
    if found.is_aligned:
        yield element("details", element("summary", "both prompts as they are"), _prompts(diff.as_it_is(found.compared), diff))


def _remaining(rest: Sequence[Compared], new: int, diff: Diff) -> Iterator[Element]:
    if not rest:
        return
    yield element(
        "h3", f"{counted(len(rest), 'further prompt')} that {'differs' if len(rest) == 1 else 'differ'}", id="further"
    )
    if new:
        yield element("p", f"The first {new} of them show changes that no example above shows.", class_="note")
    deeper = {compared.key for compared in diff.deeper}
    whole = _fitting(rest)
    for compared in rest[:whole]:
        what = _what(compared, dialect=compared.key not in deeper)
        summary = element("summary", title(compared, diff), " ", element("span", what, class_="note"))
        yield element("details", summary, _prompts(diff.as_it_is(compared), diff), class_="prompt")
    if len(rest) > whole:
        yield element("p", f"Of the other {len(rest) - whole} these are the names; the JSON report has all prompts.")
        yield names(rest[whole:], diff)


def _fitting(rest: Sequence[Compared]) -> int:
    """How many of the conversations are shown with their prompts, so that a browser can still hold the page."""
    sizes = (sum(min(len(side.text or ""), MOST_CHARACTERS) for side in (each.left, each.right)) for each in rest)
    return min(sum(1 for size in itertools.accumulate(sizes) if size <= MOST_IN_ALL), MOST_PROMPTS)


def _what(compared: Compared, *, dialect: bool) -> str:
    if compared.status is Status.DIFFERENT:
        return "only markers of turns" if dialect else ""
    return "the left raises" if compared.status is Status.LEFT_RAISES else "the right raises"


def names(found: Sequence[Compared], diff: Diff) -> Element:
    """The names of conversations as a list."""
    more = len(found) - MOST_NAMES
    return element(
        "ul",
        (element("li", title(compared, diff)) for compared in found[:MOST_NAMES]),
        [element("li", f"and {more} more")] if more > 0 else None,
        class_="names",
    )


def _prompts(found: Example, diff: Diff) -> Iterator[Element]:
    """Both prompts of a conversation, or one and the words in which the other side refuses."""
    if found.compared.status is Status.DIFFERENT:
        yield from _both(found, diff)
        return
    yield element("p", raised(found.compared))
    left_raises = found.compared.status is Status.LEFT_RAISES
    text = (found.right if left_raises else found.left).text
    where = "on the left" if left_raises else "on the right"
    refusal = element("div", element("p", f"no prompt {where}"), class_="cell refusal")
    prompt = element("div", _one(text), class_="cell")
    cells = (refusal, prompt) if left_raises else (prompt, refusal)
    yield element("div", _sides(diff), element("div", *cells, class_="block"), class_="pair")
    yield from _left_out(Cut((), 0, *_beyond(text, left_raises)))


def _beyond(text: str, left_raises: bool) -> tuple[int, int]:
    left_out = max(len(text) - MOST_CHARACTERS, 0)
    return (0, left_out) if left_raises else (left_out, 0)


def _one(text: str) -> Iterator[Element]:
    """A prompt that only one side has."""
    lines = lines_of(text[:MOST_CHARACTERS])
    first = lines if len(lines) < FIRST_LINES + FEWEST_FOLDED else lines[:FIRST_LINES]
    yield from _lines(first, NOTABLE)
    if first != lines:
        summary = element("summary", f"{len(lines) - len(first)} further lines")
        yield element("details", summary, _lines(lines[len(first) :], NOTABLE), class_="fold")


def _both(found: Example, diff: Diff) -> Iterator[Element]:
    shown = cut(list(segments(found)), MOST_CHARACTERS)
    notable = NOTABLE_ALIGNED if found.is_aligned else NOTABLE
    every = list(blocks(shown.segments))
    if shown.before:
        yield element("p", f"{shown.before} characters before this, alike on both sides, are left out", class_="cut")
    body = (
        _block(block, notable, before=index > 0, after=index < len(every) - 1) if block.same else [_pair(block, notable)]
        for index, block in enumerate(every)
    )
    yield element("div", _sides(diff), *body, class_="pair")
    yield from _left_out(shown)


def _left_out(shown: Cut) -> Iterator[Element]:
    told = ((shown.after_left, "on the left"), (shown.after_right, "on the right"))
    parts = [f"{number} {where}" for number, where in told if number]
    if parts:
        words = f"shown are {MOST_CHARACTERS} characters of a prompt at most; left out below this: {', '.join(parts)}"
        yield element("p", words, class_="cut")


def _sides(diff: Diff) -> Element:
    both = (("left", diff.left), ("right", diff.right))
    cells = (element("div", element("b", side), " ", _name(name), class_=f"cell {side}") for side, name in both)
    return element("div", *cells, class_="sides")


def _name(name: str) -> Element:
    return element("bdi", escape(name, LONGEST_NAME))


def _block(block: Block, notable: re.Pattern[str], *, before: bool, after: bool) -> Iterator[Element]:
    """Lines that both sides share, folded where they are many and no difference is near."""
    lines = block.left
    start = CONTEXT if before else 0
    end = len(lines) - (CONTEXT if after else 0)
    if end - start < FEWEST_FOLDED:
        yield _pair(block, notable)
        return
    if start:
        yield _pair(_shared(lines[:start]), notable)
    summary = element("summary", f"{end - start} lines alike")
    yield element("details", summary, _pair(_shared(lines[start:end]), notable), class_="fold")
    if end < len(lines):
        yield _pair(_shared(lines[end:]), notable)


def _shared(lines: tuple[Line, ...]) -> Block:
    return Block(True, lines, lines)


def _pair(block: Block, notable: re.Pattern[str]) -> Element:
    left, right = (list(_lines(lines, notable)) for lines in (block.left, block.right))
    if block.same:  # whoever listens to the page hears them once
        beside = element("div", *right, class_="cell again", aria_hidden="true")
        return element("div", element("div", *left, class_="cell"), beside, class_="block")
    kinds = (("left", left), ("right", right))
    cells = (element("div", *lines, class_=f"cell {kind}" if lines else "cell nothing") for kind, lines in kinds)
    return element("div", *cells, class_="block differs")


def _lines(lines: Iterable[Line], notable: re.Pattern[str]) -> Iterator[Element]:
    for line in lines:
        yield element("div", *(_part(part, notable) for part in line), class_="line")


def _part(part: Part, notable: re.Pattern[str]) -> Content:
    if not part.differs:
        return _words(part.text, notable)
    return element("mark", _words(part.text, notable)) if part.text else element("mark", class_="gap")


def _words(text: str, notable: re.Pattern[str]) -> Iterator[Content]:
    """A text with everything visible in it that is easily overlooked."""
    at = 0
    for found in notable.finditer(text):
        yield from _plain(text[at : found.start()])
        if found["special"]:
            yield element("b", UNICODE.shown(found[0]))
        else:
            yield element("i", UNICODE.marked(found[0]))
        at = found.end()
    yield from _plain(text[at:])


def _plain(text: str) -> Iterator[Content]:
    """A text in which characters that nobody would see are numbers, and told from a text that only looks like this."""
    if not text or UNICODE.escaped(text) == text:
        yield text
        return
    for hidden, characters in itertools.groupby(text, lambda one: UNICODE.escaped(one) != one):
        shown = UNICODE.escaped("".join(characters))
        yield element("i", shown, class_="hidden") if hidden else shown


def _codes(shown: Shown) -> Iterator[Element]:
    """The code that wrote what differs, below its side."""
    sides = [(name, _distinct(traced)) for name, traced in (("left", shown.left), ("right", shown.right))]
    if any(codes for _, codes in sides):
        yield element("div", *(element("div", *_places(name, codes), class_="cell") for name, codes in sides), class_="codes")


def _distinct(traced: Traced | None) -> list[Code]:
    return [found for found in dict.fromkeys(traced.codes) if found] if traced else []


def _places(side: str, codes: Sequence[Code]) -> Iterator[Element]:
    if codes:
        yield element("p", f"written on the {side} by", class_="note")
    for found in codes[:MOST_CODES]:
        yield from _code(side, found)
    if len(codes) > MOST_CODES:
        summary = element("summary", f"and by {counted(len(codes) - MOST_CODES, 'other place')}")
        yield element("details", summary, *(_code(side, found) for found in codes[MOST_CODES:]))


def _code(side: str, found: Code) -> Iterator[Element]:
    where = place(found.path, found.span)
    yield element("p", element("code", where))
    if found.snippet is None:
        return
    yield snippet_listing(found.snippet, f"code on the {side}, {where}")


def _tokens(shown: Shown) -> Iterator[Element]:
    known = [(name, each) for name, each in (("left", shown.left), ("right", shown.right)) if each and each.turns is not None]
    if known:
        yield element("ul", *(element("li", f"{name}: {turn_words(each)}") for name, each in known), class_="tokens")
