from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template, canonical

MUTATING = frozenset(
    ("append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault", "sort", "update")
)
"""Methods of lists and dicts that Jinja's immutable sandbox refuses (`jinja2.sandbox.modifies_known_mutable`)."""

UNDERSCORED = "a namespace attribute with a leading underscore"


class SandboxViolation(Rule):
    """The template does what Jinja's sandbox refuses.

    ## What it does
    Finds calls of methods that change a list or dict, wherever they stand; without any, the first canonical conversation in
    which the sandbox stops the template. Of attributes that lead to Python's own objects `sandbox-escape-attempt` tells, of
    namespace attributes with a leading underscore, which only transformers refuses, `breaks-on-newer-transformers`.

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
    vets = True
    judges_failures = True
    examples = (
        Bad(
            "{% set seen = [] %}{% for m in messages %}{% set _ = seen.append(m.role) %}{{ m.content }}{% endfor %}",
            says="the sandbox refuses .append(): a list or dict cannot be changed in place",
            better="{% set ns = namespace(seen=[]) %}{% for m in messages %}"
            "{% set ns.seen = ns.seen + [m.role] %}{{ m.content }}{% endfor %}",
        ),
        Good("{{ messages[0].content.__class__.__mro__ }}{{ messages[0].content }}"),
        Good("{% set ns = namespace(_first=true) %}{{ messages[0].content }}"),
        Good("{% set ns = namespace(text='') %}{% for m in messages %}{% set ns.text = m.content %}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        told = False
        for problem in self._written(template):
            told = True
            yield problem
        told_elsewhere = template.attempts or any(use.construct == UNDERSCORED for use in template.uses)
        if not told and not told_elsewhere and template.failure is None:
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
