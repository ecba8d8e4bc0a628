from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template, listed

FILTERS = {"strip": "trim", "format": "format"}
SAME = ("capitalize", "count", "items", "join", "lower", "replace", "title", "upper")
"""Methods for which a filter of the same name does the same."""


class PythonMethod(Rule):
    """The template calls methods of Python's text, lists and dicts.

    ## What it does
    Finds calls such as `.strip()`, `.split()`, `.startswith()` and `.items()`, each method once, and names the engines that
    have no such method.

    ## Why is this bad
    Jinja hands the call to Python. Engines in other languages have no such methods and imitate the usual ones, each another
    set: minijinja only where its `pycompat` is switched on, as it is in its Python package from 2.9.0 on. Half of all published
    templates call one, so this is information; of engines that you name, `engine-cannot-parse` tells it in earnest.

    ## References
    - [text-generation-inference issue 1545](https://github.com/huggingface/text-generation-inference/issues/1545)
    - [mistral.rs issue 20](https://github.com/EricLBuehler/mistral.rs/issues/20)
    - [foundry-local issue 800](https://github.com/microsoft/foundry-local/issues/800)
    """

    code = "TPL708"
    name = "python-method"
    category = "portability"
    severity = Severity.INFO
    only_infos = True
    static = True
    examples = (
        Bad(
            "{% for m in messages %}{{ m.content.strip() }}{% endfor %}",
            says=".strip() is a method of Python, which minijinja before 2.9.0 lacks",
            better="{% for m in messages %}{{ m.content | trim }}{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}{{ m.content.split('</think>')[-1] }}{% endfor %}",
            says=".split() is a method of Python, which minijinja before 2.9.0 and @huggingface/jinja before 0.3.3 lack",
        ),
        Good("{% macro strip(x) %}{{ x }}{% endmacro %}{{ strip(messages[0].content) }}"),
        Good("{% for m in messages %}{{ loop.cycle('a', 'b') }}{{ m.items }}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        for use in template.uses:
            if use.method is not None:
                lacking = [limit.in_words for limit in use.limits]
                verb = "lacks" if len(lacking) == 1 else "lack"
                message = f"{use.construct} is a method of Python, which {listed(lacking)} {verb}"
                yield Problem(message, help=_instead(use.method), place=use.place)


def _instead(method: str) -> str:
    named = FILTERS.get(method, method if method in SAME else None)
    if named is not None:
        return f"use the filter {named}, which every engine has or can be given"
    return "name the engines that have to run it with --engine to hear which of them lacks the method"
