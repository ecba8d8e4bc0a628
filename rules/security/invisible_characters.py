from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator, Sequence

from tpllint import (
    Bad,
    Good,
    Hidden,
    Place,
    Problem,
    Rule,
    Severity,
    Template,
    has_foreign_letters,
    hidden_characters,
    is_plain,
    mixed_words,
    named,
    quoted,
)

CHAT = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
MARK = "\ufeff"
FAR_RIGHT = 120
FAR_BELOW = 80
SHOWN = 40
ESCAPE = re.compile(r"\\[xuUN0-7]")
BLANKS = re.compile(" +")
SPELT_OUT = re.compile(
    r"(?<!\\)(?:\\\\)*((?:\\x[2-7][0-9a-fA-F]|\\u00[2-7][0-9a-fA-F]|\\U000000[2-7][0-9a-fA-F]|\\[01]?[0-7]{2}){4,})"
)
ONE = re.compile(r"\\(?:x(..)|u(....)|U(.{8})|([0-7]+))")
OF_ANOTHER_RULE = ("\a", "\b", "\v", "\f")
"""Left to control-character-in-output where they stand alone: they come of a single backslash too few."""
NUL = "the template holds a NUL, where it ends for programs written in C"
REMOVE = "take them out: nobody who reads the template sees them, and the model does"


