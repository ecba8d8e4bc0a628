from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Related, Rule, Severity, Template, listed


class NeedsNewerTransformers(Rule):
    """Older versions of transformers cannot render the template.

    ## What it does
    Tells the oldest version of transformers that has all that the template uses: `{% generation %}` came with 4.43.0,
    `{% break %}`, `{% continue %}` and `strftime_now` with 4.45.0, the arguments `ensure_ascii`, `separators` and `sort_keys`
    of `tojson` with 4.42.0 (read in the packages of these versions and of those before). A template that asks whether
    `strftime_now is defined` does not need it.

    This is information. With `requires = ["transformers>=4.40"]` in the configuration, or `--engine`, what the oldest of these
    versions lacks is an error where it does not parse the template and a warning where it raises.

    ## Why is this bad
    Who has an older transformers, or vLLM with one, gets a syntax error that does not tell the reason.

    ## References
    - [transformers: writing a chat template](https://huggingface.co/docs/transformers/chat_templating_writing)
    """

    code = "TPL706"
    name = "needs-newer-transformers"
    category = "portability"
    severity = Severity.INFO
    for_named_engines = True
    static = True
    examples = (
        Bad(
            "{% for m in messages %}{{ m.content }}{% if m.stop %}{% break %}{% endif %}{% endfor %}",
            says="transformers before 4.45.0 cannot parse {% break %}",
            better="{% set ns = namespace(on=true) %}{% for m in messages %}{% if ns.on %}{{ m.content }}"
            "{% set ns.on = not m.stop %}{% endif %}{% endfor %}",
        ),
        Bad(
            "{{ strftime_now('%d %b %Y') }}{{ messages[0].content }}",
            says="transformers before 4.45.0 raises at the function strftime_now",
            better="{{ strftime_now('%d %b %Y') if strftime_now is defined else '26 Jul 2024' }}{{ messages[0].content }}",
        ),
        Good("{% for m in messages %}{{ m.content | tojson }}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        for obstacle in template.obstacles:
            limit = obstacle.limit
            if limit.engine != "transformers" or limit.before is None:
                continue
            unparsed = limit.effect == "parse"
            level = Severity.ERROR if unparsed else Severity.WARNING
            yield Problem(
                f"transformers before {limit.before} {'cannot parse' if unparsed else 'raises at'} "
                f"{listed([use.construct for use in obstacle.uses])}",
                help=f"require transformers {limit.before}" + (f", or {obstacle.instead}" if obstacle.instead else ""),
                place=obstacle.uses[0].place,
                severity=level if obstacle.required else Severity.INFO,
                engine=obstacle.engine,
                related=tuple(Related(use.construct, use.place) for use in obstacle.uses[1:]),
            )
