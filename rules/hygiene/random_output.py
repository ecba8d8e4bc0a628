from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tpllint import Bad, Good, Problem, Render, Rule, Severity, Template

CONVERSATIONS = ("user-assistant-user", "system-user-assistant-user", "tools-declared", "tool-loop-follow-up")
ADDRESS = re.compile(r"<[^<>\n]{1,80} at 0x[0-9a-fA-F]{6,}>")


class RandomOutput(Rule):
    """The prompt is another one each time it is made.

    ## What it does
    Finds the filter `random` and the function `lipsum`, wherever they can be reached: not below `{% if false %}` and not in a
    macro that nobody calls. Looks in prompts for the address of an object, such as `<generator object ... at 0x7f...>`, which
    appears where `| map(...)` or `| select(...)` is printed without `| list` or `| join`.

    ## Why is this bad
    The same conversation gives another prompt: nothing can be cached, compared or reproduced, and a reviewer reads a prompt
    that nobody else ever sees. An address of memory means nothing to a model either.

    ## References
    - [Jinja: random](https://jinja.palletsprojects.com/en/stable/templates/#jinja-filters.random)
    - [Jinja: lipsum](https://jinja.palletsprojects.com/en/stable/templates/#jinja-globals.lipsum)
    """

    code = "TPL902"
    name = "random-output"
    category = "hygiene"
    severity = Severity.ERROR
    vets = True
    examples = (
        Bad(
            "{{ ['Hello.', 'Good day.'] | random }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says='"random" chooses anew each time the prompt is made',
            better="{{ ['Hello.', 'Good day.'] | first }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>"
            "{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content or lipsum(1) }}<|end|>{% endfor %}",
            says='"lipsum" makes up another text each time the prompt is made',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}<|end|>{% endfor %}",
        ),
        Bad(
            "<|system|>Roles: {{ messages | map(attribute='role') }}<|end|>"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says="the address of an object is written into the prompt, and it is another one each time",
            better="<|system|>Roles: {{ messages | map(attribute='role') | join(', ') }}<|end|>"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Good("{% if false %}{{ messages | random }}{% endif %}{% for m in messages %}{{ m.content }}<|end|>{% endfor %}"),
        Good(
            "{% set lipsum = 'Write the ID as a random string.' %}{{ lipsum }}"
            "{% for m in messages %}{{ m.content }}<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.syntax is None:
            return
        names = list(template.syntax.find("Name"))
        read = {node.name for node in names if node.ctx == "load"}
        own = {node.name for node in names if node.ctx != "load"}
        found = ((node, _chance(node, own)) for node in _reached(template.syntax.tree, read))
        for node, said in sorted(((node, said) for node, said in found if said), key=lambda pair: pair[0].lineno):
            yield Problem(said, help="write text that is the same each time", place=template.syntax.place(node))
        yield from _addresses(template)


def _reached(tree: Any, read: set[str]) -> Iterator[Any]:
    """Every node that can run at all."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if type(node).__name__ != "Macro" or node.name in read:
            waiting.extend(node.iter_child_nodes(exclude=("body", "expr1") if _is_never(node) else ()))


def _is_never(node: Any) -> bool:
    """Whether a node is a condition that is false as it is written."""
    return type(node).__name__ in ("If", "CondExpr") and type(node.test).__name__ == "Const" and not node.test.value


def _chance(node: Any, own: set[str]) -> str | None:
    """What is wrong with a node that leaves something to chance."""
    kind = type(node).__name__
    if kind == "Filter" and "random" in (node.name, _named_filter(node)):
        return '"random" chooses anew each time the prompt is made'
    if kind == "Call" and getattr(node.node, "name", None) == "lipsum" and "lipsum" not in own:
        return '"lipsum" makes up another text each time the prompt is made'
    return None


def _named_filter(node: Any) -> object:
    return getattr(node.args[0], "value", None) if node.name == "map" and node.args else None


def _addresses(template: Template) -> Iterator[Problem]:
    for name in CONVERSATIONS:
        render: Render = template.render(name, generation_prompt=True)
        found = ADDRESS.search(render.text or "")
        if found:
            yield Problem(
                "the address of an object is written into the prompt, and it is another one each time",
                help="make a text of it, with | list, | join or | tojson",
                render=render,
                shows=found.span(),
            )
            return