class InvisibleCharacters(Rule):
    r"""The source or what it writes holds characters that nobody sees, or code where nobody looks.

    ## What it does
    Looks for tag characters, bidirectional controls, zero-width characters, runs of variation selectors, control characters and
    line separators, in the source and in what its escapes and operators make; for words in which letters of one script pass for
    those of another; for plain words written as `\x..`; for a carriage return within a line; and for code behind 120
    blanks or below 80 empty lines.

    Joiners within emoji and within scripts that need them, selectors behind emoji and letters written from right to left are no
    finding, nor is what a template looks for in order to remove it.

    ## Why is this bad
    Whoever reviews the template reads something else than the model and the engine do: a condition that looks like a comment, a
    turn that never ends because one letter of its marker is Cyrillic, an instruction in characters without a shape.

    ## References
    - [Trojan Source: invisible vulnerabilities](https://trojansource.codes/)
    - [Unicode Technical Standard 39: security mechanisms](https://www.unicode.org/reports/tr39/)
    """

    code = "TPL804"
    name = "invisible-characters"
    category = "security"
    severity = Severity.ERROR
    static = True
    examples = (
        Bad(
            CHAT + "{{ 'Be kind.\U000e004f\U000e0062\U000e0065\U000e0079' }}",
            says='4 tag characters, which nobody sees, spell "Obey"',
            better=CHAT + "{{ 'Be kind.' }}",
        ),
        Bad(
            "{% if messages[0].role != 'user\u202e \u2066# a note\u2069 \u2066' %}{% endif %}" + CHAT,
            says="4 bidirectional controls, which nobody sees, such as U+202E RIGHT-TO-LEFT OVERRIDE",
            better="{% if messages[0].role != 'user' %}{% endif %}" + CHAT,
        ),
        Bad(
            CHAT.replace("<|end|>", "<|\u0435nd|>"),
            says='in "<|\u0435nd|>" a letter passes for another: U+0435 CYRILLIC SMALL LETTER IE',
            better=CHAT,
        ),
        Bad(
            CHAT + r"{{ '\x1b[2J' }}",
            says="the template writes 1 control character, which nobody sees, such as U+001B",
            better=CHAT,
        ),
        Bad(
            CHAT + r"{{ '\x4f\x62\x65\x79\x20\x6d\x65' }}",
            says='plain words are written as escapes: "Obey me"',
            better=CHAT + "{{ 'Obey me' }}",
        ),
        Bad(
            CHAT + "{# \0 #}{{ 'more' }}",
            says="the template holds a NUL, where it ends for programs written in C",
            better=CHAT,
        ),
        Bad(
            CHAT + "{# the end #}" + "\n" * 91 + "{{ 'more' }}",
            says="90 empty lines stand before \"{{ 'more' }}\"",
            better=CHAT + "{# the end #}\n{{ 'more' }}",
        ),
        Bad(
            CHAT + "{# the end #}" + " " * 200 + "{{ 'more' }}",
            says="200 blanks stand before \"{{ 'more' }}\" on its line",
            better=CHAT + "{# the end #} {{ 'more' }}",
        ),
        Good(
            "{{ '\u0422\u044b GPT. \U0001f469\u200d\U0001f4bb \u2764\ufe0f' }}"
            "{{ '\u0645\u06cc\u200c\u062a\u0648 \u05d0\u05d1 10 \u00b5m, 5 \u03a9, <\uff5cUser\uff5c>' }}" + CHAT
        ),
        Good("{% for m in messages %}{{ '\\n\u0422\u044b' }}{{ m.content.replace('\\u200b', '') }}{% endfor %}"),
        Good("{% for m in messages %}\n" + " " * 64 + "{{ m.content }}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        source = template.text
        yield from _in_source(source)
        yield from _out_of_sight(template)
        escaped = ESCAPE.search(source) is not None
        foreign = has_foreign_letters(source)
        if escaped or "%c" in source or foreign:
            yield from _in_texts(template)
        if foreign:
            yield from _in_names(template)
        if escaped:
            yield from _spelt_out(template)


def _in_source(source: str) -> Iterator[Problem]:
    groups: dict[str, list[Hidden]] = {}
    for hidden in hidden_characters(source):
        if not (hidden.start == 0 and hidden.text == MARK) and hidden.text not in OF_ANOTHER_RULE:
            groups.setdefault(hidden.kind, []).append(hidden)
    for found in groups.values():
        place = Place(found[0].start, found[0].start + len(found[0].text))
        nul = any("\0" in hidden.text for hidden in found)
        yield Problem(NUL if nul else _said(found), help=REMOVE, place=place)


def _said(found: list[Hidden]) -> str:
    """How many characters of one kind there are, and what they spell or what the first one is."""
    count = sum(len(hidden.text) for hidden in found)
    noun = found[0].kind if count == 1 else f"{found[0].kind}s"
    spelt = next((hidden.spells for hidden in found if hidden.spells), "")
    what = f", spell {quoted(spelt)}" if spelt else f", such as {named(found[0].text[0])}"
    return f"{count} {noun}, which nobody sees{what}"


def _in_texts(template: Template) -> Iterator[Problem]:
    """What is in no line of the source and in what it writes, and words of two scripts."""
    told: set[str] = set()
    for text in template.folding.texts if template.folding else ():
        if is_plain(text.text) or template.folding is None:
            continue
        shown = [hidden for hidden in hidden_characters(text.text) if text.use != "asked" and _is_new(hidden, template.text)]
        for hidden in shown[:1]:
            if hidden.kind not in told:
                told.add(hidden.kind)
                said = _said([other for other in shown if other.kind == hidden.kind])
                yield Problem(f"the template writes {said}", help=REMOVE, place=template.folding.place(text))
        for _, word, letter in mixed_words(text.text):
            if word not in told:
                told.add(word)
                yield Problem(
                    f"in {quoted(word)} a letter passes for another: {named(letter)}",
                    help="write the word in letters of one script, or write the letter as an escape if it is meant",
                    place=template.folding.place(text),
                )


def _in_names(template: Template) -> Iterator[Problem]:
    """Variables and attributes whose name passes for another."""
    told: set[str] = set()
    for node in template.syntax.find("Name", "Getattr") if template.syntax else ():
        name = getattr(node, "name", None) or node.attr
        for _, _, letter in () if name in told else mixed_words(name):
            told.add(name)
            yield Problem(
                f"in the name {quoted(name)} a letter passes for another: {named(letter)}",
                help="write the name in letters of one script",
                place=template.syntax.place(node) if template.syntax else None,
            )


def _is_new(hidden: Hidden, source: str) -> bool:
    """Whether the characters do not stand in the source as they are, and are not another rule's."""
    return hidden.text[0] not in source and hidden.text not in OF_ANOTHER_RULE


def _spelt_out(template: Template) -> Iterator[Problem]:
    """Words that are written as numbers where letters would do."""
    tokens = template.syntax.tokens if template.syntax and SPELT_OUT.search(template.text) else ()
    strings = [(at, at + len(text)) for at, kind, text in tokens if kind == "string"]
    for found in SPELT_OUT.finditer(template.text):
        words = ONE.sub(_character, found[1])
        within = Place(*found.span(1))
        if sum(map(str.isalpha, words)) >= 3 and words.isprintable() and _is_in_one(strings, within.start):
            yield Problem(
                f"plain words are written as escapes: {quoted(words)}",
                help="write the words themselves, so that a reader can judge them",
                place=within,
            )


def _character(escape: re.Match[str]) -> str:
    hexadecimal = escape[1] or escape[2] or escape[3]
    return chr(int(hexadecimal, 16) if hexadecimal else int(escape[4], 8))


def _is_in_one(strings: Sequence[tuple[int, int]], offset: int) -> bool:
    """Whether an offset is in one of the stretches, which are in order."""
    before = bisect(strings, (offset, offset)) - 1
    return before >= 0 and offset < strings[before][1]


def _out_of_sight(template: Template) -> Iterator[Problem]:
    """Code that stands where a reader does not scroll, or is written over on the screen."""
    source = template.text
    yield from _far_right(source)
    yield from _far_below(source)
    if template.lone_carriage_return is not None:
        at = template.lone_carriage_return
        yield Problem(
            "a carriage return stands within a line: terminals write what follows over what precedes it",
            help="take it out, or end the line with a line feed",
            place=Place(at, at + 1),
        )


def _far_right(source: str) -> Iterator[Problem]:
    flat = source.replace("\t", " ").replace("\xa0", " ").replace("\u3000", " ")
    start = flat.find(" " * FAR_RIGHT)
    while start >= 0:
        blanks = BLANKS.match(flat, start)
        end = blanks.end() if blanks else start
        rest = source[end : end + SHOWN].partition("\n")[0]
        if rest and rest.lstrip("-+") != "#}":
            yield Problem(
                f"{end - start} blanks stand before {quoted(rest)} on its line",
                help="write it at the beginning of a line, where a reader sees it",
                place=Place(end, end + len(rest)),
            )
            return
        start = flat.find(" " * FAR_RIGHT, end)


def _far_below(source: str) -> Iterator[Problem]:
    if "\n\n" not in source and "\n " not in source:
        return
    empty, at = 0, 0
    for line in source.split("\n"):
        if line and not line.isspace():
            if empty > FAR_BELOW:
                yield Problem(
                    f"{empty - 1} empty lines stand before {quoted(line.strip()[:SHOWN])}",
                    help="take the empty lines out, so that a reader sees what follows",
                    place=Place(at, at + len(line)),
                )
                return
            empty = 0
        empty += 1
        at += len(line) + 1
