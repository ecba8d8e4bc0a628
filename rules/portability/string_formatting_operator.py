from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template, listed


class StringFormattingOperator(Rule):
    """Text is put together with the operator %.

    ## What it does
    Finds `%` where the left side is evidently text: a literal, what `~` joins, or what a filter such as `string` gives.

    It is information unless `--engine` or `requires` names an engine other than transformers.

    ## Why is this bad
    In Python `'%s' % x` puts x into the text. Every other engine knows `%` as the remainder of numbers alone and raises.

    ## References
    - [Jinja: the filter format](https://jinja.palletsprojects.com/en/stable/templates/#jinja-filters.format)
    """

    code = "TPL711"
    name = "string-formatting-operator"
    category = "portability"
    severity = Severity.INFO
    for_named_engines = True
    static = True
    examples = (
        Bad(
            "{% for m in messages %}{{ '<|%s|>' % m.role }}{{ m.content }}{% endfor %}",
            says="% puts text together in Python alone: minijinja, @huggingface/jinja, minja and llama.cpp raise",
            better="{% for m in messages %}{{ '<|' ~ m.role ~ '|>' }}{{ m.content }}{% endfor %}",
        ),
        Good("{% for m in messages %}{{ 'a' if loop.index0 % 2 == 0 else 'b' }}{{ m.content }}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        found = [(one, use) for one in template.obstacles for use in one.uses if use.construct == "the operator % on text"]
        if not found:
            return
        required = any(obstacle.required for obstacle, _ in found)
        yield Problem(
            f"% puts text together in Python alone: {listed([obstacle.engine for obstacle, _ in found])} raise",
            help="join the pieces with ~",
            place=found[0][1].place,
            severity=Severity.WARNING if required else Severity.INFO,
        )
