from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tpllint import Bad, Good, Problem, Rule, Severity, Template, quoted

if TYPE_CHECKING:
    from tpllint import Attempt

CHAT = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
DATA_ONLY = "use only what messages hold, filters and tests; no prompt needs Python's own objects"
FIXED = "write the name of the attribute or key into the template"


class SandboxEscapeAttempt(Rule):
    """The template reaches for Python's own objects, or lets a message say which attribute is asked for.

    ## What it does
    Finds attributes that only Python's own objects have, such as `__class__` and `gi_frame`, and attributes with an underscore
    of what Jinja provides, such as `self` and `cycler`. They are found by dot, by subscript, as an argument of `attr`, `map`,
    `sort` and the like, and in the fields of a format string, also where the name is put together from parts. So are attributes
    and format strings that come from what a message says, and methods that change data, asked for by a text.

    Nothing is executed for it: most attempts render without an error, since what the sandbox hides is simply undefined. Keys of
    messages with one underscore, such as `_id`, and words within texts are left alone.

    ## Why is this bad
    From any Python object a way leads to every module and to the operating system. Where a server renders chat templates
    without a sandbox, the template runs code there; with one, it waits for the next hole in the sandbox.

    ## References
    - [CVE-2024-34359: llama-cpp-python renders templates of models without a sandbox](https://nvd.nist.gov/vuln/detail/CVE-2024-34359)
    - [CVE-2025-27516: Jinja's attr filter leads out of the sandbox](https://nvd.nist.gov/vuln/detail/CVE-2025-27516)
    - [Jinja: sandbox](https://jinja.palletsprojects.com/en/stable/sandbox/)
    """

    code = "TPL801"
    name = "sandbox-escape-attempt"
    category = "security"
    severity = Severity.ERROR
    static = True
    examples = (
        Bad(
            "{{ cycler.__init__.__globals__ is defined }}" + CHAT,
            says='"__init__" leads to Python\'s own objects, out of the sandbox',
            better=CHAT,
        ),
        Bad(
            "{{ messages | attr('__cl' ~ 'ass__') is defined }}" + CHAT,
            says='"__class__" leads to Python\'s own objects, out of the sandbox',
            better=CHAT,
        ),
        Bad(
            "{{ '{0.__class__}'.format(messages) }}" + CHAT,
            says='the format string asks for "__class__", which leads to Python\'s own objects, out of the sandbox',
            better="{{ '{0}'.format(messages[0].role) }}" + CHAT,
        ),
        Bad(
            "{{ messages | attr(messages[-1].content) is defined }}" + CHAT,
            says="a message says which attribute is asked for",
            better="{{ messages[-1].content is defined }}" + CHAT,
        ),
        Bad(
            "{{ messages[0].content.format(bos_token) }}",
            says="what a message says is taken for a format string, and its fields for attributes",
            better="{{ messages[0].content }}",
        ),
        Bad(
            "{% set _ = messages['append'](messages[0]) %}" + CHAT,
            says='"append" is asked for by a text: a change of data, out of sight',
            better=CHAT,
        ),
        Good("{% for m in messages %}{{ m['_id'] }} {{ m._id }}: {{ m.content }}{% endfor %}"),
        Good("{% set _first = messages[0] %}{{ '<|system|>Keep __all__ and __init__.py up to date.' }}{{ _first.content }}"),
        Good(
            "{% for key in ['name', 'content'] %}{{ messages[0][key] }}{% endfor %}"
            "{{ messages | map(attribute='role') | join }}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        for attempt in template.attempts if template.syntax else ():
            yield Problem(
                _said(attempt),
                help=DATA_ONLY if attempt.name else FIXED,
                place=template.syntax.place(attempt.node) if template.syntax else None,
                severity=Severity.WARNING if attempt.by == "anything" else None,
            )


def _said(attempt: Attempt) -> str:
    """What is wrong with one attempt."""
    if attempt.kind == "format":
        return "what a message says is taken for a format string, and its fields for attributes"
    if attempt.name is None:
        by_a_message = attempt.by == "messages"
        return "a message says which attribute is asked for" if by_a_message else "the name of an attribute is not fixed"
    if attempt.kind == "change":
        return f"{quoted(attempt.name)} is asked for by a text: a change of data, out of sight"
    subject = "the format string asks for " if attempt.kind == "field" else ""
    which = ", which leads" if subject else " leads"
    return f"{subject}{quoted(attempt.name)}{which} to Python's own objects, out of the sandbox"
