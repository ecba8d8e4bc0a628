from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tpllint import Bad, Good, Problem, Rule, Severity, Template, canonical

MUTATING = frozenset(
    ("append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault", "sort", "update")
)
"""Methods of lists and dicts that Jinja's immutable sandbox refuses (`jinja2.sandbox.modifies_known_mutable`)."""

UNDERSCORED = "a namespace attribute with a leading underscore"


class SandboxViolation(Rule):
    """The template does what Jinja's sandbox refuses.

    ## What it does
    Finds calls of methods that change a list or dict and attributes with two leading underscores, wherever they stand; without
    any, the first canonical conversation in which the sandbox stops the template. Of namespace attributes with a leading
    underscore, which only transformers refuses, `breaks-on-newer-transformers` tells.

    ## Why is this bad
    transformers renders in an immutable sandbox: the call raises `SecurityError`. Engines without one (llama.cpp's) accept
    it, so a template that was tested there fails in transformers and vLLM.

    ## References
    - [Jinja: sandbox](https://jinja.palletsprojects.com/en/stable/sandbox/)
    - [LlamaFactory issue 7512](https://github.com/hiyouga/LlamaFactory/issues/7512)
    """

    code = "TPL705"
    name = "sandbox-violation"
    category = "portability"
    severity = Severity.ERROR
    judges_failures = True
    examples = (
        Bad(
            "{% set seen = [] %}{% for m in messages %}{% set _ = seen.append(m.role) %}{{ m.content }}{% endfor %}",
            says="the sandbox refuses .append(): a list or dict cannot be changed in place",
            better="{% set ns = namespace(seen=[]) %}{% for m in messages %}"
            "{% set ns.seen = ns.seen + [m.role] %}{{ m.content }}{% endfor %}",
        ),
        Bad(
            "{{ messages[0].content.__class__ }}{{ messages[0].content }}",
            says="the sandbox hides __class__: what is asked of it is empty text or raises",
            better="{{ messages[0].content }}",
        ),
        Good("{% set ns = namespace(_first=true) %}{{ messages[0].content }}"),
        Good("{% set ns = namespace(text='') %}{% for m in messages %}{% set ns.text = m.content %}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        told = False
        for problem in self._written(template):
            told = True
            yield problem
        refused_elsewhere = any(use.construct == UNDERSCORED for use in template.uses)
        if not told and not refused_elsewhere and template.failure is None:
            yield from self._executed(template)

    def _written(self, template: Template) -> Iterator[Problem]:
        if template.syntax is None:
            return
        for node in template.syntax.find("Call"):
            method = getattr(node.node, "attr", None)
            if method in MUTATING:
                yield Problem(
                    f"the sandbox refuses .{method}(): a list or dict cannot be changed in place",
                    help="build a new value instead, and keep it in a namespace where a loop has to hand it on",
                    place=template.syntax.place(node.node),
                )
        for name, node in _hidden(template):
            yield Problem(
                f"the sandbox hides {name}: what is asked of it is empty text or raises",
                help="use only what messages hold, filters and tests; there is no way to Python's own objects",
                place=template.syntax.place(node),
            )

    def _executed(self, template: Template) -> Iterator[Problem]:
        for name in canonical():
            render = template.render(name, generation_prompt=True)
            if render.error is not None and render.error.kind == "sandbox":
                yield Problem(
                    f"the sandbox stops the template: {render.error.message}",
                    help="use only values and filters; no underscore attributes, no changes in place",
                    render=render,
                )
                return


def _hidden(template: Template) -> Iterator[tuple[str, Any]]:
    """Attributes with two leading underscores, by dot, by subscript or by the filter `attr`."""
    if template.syntax is None:
        return
    for node in template.syntax.find("Getattr", "Getitem", "Filter"):
        kind = type(node).__name__
        if kind == "Filter" and not (node.name == "attr" and node.args):
            continue
        name = node.attr if kind == "Getattr" else getattr(node.args[0] if kind == "Filter" else node.arg, "value", None)
        if isinstance(name, str) and name.startswith("__"):
            yield name, node
