from __future__ import annotations

import re
from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Render, Rule, Severity, Template, canonical, quoted

CONTROL = re.compile(r"[\x07\x08\x0b-\x0d]")
"""What a backslash too few makes: BEL, backspace, vertical tab, form feed and carriage return."""
ESCAPED_LINE_END = re.compile(r"(?:^|(?<=[>\]:]))\\[nrt]|\\[nrt](?=$|[<\[])")
PLAIN = ("user-assistant-user", "system-user-assistant-user")
AROUND = 20
WRITE = r"write '\n' for a line end and '\\' for a backslash"


class ControlCharacterInOutput(Rule):
    r"""A control character, or a backslash followed by n, is written into the prompt.

    ## What it does
    Looks for control characters that have an escape of one letter, other than tab and line feed, in every canonical prompt:
    no canonical conversation holds one. Of all others `invisible-characters` tells, wherever in the template they stand. Beside
    the texts and markers of plain chats it also looks for the two characters of an escape that was escaped twice; within words,
    as in LaTeX or advice on JSON, they are left alone.

    ## Why is this bad
    `'\b'` in a Jinja string is a backspace, and `'\\n'` is a backslash and an n. The model reads a character that it never
    saw, where it should read a line end.

    ## References
    - [Jinja: literals](https://jinja.palletsprojects.com/en/stable/templates/#literals)
    """

    code = "TPL909"
    name = "control-character-in-output"
    category = "hygiene"
    severity = Severity.ERROR
    vets = True
    examples = (
        Bad(
            r"{% for m in messages %}{{ '<|' + m.role + '|>\\n' + m.content + '<|end|>' }}{% endfor %}",
            says=r'an escape that was escaped twice is written into the prompt: "<|user|>\\nquestion-amber<|end|"',
            better=r"{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>' }}{% endfor %}",
        ),
        Bad(
            r"{% for m in messages %}{{ '\begin{' + m.role + '}' + m.content + '<|end|>' }}{% endfor %}",
            says=r'the control character U+0008 is written into the prompt: "\begin{user}question-a"',
            better=r"{% for m in messages %}{{ '\\begin{' + m.role + '}' + m.content + '<|end|>' }}{% endfor %}",
        ),
        Good(
            r"{% if messages[0].role != 'system' %}{{ '<|system|>Write \\times; end lines with \\n.<|end|>' }}{% endif %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
        ),
        Good("{% for m in messages %}{{ m.role + ':\\n\\t' + m.content + '<|end|>' }}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        yield from self._control_characters(template)
        yield from self._escapes(template)

    def _control_characters(self, template: Template) -> Iterator[Problem]:
        for name in canonical():
            render = template.render(name, generation_prompt=True)
            found = CONTROL.search(render.text or "")
            if found:
                what = f"the control character U+{ord(found[0]):04X}"
                yield _problem(what, f"take it out of the template, or {WRITE}", render, found.span())
                return

    def _escapes(self, template: Template) -> Iterator[Problem]:
        for name in PLAIN:
            render = template.render(name, generation_prompt=True)
            for start, gap in template.anatomy.placed_gaps(name, generation_prompt=True) or ():
                found = ESCAPED_LINE_END.search(gap)
                if found:
                    shows = (start + found.start(), start + found.end())
                    yield _problem("an escape that was escaped twice", WRITE, render, shows)
                    return


def _problem(what: str, remedy: str, render: Render, shows: tuple[int, int]) -> Problem:
    text, (start, end) = render.text or "", shows
    return Problem(
        f"{what} is written into the prompt: {quoted(text[max(0, start - AROUND) : end + AROUND])}",
        help=remedy,
        render=render,
        shows=shows,
        holds=lambda other: text[start:end] in (other.text or ""),
    )
