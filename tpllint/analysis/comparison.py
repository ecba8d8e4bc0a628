"""Two templates of one model, compared by what they render."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tpllint.analysis.renders import Render, error_text
from tpllint.analysis.template import Template
from tpllint.conversations import Conversation, canonical
from tpllint.markers import common_prefix, common_suffix
from tpllint.quoting import quoted

LONGEST_WORD = 40
LAST_WORD = re.compile(r"(?:<[^<\s]*|[^<\s]+)\s*$")
FIRST_WORD = re.compile(r"\s*(?:[^>\s]*>|[^>\s]+)")


def first_difference(left: Template, right: Template) -> tuple[Render, Render] | None:
    """Both renders of the first canonical conversation of which a caller gets something else; None where there is none.

    A conversation that both refuse is no difference, whatever the words. A limit that ends a render of `left` ends it all.
    """
    if left.text == right.text:
        return None
    for conversation in _conversations(left, right):
        for generation_prompt in (True, False):
            render = left.render_conversation(conversation, generation_prompt=generation_prompt)
            if render.limited:
                return None  # the time is better spent on what else there is
            other = right.render_conversation(conversation, generation_prompt=generation_prompt)
            if render.text != other.text and not other.limited:
                return render, other
    return None


def parted(left: Render, right: Render) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where two prompts part from each other, as offsets into each: between what both begin and what both end with.

    Where only one of them has something there, the word or marker before it, or else behind it, is taken in.
    """
    first, second = left.text or "", right.text or ""
    start = common_prefix(first, second)
    kept = common_suffix(first[start:], second[start:])
    if start + kept in (len(first), len(second)):
        start, kept = (
            (start - _last_word(first[:start]), kept) if start else (0, kept - _first_word(first[len(first) - kept :]))
        )
    return (start, len(first) - kept), (start, len(second) - kept)


def _last_word(text: str) -> int:
    """The length of the word or marker that a text ends with."""
    return len(next(iter(LAST_WORD.findall(text[-LONGEST_WORD:])), ""))


def _first_word(text: str) -> int:
    found = FIRST_WORD.match(text[:LONGEST_WORD])
    return found.end() if found else 0


def in_words(render: Render, span: tuple[int, int]) -> str:
    """What a caller gets of a conversation at such a place: `gives "<|im_end|>"`, or how it is refused."""
    if render.error is not None:
        return f"raises {quoted(error_text(render.error))}"
    written = (render.text or "")[slice(*span)]
    return f"gives {quoted(written)}" if written else "gives nothing there"


def _conversations(left: Template, right: Template) -> Iterator[Conversation]:
    plain = tuple(canonical().values())
    yield from plain
    if left.anatomy.reads_parts_only or right.anatomy.reads_parts_only:
        yield from (conversation.in_parts() for conversation in plain)
