from __future__ import annotations

import re
from collections.abc import Iterator

from tpllint import Bad, FreeVariable, Good, Problem, Rule, Severity, Template, canonical

UNDEFINED = re.compile(r"'(.*)' is undefined")
TOLD_ELSEWHERE = ("user", "user-assistant-user", "system-user", "tools-declared")
"""Chats of which template-render-error tells that they fail."""


class UndeclaredKwarg(Rule):
    """The template reads a variable that callers have to know of.

    ## What it does
    Lists the variables that the template takes from its caller beside `messages`, `tools`, `documents`,
    `add_generation_prompt` and the special tokens, with what they count as where they are left out, if that is evident. It is a
    warning where a canonical conversation fails because the caller left the variable out and the template never asks
    whether it is there; the plain chats of which `template-render-error` speaks are left to it. Not listed are names
    that the template sets itself before it reads them.

    ## Why is this bad
    Nothing declares these variables: who does not read the template does not know that `enable_thinking=False` exists, or
    that a chat fails without it.

    ## References
    - [transformers: chat templates](https://huggingface.co/docs/transformers/chat_templating)
    """

    code = "TPL904"
    name = "undeclared-kwarg"
    category = "hygiene"
    severity = Severity.INFO
    judges_failures = True
    examples = (
        Bad(
            "{% set think = enable_thinking | default(true) %}"
            "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if think %}<think>{% endif %}",
            says='callers can set "enable_thinking"; left out, it counts as true',
            better="{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}<think>",
        ),
        Bad(
            "{% for m in messages %}{{ m.role }}: {{ m.content }}\n"
            "{% if m.tool_calls %}{{ indent + (m.tool_calls | tojson) }}\n{% endif %}{% endfor %}",
            says='a conversation fails where callers leave out "indent"',
            better="{% for m in messages %}{{ m.role }}: {{ m.content }}\n"
            "{% if m.tool_calls %}{{ '  ' + (m.tool_calls | tojson) }}\n{% endif %}{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}{{ guideline + m.content }}\n{% endfor %}",
            says='callers must set "guideline"',
            better="{% for m in messages %}{{ m.content }}\n{% endfor %}",
        ),
        Good(
            "{{ bos_token }}{% set date = strftime_now('%Y') %}{{ date }}{% if tools %}{{ tools | tojson }}{% endif %}"
            "{% if messages[0].role == 'system' %}{% set system = messages[0].content %}{% endif %}"
            "{% if system %}{{ system }}{% endif %}{% for m in messages %}{{ m.content }}{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if not template.free_variables:
            return
        failing = _failing(template)
        for variable in template.free_variables:
            yield failing.get(variable.name) or _listed(variable, variable.name in template.required_variables)


def _listed(variable: FreeVariable, required: bool) -> Problem:
    default = "" if variable.default is None else f"; left out, it counts as {variable.default}"
    return Problem(
        f'callers {"must" if required else "can"} set "{variable.name}"{default}',
        help="tell it in the model card",
        place=variable.place,
    )


def _failing(template: Template) -> dict[str, Problem]:
    """A problem for each variable without which a conversation fails."""
    unguarded = {variable.name for variable in template.free_variables if not variable.guarded}
    unguarded -= {_missing(template, name) or "" for name in TOLD_ELSEWHERE}
    found: dict[str, Problem] = {}
    for name in canonical() if unguarded else ():
        missing = _missing(template, name)
        if missing in unguarded:
            unguarded.remove(missing)
            found[missing] = Problem(
                f'a conversation fails where callers leave out "{missing}"',
                help="give it a default: {{ x | default(...) }}",
                severity=Severity.WARNING,
                render=template.render(name, generation_prompt=True),
            )
    return found


def _missing(template: Template, conversation: str) -> str | None:
    """The name that a conversation's render failed for want of."""
    error = template.render(conversation, generation_prompt=True).error
    found = UNDEFINED.fullmatch(error.message) if error is not None and error.type == "UndefinedError" else None
    return found[1] if found else None
