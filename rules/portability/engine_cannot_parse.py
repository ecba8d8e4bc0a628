from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Obstacle, Problem, Related, Rule, Severity, Template, listed, obstacles

UNTOLD = ("transformers", "minja")
"""One has rules of its own; of the other, which llama.cpp has no longer, only those hear who name it."""
ELSEWHERE = ("the operator % on text", "the test iterable on none")
"""Constructs that have a rule of their own."""
VERBS = {"parse": "cannot parse {}", "raise": "raises at {}", "differ": "renders {} otherwise than transformers"}


class EngineCannotParse(Rule):
    """An engine other than transformers cannot take the template.

    ## What it does
    Looks for constructs that Rust's minijinja, JavaScript's @huggingface/jinja, llama.cpp's engine or minja, which it had until
    January 2026, cannot parse, that they raise at, or that they render otherwise. [The table](../portability.md) was
    measured: each construct in a template of one line, in several versions of each engine. Nothing is executed.

    Without a word about engines this is information: what no version takes, and what old versions do not. Methods of Python
    are left to `python-method` then, and of minja, which llama.cpp has no longer, nothing is said. Of engines that you name
    with `--engine`, or with `requires` in the configuration, all that their versions cannot take is told, as an error where
    the template does not parse, since no chat works then, and as a warning otherwise.

    ## Why is this bad
    A template that is only tried in transformers fails in LM Studio, llama.cpp or text-generation-inference. llama.cpp
    used to log a line and to go on with another format.

    ## References
    - [lmstudio-bug-tracker issue 1342](https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/1342),
      [535](https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/535)
    - [llama-cpp-python issue 2225](https://github.com/abetlen/llama-cpp-python/issues/2225)
    - [minijinja issue 815](https://github.com/mitsuhiko/minijinja/issues/815)
    - [llama.cpp issue 11443](https://github.com/ggml-org/llama.cpp/issues/11443)
    """

    code = "TPL701"
    name = "engine-cannot-parse"
    category = "portability"
    severity = Severity.INFO
    for_named_engines = True
    static = True
    examples = (
        Bad(
            "{% for m in messages %}{{ m.role }}: {% generation %}{{ m.content }}{% endgeneration %}{% endfor %}",
            says="minijinja cannot parse {% generation %}",
            better="{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}{{ m.content | safe }}{% if m.tool_calls is sequence %}!{% endif %}{% endfor %}",
            says="@huggingface/jinja before 0.5.6 raises at the filter safe and the test sequence",
            better="{% for m in messages %}{{ m.content }}{% if m.tool_calls %}!{% endif %}{% endfor %}",
        ),
        Bad(
            "{{ 'You are a helper. ' 'Be kind.' }}{{ messages[0].content }}",
            says="minijinja before 2.0.1 cannot parse text literals side by side",
            better="{{ 'You are a helper. Be kind.' }}{{ messages[0].content }}",
        ),
        Bad(
            "{% for m in messages %}\r\n{{ m.content }}\r\n{% endfor %}",
            says="minijinja renders carriage returns otherwise than transformers",
            better="{% for m in messages %}\n{{ m.content }}\n{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}{% if m.tool_calls is not none and m.tool_calls | length > 0 %}!{% endif %}{% endfor %}",
            says="minijinja raises at the length of what may be missing",
            better="{% for m in messages %}{% if m.tool_calls %}!{% endif %}{% endfor %}",
        ),
        Good("{% for m in messages %}{{ '<|' + m.role + '|>' + m.content | trim }}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        for obstacle in _obstacles(template):
            first, *others = obstacle.uses
            yield Problem(
                f"{obstacle.limit.in_words} {VERBS[obstacle.limit.effect].format(_named(obstacle))}",
                help=obstacle.instead or "write it with what every engine knows",
                place=first.place,
                severity=_grade(obstacle),
                engine=obstacle.engine,
                related=tuple(Related(use.construct, use.place) for use in others),
            )


def _obstacles(template: Template) -> Iterator[Obstacle]:
    """All that engines the user names cannot take, and of the others what no rule about one construct tells."""
    uses = [use for use in template.uses if use.construct not in ELSEWHERE]
    for obstacle in obstacles(uses, template.requirements):
        if obstacle.required and obstacle.limit.engine != "transformers":
            yield obstacle
    for obstacle in obstacles([use for use in uses if not use.method], template.requirements):
        if not obstacle.required and obstacle.limit.engine not in UNTOLD:
            yield obstacle


def _named(obstacle: Obstacle) -> str:
    return listed([use.construct for use in obstacle.uses])


def _grade(obstacle: Obstacle) -> Severity:
    if not obstacle.required:
        return Severity.INFO
    return Severity.ERROR if obstacle.limit.effect == "parse" else Severity.WARNING
