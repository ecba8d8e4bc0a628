from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template


class BreaksOnNewerTransformers(Rule):
    """Newer versions of transformers refuse what the template does.

    ## What it does
    Finds `namespace()` attributes whose name begins with an underscore, given in the call or set later. transformers refuses
    them since 5.22.2; 5.22.1 and Jinja itself take them.

    It is information where `--engine` or `requires` names one older version, as in `transformers==5.20.0`.

    ## Why is this bad
    The template worked when it was published and now raises `SecurityError`, as soon as the statement is reached.

    ## References
    - [Jinja: sandbox](https://jinja.palletsprojects.com/en/stable/sandbox/)
    """

    code = "TPL707"
    name = "breaks-on-newer-transformers"
    category = "portability"
    severity = Severity.ERROR
    static = True
    examples = (
        Bad(
            "{% set ns = namespace(_first=true) %}{{ messages[0].content }}",
            says="transformers refuses a namespace attribute with a leading underscore since 5.22.2",
            better="{% set ns = namespace(first=true) %}{{ messages[0].content }}",
        ),
        Bad(
            "{% set ns = namespace(first=true) %}{% set ns._seen = 1 %}{{ messages[0].content }}",
            says="transformers refuses a namespace attribute with a leading underscore since 5.22.2",
            better="{% set ns = namespace(first=true) %}{% set ns.seen = 1 %}{{ messages[0].content }}",
        ),
        Good("{% set _first = true %}{{ messages[0].content }}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        named = any(requirement.engine == "transformers" for requirement in template.requirements)
        for obstacle in template.obstacles:
            limit = obstacle.limit
            if limit.engine == "transformers" and limit.since is not None:
                yield Problem(
                    f"transformers refuses {obstacle.uses[0].construct} since {limit.since}",
                    help="rename the attribute",
                    place=obstacle.uses[0].place,
                    severity=Severity.INFO if named and not obstacle.required else Severity.ERROR,
                )
