from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tpllint import Bad, Good, Place, Problem, Rule, Severity, Template, quoted

REFUSAL = re.compile(r"\s*\{\{-?\s*raise_exception\([^{}]*\)\s*-?\}\}\s*")
NEEDS = ("true", "false")
"""What can be said of a condition; that a loop has no items or a macro no call is another matter."""


class UnreachableBranch(Rule):
    """No conversation reaches a branch of the template.

    ## What it does
    Renders every canonical conversation, with and without the generation prompt, and notes which branches run: plain chats,
    all roles, content as text and in parts, tools, calls and results, reasoning, images. A branch that none of them enters is
    reported with the condition that keeps it shut. It is information.

    Nothing is said of branches that only refuse with `raise_exception`, and of those that open with a variable of the caller's
    own, which `tpllint describe` lists.

    ## Why is this bad
    Code that never runs hides mistakes in conditions, such as a misspelt role or a key that no message has. What it was meant
    to do is missing from every prompt.

    ## References
    - [Jinja: list of control structures](https://jinja.palletsprojects.com/en/stable/templates/#list-of-control-structures)
    """

    code = "TPL905"
    name = "unreachable-branch"
    category = "hygiene"
    severity = Severity.INFO
    only_infos = True
    examples = (
        Bad(
            "{% for m in messages %}{% if m.role == 'systen' %}<|system|>{{ m.content }}<|end|>{% else %}"
            "<|{{ m.role }}|>{{ m.content }}<|end|>{% endif %}{% endfor %}",
            says="no canonical conversation enters this branch: \"m.role == 'systen'\" is never true",
            better="{% for m in messages %}{% if m.role == 'system' %}<|system|>{{ m.content }}<|end|>{% else %}"
            "<|{{ m.role }}|>{{ m.content }}<|end|>{% endif %}{% endfor %}",
        ),
        Good(
            "{% if messages[0].role == 'robot' %}{{ raise_exception('no robots') }}{% endif %}"
            "{% if shout %}!{% endif %}{% for m in messages %}{{ m.content }}<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        coverage = template.coverage
        if coverage is None:
            return
        callers = {variable.name for variable in template.free_variables}
        for body in coverage["unreached"]:
            place = Place(body["start"], body["end"])
            if _is_told(body, callers) and not REFUSAL.fullmatch(template.text, place.start, place.end):
                yield Problem(
                    f"no canonical conversation enters this branch: {_condition(body)}",
                    help="check the names and the values that the condition asks for, or remove the branch",
                    place=_shown(template, place),
                )


def _is_told(body: Mapping[str, Any], callers: set[str]) -> bool:
    roots = {re.split(r"\W", name, maxsplit=1)[0] for name in body["names"]}
    return bool(body["conditions"]) and body["needs"] in NEEDS and not roots & callers


def _condition(body: Mapping[str, Any]) -> str:
    """The condition that keeps a body shut, in words."""
    first, *others = body["conditions"]
    beside = f", with {len(others)} more of the kind" if others else ""
    return f"{quoted(first)} is {'never' if body['needs'] == 'true' else 'always'} true{beside}"


def _shown(template: Template, place: Place) -> Place:
    """The first line of the body that has words."""
    words = re.compile(r"\S[^\n]*").search(template.text, place.start, place.end)
    return Place(words.start(), words.end()) if words else place
