from __future__ import annotations

import datetime
import re
from collections.abc import Iterator

from tpllint import CLOCK, Bad, Good, Problem, Render, Rule, Severity, Template, common_prefix, common_suffix, quoted

CONVERSATIONS = ("user", "system-user", "tools-declared", "tool-loop-follow-up")
LATER_THE_SAME_DAY = CLOCK.replace(hour=16, minute=47, second=58, microsecond=987654)
ANOTHER_DAY = datetime.datetime(2031, 11, 25, 16, 47, 58, 987654)
LONGEST = 60
MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
TODAY = re.compile(
    rf"\b(?:today|current date)\b[^\n\d]{{0,24}}?"
    rf"(?P<date>\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}} {MONTH} \d{{4}}|{MONTH} \d{{1,2}}, \d{{4}})",
    re.IGNORECASE,
)


class ClockDependent(Rule):
    """The prompt depends on the clock.

    ## What it does
    Where a template names `strftime_now`, renders plain chats and chats with tools again on another day, and at another time
    of the same day. A prompt that changes with the time of day is a warning. One that changes with the date is information:
    several publishers want the model to know today's date, and a prompt that is made again tomorrow is rarely the same anyway.
    Dates that a caller can pass are judged as they are where no caller passes one. That a prompt says of a fixed date that it
    is today's, whatever day it is, is information too.

    ## Why is this bad
    The same conversation gives another prompt: caches of common prefixes miss, with the time of day on every request, and
    recorded prompts and training data cannot be made again.

    ## References
    - [transformers: writing a chat template](https://huggingface.co/docs/transformers/chat_templating_writing)
    """

    code = "TPL901"
    name = "clock-dependent"
    category = "hygiene"
    severity = Severity.WARNING
    vets = True
    examples = (
        Bad(
            "<|system|>It is {{ strftime_now('%Y-%m-%d %H:%M') }}.<|end|>"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says='the prompt changes with the time of day: it holds "03:04"',
            better="{% if now is defined %}<|system|>It is {{ now }}.<|end|>{% endif %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
            "<|system|>Today Date: {{ date_string }}\n<|end|>"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says='the prompt changes with the date: it holds "02 Jan 2026"',
            better="{% if date_string is defined %}<|system|>Today Date: {{ date_string }}\n<|end|>{% endif %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "<|system|>Today Date: {{ date_string | default('26 Jul 2024') }}\n<|end|>"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says='the prompt says that today is "26 Jul 2024", whatever day it is',
            better="{% if date_string is defined %}<|system|>Today Date: {{ date_string }}\n<|end|>{% endif %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Good(
            "{% set today = strftime_now('%d %b %Y') %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        yield from _stale(template)
        if template.syntax is None or not any(node.name == "strftime_now" for node in template.syntax.find("Name")):
            return
        for moment, what, severity in (
            (LATER_THE_SAME_DAY, "time of day", None),
            (ANOTHER_DAY, "date", Severity.INFO),
        ):
            for name in CONVERSATIONS:
                render = template.render(name, generation_prompt=True)
                conversation = template.conversation(name)
                other = template.render_conversation(conversation, generation_prompt=True, clock=moment)
                if render.text != other.text and not (render.limited or other.limited):
                    yield _problem(render, other, what, severity)
                    return


def _stale(template: Template) -> Iterator[Problem]:
    """A date of today that no clock tells."""
    for name in CONVERSATIONS:
        render = template.render(name, generation_prompt=True)
        found = TODAY.search(render.text or "")
        if found and found["date"] in template.text:
            yield Problem(
                f"the prompt says that today is {quoted(found['date'])}, whatever day it is",
                help="let the caller pass the date, and write nothing where it does not",
                severity=Severity.INFO,
                render=render,
                shows=found.span("date"),
            )
            return


def _problem(render: Render, other: Render, what: str, severity: Severity | None) -> Problem:
    return Problem(
        f"the prompt changes with the {what}{_held(render, other)}",
        help="let the caller pass what the model has to know of the time, and write nothing where it does not",
        severity=severity,
        render=render,
        shows=_difference(render.text or "", other.text or ""),
    )


def _held(render: Render, other: Render) -> str:
    """What the prompt says of the time, where both exist and it is short."""
    if render.text is None or other.text is None:
        return ""
    start, end = _difference(render.text, other.text)
    return f": it holds {quoted(render.text[start:end])}" if 0 < end - start <= LONGEST else ""


def _difference(text: str, other: str) -> tuple[int, int]:
    """The words of a text that differ from the other one."""
    start = common_prefix(text, other)
    end = len(text) - min(common_suffix(text, other), len(text) - start, len(other) - start)
    while start > 0 and text[start - 1].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum():
        end += 1
    return start, end
