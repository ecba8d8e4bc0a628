from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from tpllint import (
    BARE_MARKER,
    SECOND_QUESTION,
    THINKING,
    Bad,
    Conversation,
    Good,
    Problem,
    Render,
    Rule,
    Severity,
    Template,
    canonical,
    quoted,
)

ASKING = ("split", "rsplit", "startswith", "endswith", "find", "rfind", "index", "count", "partition")
"""The methods with which a template looks for words in a text."""
NEUTRAL = "note-heather"
MOST = 12
"""How many words are tried."""
SPEAKERS = {"user": "a user message", "system-user": "a system message"}
"""Conversations whose first message is asked about, and what it is called."""
SWITCH = re.compile(r"^/|think|thought|reason", re.IGNORECASE)
"""Switches reasoning on or off, or is written like a command."""
UNSAFE = frozenset("\"'\\\n")
"""What a template may write in another way without having looked at it."""


class ContentSniffing(Rule):
    """What a message says decides how the prompt is built.

    ## What it does
    Collects the words that the template looks for with `in`, `startswith`, `split` and the like, writes each into a user
    message and a system message, and renders the chat beside one with a neutral word in its place. A prompt that differs in
    more than these words is reported.

    A switch in the form of a command or about reasoning, such as `/no_think`, is information: publishers document it. So is a
    control token of the format itself, as long as no text is lost. Words of natural language that bring a text into the prompt
    are told by `content-triggered-text`. Nothing is said of tags around reasoning, of words that
    are merely taken out, and of what an answer says: templates take answers apart on purpose.

    ## Why is this bad
    A user who quotes such words, in a question about chat templates or in a pasted page, gets another prompt than everybody
    else: text is lost, or an instruction is added that nobody sent.

    ## References
    - [transformers: writing a chat template](https://huggingface.co/docs/transformers/chat_templating_writing)
    """

    code = "TPL309"
    name = "content-sniffing"
    category = "content"
    severity = Severity.WARNING
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content.split('###')[-1] }}<|end|>{% endfor %}",
            says='a user message that holds "###" makes another prompt, apart from these words',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% if '/brief' in messages[0].content %}<|brief|>{% endif %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says='a user message that holds "/brief" makes another prompt, apart from these words',
            better="{% if brief %}<|brief|>{% endif %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content.replace('<|end|>', '') }}<|end|>{% endfor %}"),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{% if '</think>' in m.content %}{{ m.content.split('</think>')[-1] }}"
            "{% else %}{{ m.content }}{% endif %}<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        triggers = {word for influence in template.interference.influences for word in influence.predicate.words}
        for word in islice((word for word in _words(template) if word not in triggers or _is_command(word)), MOST):
            for name, what in SPEAKERS.items():
                told = template.render_conversation(_saying(template, name, word))
                like = template.render_conversation(_saying(template, name, NEUTRAL))
                if told.limited or like.text is None or _is_alike(told.text, like.text, _said(name, NEUTRAL), word):
                    continue
                yield Problem(
                    f"{what} that holds {quoted(word)} makes another prompt, apart from these words",
                    help="let the caller say it in a variable, or look at the role and the keys of a message only",
                    severity=Severity.INFO if SWITCH.search(word) or (_is_marker(word) and _shows(told)) else None,
                    render=told,
                )
                break


def _words(template: Template) -> Iterator[str]:
    """The words that the template looks for in texts."""
    seen = set()
    for node in template.syntax.find("Compare", "Call") if template.syntax else ():
        word = _asked(node)
        if isinstance(word, str) and word.strip() and not UNSAFE & set(word) and not THINKING.search(word) and word not in seen:
            seen.add(word)
            yield word


def _asked(node: Any) -> Any:
    """The literal in `'x' in text` and `text.startswith('x')`."""
    if type(node).__name__ == "Compare":
        return getattr(node.expr, "value", None) if node.ops[0].op in ("in", "notin") else None
    method = getattr(node.node, "attr", None)
    return getattr(node.args[0], "value", None) if method in ASKING and node.args else None


def _is_command(word: str) -> bool:
    return SWITCH.search(word) is not None or _is_marker(word)


def _is_marker(word: str) -> bool:
    return BARE_MARKER.search(word) is not None


def _shows(render: Render) -> bool:
    """Whether the prompt holds what the first message says beside the word."""
    return SECOND_QUESTION in (render.text or "")


def _saying(template: Template, name: str, word: str) -> Conversation:
    said = canonical()[name].with_message(0, content=_said(name, word))
    return said.in_parts() if template.anatomy.reads_parts_only else said


def _said(name: str, word: str) -> str:
    """A text with the word at its beginning, its end and in between."""
    return f"{word} {canonical()[name].messages[0]['content']} {word} {SECOND_QUESTION} {word}"


def _is_alike(text: str | None, like: str, said: str, word: str) -> bool:
    """Whether a prompt is the like one but for the word, blanks and the size of letters; also where nothing can be told."""
    before, found, after = like.partition(said)
    verbatim = said.replace(NEUTRAL, word)
    if not found or (text is not None and verbatim in text and text.replace(verbatim, "") == like.replace(said, "")):
        return True
    if text is None or not (text.startswith(before) and text.endswith(after) and len(text) >= len(before) + len(after)):
        return False
    return _without(text[len(before) : len(text) - len(after)], word) == _without(said, NEUTRAL)


def _without(text: str, word: str) -> str:
    return "".join(text.casefold().replace(word.casefold(), "").split())
