from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template


class NoneIsIterableGuard(Rule):
    """`is iterable` is all that keeps none out.

    ## What it does
    Finds conditions with `x is iterable`, for the tools, documents, tool calls or arguments that callers pass as none, where
    nothing else in the condition or around it keeps none out, and x is counted or walked through behind it.

    It is information unless `--engine` or `requires` names minijinja: several well-known models have this condition, and in
    transformers it does what is meant.

    ## Why is this bad
    In minijinja none is iterable. `tools | length` then raises, or a list of no tools is announced.

    ## References
    - [minijinja: compatibility with Jinja2](https://github.com/mitsuhiko/minijinja/blob/main/COMPATIBILITY.md)
    """

    code = "TPL710"
    name = "none-is-iterable-guard"
    category = "portability"
    severity = Severity.INFO
    for_named_engines = True
    static = True
    examples = (
        Bad(
            "{% if tools is iterable and tools | length > 0 %}Tools: {{ tools | tojson }}{% endif %}{{ messages[0].content }}",
            says="in minijinja none is iterable, and nothing else here keeps it out",
            better="{% if tools %}Tools: {{ tools | tojson }}{% endif %}{{ messages[0].content }}",
        ),
        Bad(
            "{% if tools is iterable %}Tools:{% for t in tools %}{{ t | tojson }}{% endfor %}{% endif %}{{ messages[0].role }}",
            says="in minijinja none is iterable, and nothing else here keeps it out",
        ),
        Good(
            "{% if tools and tools is iterable and tools | length > 0 %}{{ tools | tojson }}{% endif %}{{ messages[0].role }}"
        ),
        Good("{% if tools is not none %}{% if tools is iterable %}{{ tools | length }}{% endif %}{% endif %}{{ messages }}"),
        Good("{% if messages[0].content is iterable %}{{ messages[0].content | length }}{% endif %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        for obstacle in template.obstacles:
            for use in obstacle.uses:
                if use.construct == "the test iterable on none":
                    yield Problem(
                        "in minijinja none is iterable, and nothing else here keeps it out",
                        help="ask for its truth first, as in: if tools and tools is iterable",
                        place=use.place,
                        severity=Severity.WARNING if obstacle.required else Severity.INFO,
                        engine=obstacle.engine,
                    )
