from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

from tpllint import (
    BARE_MARKER,
    LONG_TEXT,
    NEUTRAL,
    ORDINARY,
    RESULT,
    THINKING,
    TOGETHER,
    Bad,
    Good,
    Planted,
    Problem,
    Related,
    Render,
    Rule,
    Severity,
    Template,
    called,
    common_prefix,
    common_suffix,
    quoted,
    runs,
    said_in,
    spoken,
    words_of,
)

SPEAKERS = {"user": ("user", 0), "assistant": ("user-assistant-user", 1), "system": ("system-user", 0)}
"""Who speaks, in which canonical conversation, as which of those who say something there."""
VERBATIM = "write what a message says letter by letter, once, under its own role"


class MessageRewritten(Rule):
    """What a message says is changed on its way into the prompt.

    ## What it does
    Plants the words that the template looks for in messages of the user, the system, the assistant and a tool, and looks
    for the whole message in the prompt. So it does with a message as people write, with capitals, numbers, punctuation, a
    tag and an address, with one of 1,500 words, which must not be cut, and with a chat of 24 rounds, of which none may be
    missing. A message whose letters change or in whose place other words stand is reported as well, and with a warning a
    system message that comes behind the user's.

    A sign that the template looks for, such as two brackets, must not become the control tokens that open or close a turn.

    Blanks around a text, control tokens and commands that are taken out, and answers taken apart around their reasoning are
    left alone; so is a system message that is written into the user's first turn. A message that is just not there is told
    by `role-dropped`.

    ## Why is this bad
    The model answers something that nobody has asked. A dose, a negation or an operator's instruction is a small thing to
    change, and no log of the messages shows it.

    ## References
    - [transformers: chat templates](https://huggingface.co/docs/transformers/chat_templating)
    """

    code = "TPL807"
    name = "message-rewritten"
    category = "security"
    severity = Severity.ERROR
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content|replace(' never ', ' ') }}<|end|>{% endfor %}",
            says='a user message that says "note-heather never note-heather" is "note-heather note-heather" in the prompt',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content[:4000] }}<|end|>{% endfor %}",
            says="a user message of 1500 words is not whole in the prompt",
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content[:500] if m.role == 'tool' else m.content }}<|end|>"
            "{% endfor %}",
            says="a tool message of 1500 words is not whole in the prompt",
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages[-9:] %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says='in a chat of 24 rounds the user message "amber-0-coral" vanishes from the prompt',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>"
            "{{ 'Yes, as I said before.' if m.role == 'assistant' else m.content }}<|end|>{% endfor %}",
            says='the assistant message "answer-birch" is not in the prompt, which says "Yes, as I said before" in its place',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages|selectattr('role', 'ne', 'system') %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% for m in messages|selectattr('role', 'equalto', 'system') %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says="the system message comes behind the user's",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content|upper }}<|end|>{% endfor %}",
            says='the user message "question-amber" is "QUESTION-AMBER" in the prompt',
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content|replace('e', '3') }}<|end|>{% endfor %}",
            says='the assistant message "answer-birch" is not in the prompt, which says "answ3r-birch" in its place',
        ),
        Bad(
            "{% for m in messages %}{% if not (m.role == 'system' and strftime_now('%Y')|int > 2030) %}"
            "<|{{ m.role }}|>{{ m.content }}<|end|>{% endif %}{% endfor %}",
            says='"strftime_now(\'%Y\')|int > 2030" decides on whether the message "instruction-cedar" is in the prompt',
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content|striptags }}<|end|>{% endfor %}",
            says="a user message with capitals, numbers, a tag and an address is not in the prompt letter by letter",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content|replace('[[', '<|end|><|system|>') }}<|end|>{% endfor %}",
            says='a user message that holds "[[" brings another "<|end|>" into the prompt',
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content.split('; ')|reverse|join('; ') }}<|end|>{% endfor %}",
            says='a user message that says "note-heather ;  note-laurel" is " note-laurel; note-heather " in the prompt',
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content|trim }}<|end|>{% endfor %}"),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content.split('</think>')[-1] }}<|end|>{% endfor %}"),
        Good(
            "{% if messages[0].role == 'system' %}{% set first, rest = messages[0].content + '\\n\\n', messages[1:] %}"
            "{% else %}{% set first, rest = '', messages %}{% endif %}{% for m in rest %}<|{{ m.role }}|>"
            "{{ first if loop.first else '' }}{{ m.content }}<|end|>{% endfor %}"
        ),
        Good("{% for m in messages if m.role != 'system' %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        whole = set()
        for role in SPEAKERS:
            problem = _changed(template, role)
            if problem is None and _is_whole(template, role):
                whole.add(role)
            elif problem is not None:
                yield problem
        if RESULT in (template.render("tool-loop", generation_prompt=True).text or ""):
            whole.add("tool")
        yield from _dropped(template)
        yield from _planted(template, whole)
        yield from _turned(template, whole)
        yield from _ordinary(template, whole)
        yield from _long_messages(template, whole)
        yield from _long_chat(template, whole)
        yield from _moved(template)


def _render(template: Template, role: str) -> Render:
    return template.render(SPEAKERS[role][0], generation_prompt=True)


def _word(template: Template, role: str) -> str:
    """What somebody says in the canonical conversation."""
    name, index = SPEAKERS[role]
    return spoken(template.conversation(name))[index][1]


def _is_whole(template: Template, role: str) -> bool:
    """Whether an ordinary message of a role is in the prompt letter by letter."""
    return _word(template, role) in (_render(template, role).text or "")


def _changed(template: Template, role: str) -> Problem | None:
    """An ordinary message that is in the prompt in other letters, or in whose place other words stand."""
    render, word = _render(template, role), _word(template, role)
    text = render.text
    if text is None or word in text:
        return None
    at = text.casefold().find(word.casefold())
    if at >= 0 and len(text.casefold()) == len(text):
        shown = text[at : at + len(word)]
        return Problem(
            f"the {role} message {quoted(word)} is {quoted(shown)} in the prompt", help=VERBATIM, render=render, shows=shown
        )
    instead = _in_other_letters(template, role, render) or _instead(render, word)
    if instead is None:
        return None
    return Problem(
        f"the {role} message {quoted(word)} is not in the prompt, which says {quoted(instead)} in its place",
        help=VERBATIM,
        render=render,
        shows=instead,
    )


def _in_other_letters(template: Template, role: str, render: Render) -> str | None:
    """Where a prompt depends on what a message says and does not hold it: what stands there."""
    name, index = SPEAKERS[role]
    text, other = render.text or "", template.canaries.saying(name, index, NEUTRAL).text or ""
    start = common_prefix(text, other)
    end = len(text) - common_suffix(text[start:], other[start:])
    return text[start:end] if text != other and NEUTRAL not in other and text[start:end] else None


def _instead(render: Render, word: str) -> str | None:
    """The words that stand where a message should, between its neighbours; None where there are only a few."""
    text = render.text or ""
    said = [text for _, text in said_in(render)]
    index = said.index(word)
    start = text.find(said[index - 1]) + len(said[index - 1]) if index else 0
    end = text.find(said[index + 1], start) if index + 1 < len(said) else len(text)
    found = [run for run in runs(text, words_of(said), start, max(end, 0)) if len(run.words) >= TOGETHER]
    longest = max(found, key=lambda run: len(run.words), default=None)
    return text[longest.start : longest.end] if longest else None


def _dropped(template: Template) -> Iterator[Problem]:
    """Messages that are missing where a condition comes out as in no ordinary conversation."""
    for influence in template.interference.influences:
        if influence.lost and not influence.words:
            code = template.text[influence.place.start : influence.place.end]
            yield Problem(
                f"{quoted(code)} decides on whether the message {quoted(influence.lost)} is in the prompt",
                help="write every message, whatever it or another one says, and whenever",
                place=influence.place,
                render=influence.render,
                usual=influence.usual.text,
            )


def _planted(template: Template, whole: set[str]) -> Iterator[Problem]:
    told: set[str] = set()
    punctuation = (planted for planted in template.canaries.signed() if not planted.is_a_command)
    for planted in itertools.chain(template.canaries.planted(), punctuation):
        text, usual = planted.render.text, planted.usual.text
        if planted.role not in whole or planted.word.casefold() in told or text is None or usual is None:
            continue
        if not _holds(text, planted.said):
            told.add(planted.word.casefold())
            yield Problem(
                f"{planted.speaker} message that says {quoted(planted.said)} is {_as_shown(planted)} in the prompt",
                help=VERBATIM,
                place=template.canaries.place_of(planted.word),
                render=planted.render,
            )


def _as_shown(planted: Planted) -> str:
    """What a prompt says where the usual one says what the message does, in words."""
    text, usual = planted.render.text or "", planted.usual.text or ""
    before, _, after = usual.partition(planted.instead)
    is_framed = text.startswith(before) and text.endswith(after) and len(text) >= len(before) + len(after)
    return quoted(text[len(before) : len(text) - len(after)]) if is_framed else "not whole"


def _holds(text: str, said: str) -> bool:
    """Whether a prompt holds a message whole, blanks aside, as it is or as JSON spells it."""
    bare, packed = said.strip(), "".join(text.split())
    spelt = (bare, *(json.dumps(bare, ensure_ascii=flag)[1:-1] for flag in (False, True)))
    return any(spelling in text or "".join(spelling.split()) in packed for spelling in spelt)


def _turned(template: Template, whole: set[str]) -> Iterator[Problem]:
    """A sign in a user's message that becomes the control tokens around turns."""
    around = "".join(template.anatomy.gaps("user") or ())
    markers = {marker for marker in BARE_MARKER.findall(around) if not THINKING.search(marker)}
    for planted in template.canaries.signed() if "user" in whole else ():
        text, usual = planted.render.text or "", planted.usual.text or ""
        for marker in sorted(markers):
            if text.count(marker) - planted.said.count(marker) > usual.count(marker) and usual:
                yield Problem(
                    f"a user message that holds {quoted(planted.word)} brings another {quoted(marker)} into the prompt",
                    help=VERBATIM,
                    render=planted.render,
                    shows=marker,
                    usual=planted.usual.text,
                )
                return


def _ordinary(template: Template, whole: set[str]) -> Iterator[Problem]:
    """A text as people write that is not whole in the prompt; written as JSON it is."""
    for role, render in template.canaries.ordinary_messages():
        if role in whole and render.text is not None and not _holds(render.text, ORDINARY):
            yield Problem(
                f"{called(role)} message with capitals, numbers, a tag and an address is not in the prompt letter by letter",
                help=VERBATIM,
                render=render,
                shows=next((word for word in ORDINARY.split() if word in render.text), None),
            )
            return


def _long_messages(template: Template, whole: set[str]) -> Iterator[Problem]:
    for role, render, _ in template.canaries.long_messages():
        if role in whole and render.text is not None and not _holds(render.text, LONG_TEXT):
            yield Problem(
                f"{called(role)} message of {len(LONG_TEXT.split())} words is not whole in the prompt",
                help=VERBATIM,
                render=render,
                shows=LONG_TEXT.split()[0],
            )
            return


def _long_chat(template: Template, whole: set[str]) -> Iterator[Problem]:
    short = template.render("three-rounds", generation_prompt=True)
    if not all(said in (short.text or "") for _, said in said_in(short)):
        return
    render = template.canaries.long_chat
    text = render.text
    for role, said in said_in(render):
        if text is not None and role in whole and said not in text:
            rounds = len(said_in(render)) // 2
            yield Problem(
                f"in a chat of {rounds} rounds the {role} message {quoted(said)} vanishes from the prompt",
                help="write every message, and leave it to the caller to shorten a chat",
                render=render,
                lost=said,
            )
            return


def _moved(template: Template) -> Iterator[Problem]:
    """An instruction that the model reads after the question."""
    render = _render(template, "system")
    text, first, then = render.text or "", _word(template, "system"), _word(template, "user")
    if first in text and then in text and text.index(first) > text.index(then):
        at = text.index(then)
        yield Problem(
            "the system message comes behind the user's",
            help="write messages in the order in which they come",
            severity=Severity.WARNING,
            render=render,
            shows=first,
            related=(Related("the user's message is written here", render=render, shows=(at, at + len(then))),),
        )
