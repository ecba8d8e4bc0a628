from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Render, Rule, Severity, Template, canonical

RENDERING = "rendering "
ALWAYS_RENDERED = ("user", "user-assistant-user", "tool-loop")


class ResourceExhaustion(Rule):
    """Rendering a chat takes more time, memory or text than any chat needs.

    ## What it does
    Templates run in a process with bounds: seven seconds for all renders and ten in all, 1 GB of memory, four million
    characters of prompt, Python's own recursion limit. This rule speaks when one of them is reached while parsing, compiling
    or rendering.

    ## Why is this bad
    A chat template runs at every request. One that loops over nested ranges, repeats text or calls itself stops the server
    of whoever loads it.

    ## References
    - [Jinja: sandbox security considerations](https://jinja.palletsprojects.com/en/stable/sandbox/#security-considerations)
    """

    code = "TPL808"
    name = "resource-exhaustion"
    category = "security"
    severity = Severity.ERROR
    judges_failures = True
    examples = (
        Bad(
            "{% macro deeper(n) %}{{ deeper(n + 1) }}{% endmacro %}{{ deeper(0) }}",
            says="rendering user reaches a limit: it calls itself deeper than Python allows",
            better="{% macro turn(m) %}{{ m.content }}{% endmacro %}{{ turn(messages[0]) }}",
        ),
        Bad(
            "{% for i in range(200000) %}{{ i }}{% endfor %}",
            says="rendering user reaches a limit: Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).",
        ),
        Good("{% for i in range(100) %}{% endfor %}{{ messages[0].content }}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.failure is None:
            for name in ALWAYS_RENDERED:
                template.render(name)
        first = [f"{RENDERING}{name}" for name in ALWAYS_RENDERED if f"{RENDERING}{name}" in template.exhausted]
        for step in [*first, *template.exhausted][:1]:
            yield Problem(
                f"{step} reaches a limit: {template.exhausted[step]}",
                help="bound the loops, repetitions and recursion by what a conversation holds",
                render=_ended(template, step),
            )


def _ended(template: Template, step: str) -> Render | None:
    """The canonical render that a limit ended; None where the step was another one."""
    name = step.removeprefix(RENDERING)
    if name == step or name not in canonical():
        return None
    renders = (template.render(name, generation_prompt=flag) for flag in (False, True))
    return next((render for render in renders if render.error is not None), None)
