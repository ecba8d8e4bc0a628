"""What a reader of a text does not see: characters without a shape, and letters that pass for others.

Scripts whose letters join, emoji and texts written from right to left need some of these characters. They are left alone
where they do that work, and nowhere else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

_CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f"
_LINE_ENDS = "\x85\u2028\u2029"
_BIDI = "\u202a-\u202e\u2066-\u2069"
_MARKS = "\u200e\u200f\u061c"
_ZERO_WIDTH = "\u200b-\u200d\u2060\ufeff"
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_TAGS = "\U000e0000-\U000e007f"
_FILLERS = (
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2061-\u2065\u206a-\u206f\u3164\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0080-\U000e00ff\U000e01f0-\U000e0fff"
)
KINDS = {
    "tag character": _TAGS,
    "bidirectional control": _BIDI + _MARKS,
    "zero-width character": _ZERO_WIDTH,
    "variation selector": _SELECTORS,
    "control character": _CONTROLS,
    "line separator": _LINE_ENDS,
    "invisible character": _FILLERS,
}
_KIND = {kind: re.compile(f"[{characters}]") for kind, characters in KINDS.items()}
_RUN = re.compile(f"[{''.join(KINDS.values())}]+")
_VISIBLE = bytes((9, 10, 13, *range(32, 127)))
"""The ASCII characters that everybody sees, and blanks."""

_EMOJI = re.compile("[\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff]")
_KEYCAP = re.compile("[#*0-9]")
_JOINING = re.compile(
    "[\u0600-\u07ff\u0840-\u086f\u08a0-\u0dff\u0f00-\u109f\u1780-\u18af\u1b00-\u1c4f"
    "\ua800-\ua95f\uaa60-\uaa7f\uabc0-\uabff\ufb50-\ufdff\ufe70-\ufefc\U00010d00-\U0001abff]"
)
"""Scripts whose letters change shape beside others: Arabic, Syriac, those of India, Tibetan, Burmese, Khmer, Mongolian."""
_WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u3040-\u30ff]")
_IDEOGRAPH = re.compile("[\u1800-\u18af\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u2200-\u22ff]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_FLAG = re.compile("[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
_NEAR = 12

_LATIN = "A-Za-z\u00c0-\u024f"
_CYRILLIC = "\u0400-\u052f"
_GREEK = "\u0370-\u03ff"
_MEETING = re.compile(f"[{_LATIN}][{_CYRILLIC}{_GREEK}]|[{_CYRILLIC}{_GREEK}][{_LATIN}]")
_FOREIGN = re.compile(f"[{_CYRILLIC}{_GREEK}]")
_WORD = re.compile(f"[{_LATIN}{_CYRILLIC}{_GREEK}]+")
_MARKER = re.compile(r"<\|[^\s<>|]{1,60}\|>|</?[^\s<>/]{1,40}>")
_ALIKE = frozenset(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf\u03bd\u03b9\u03c1\u03c5"
)
"""Letters of Cyrillic and Greek that look like Latin ones."""
_LATIN_ALIKE = frozenset("aeopcyxisjhABEKMHOPCTXYIJSZN")


class Hidden(NamedTuple):
    """A run of characters that have no shape, all of one kind; the offsets are into the text that was searched."""

    kind: str
    start: int
    text: str

    @property
    def spells(self) -> str:
        """The words that tag characters or variation selectors stand for; empty where they stand for none."""
        if self.kind == "tag character":
            said = "".join(chr(ord(character) - 0xE0000) for character in self.text)
        elif self.kind == "variation selector":
            said = "".join(map(_selected, self.text))
        else:
            return ""
        return said if said.isascii() and sum(map(str.isalnum, said)) > len(said) / 2 else ""


def is_plain(text: str) -> bool:
    """Whether a text is nothing but visible ASCII characters and blanks: the quick answer for most."""
    return text.isascii() and not text.encode().translate(None, _VISIBLE)


def _alphabet(text: str) -> str:
    """Each character of a text once: to search these is much quicker than to search the text."""
    return "".join(set(text))


def has_foreign_letters(text: str) -> bool:
    """Whether there are letters beside Latin ones that pass for them."""
    return not text.isascii() and _FOREIGN.search(_alphabet(text)) is not None


def hidden_characters(text: str) -> Iterator[Hidden]:
    """The runs of characters that nobody sees and that do no work for the letters around them."""
    if is_plain(text) or _RUN.search(_alphabet(text)) is None:
        return
    for run in _RUN.finditer(text):
        if _works(text, run.start(), run.end()):
            continue
        start = run.start()
        for kind, group in _grouped(run[0]):
            yield Hidden(kind, start, group)
            start += len(group)


def _grouped(run: str) -> Iterator[tuple[str, str]]:
    """A run, cut where the kind of the characters changes."""
    start, before = 0, ""
    for at, character in enumerate(run):
        kind = next(kind for kind, pattern in _KIND.items() if pattern.match(character))
        if before and kind != before:
            yield before, run[start:at]
            start = at
        before = kind
    yield before, run[start:]


def _works(text: str, start: int, end: int) -> bool:
    """Whether the letters or emoji around a run have need of it."""
    run, before, after = text[start:end], text[start - 1 : start], text[end : end + 1]
    if run in ("\ufe0f", "\ufe0e"):
        return bool(_EMOJI.match(before) or _KEYCAP.match(before))
    if run in ("\u200d", "\ufe0f\u200d"):
        emoji = _EMOJI.match(before) and _EMOJI.match(after)
        return bool(emoji or (run == "\u200d" and _JOINING.match(before)))
    if run == "\u200c":
        return bool(_JOINING.match(before))
    if run == "\u200b":
        return bool(_WITHOUT_SPACES.match(before) and _WITHOUT_SPACES.match(after))
    if run in tuple(_MARKS):
        return bool(_RIGHT_TO_LEFT.search(text, max(0, start - _NEAR), end + _NEAR))
    if len(run) == 1 and (_KIND["variation selector"].match(run) or "\u180b" <= run <= "\u180d"):
        return bool(_IDEOGRAPH.match(before))
    return before == "\U0001f3f4" and _FLAG.fullmatch(run) is not None


def _selected(selector: str) -> str:
    """The byte that a variation selector is the number of."""
    number = ord(selector)
    return chr(number - 0xFE00 if number < 0xE0000 else number - 0xE0100 + 16)


def mixed_words(text: str) -> Iterator[tuple[int, str, str]]:
    """Words and markers with letters of two scripts that pass for each other: offset, word, and the letter that is foreign."""
    if not has_foreign_letters(text):
        return
    for marker in _MARKER.finditer(text):
        foreign = [letter for letter in marker[0] if letter in _ALIKE]
        if foreign and re.search("[A-Za-z]", marker[0]) and not _is_one_script(marker[0]):
            yield marker.start(), marker[0], foreign[0]
    if _MEETING.search(text) is None:
        return
    for word in _WORD.finditer(_MARKER.sub(lambda marker: " " * len(marker[0]), text)):
        if foreign_letter := _foreign(word[0]):
            yield word.start(), word[0], foreign_letter


def _is_one_script(marker: str) -> bool:
    """Whether the words of a marker, each for itself, are of one script, and not all of the foreign ones pass for Latin."""
    words = _WORD.findall(marker)
    return all(_MEETING.search(word) is None for word in words) and any(
        set(word) - _ALIKE for word in words if re.search(f"[{_CYRILLIC}{_GREEK}]", word)
    )


def _foreign(word: str) -> str:
    """The first letter of the script that a word has less of, where all of them pass for the other's; else nothing."""
    others: list[str] = _FOREIGN.findall(word)
    latin = _FOREIGN.sub("", word)
    if not latin or not others or len(word) < 3:
        return ""
    if all(letter in _ALIKE for letter in others) and not _is_inflected(word):
        return others[0]
    if len(latin) < len(others) and all(letter in _LATIN_ALIKE for letter in latin):
        return latin[0]
    return ""


def _is_inflected(word: str) -> bool:
    """Whether it is a Latin acronym with an ending, as Russian has them."""
    return re.fullmatch(f"[A-Z]{{2,}}[{_CYRILLIC}]{{1,3}}", word) is not None


def named(character: str) -> str:
    """A character by its code point, and its name where it has one: `U+202E RIGHT-TO-LEFT OVERRIDE`."""
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X}" + (f" {name}" if name else "")
