from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template


class TemplateSyntaxError(Rule):
    """The template does not compile.

    ## What it does
    Compiles the template in transformers' environment, to Jinja's syntax tree and on to the Python code that Jinja makes of
    it. Both steps can fail: a `break` inside `{% generation %}`, or more than twenty nested loops, pass Jinja's grammar and
    are refused by Python.

    ## Why is this bad
    `apply_chat_template` raises for every conversation. Servers refuse the model or, worse, fall back to another format.

    ## References
    - [Jinja: template designer documentation](https://jinja.palletsprojects.com/en/stable/templates/)
    """

    code = "TPL001"
    name = "template-syntax-error"
    category = "syntax"
    severity = Severity.ERROR
    judges_failures = True
    examples = (
        Bad(
            "{% for message in messages %}{{ message.content }}",
            says="the template does not compile: Unexpected end of template. Jinja was looking for the "
            "following tags: 'endfor' or 'else'. The innermost block that needs to be closed is 'for'",
            better="{% for message in messages %}{{ message.content }}{% endfor %}",
        ),
        Bad(
            "{{ messages[0].content | }}",
            says="the template does not compile: expected token 'name', got 'end of print statement'",
            better="{{ messages[0].content | trim }}",
        ),
        Bad(
            "{% for m in messages %}{% generation %}{% break %}{% endgeneration %}{% endfor %}",
            says="the template does not compile: Jinja accepts it, but Python refuses the code: 'break' outside loop",
        ),
        Good("{# a comment #}{% for message in messages %}{{ message.content }}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        failure = template.failure
        if failure is None or failure.kind not in ("syntax", "python"):
            return
        why = (
            failure.message if failure.kind == "syntax" else f"Jinja accepts it, but Python refuses the code: {failure.message}"
        )
        yield Problem(
            f"the template does not compile: {_sentence(why)}",
            help="repair the syntax at this place; nothing can be rendered before",
            place=template.place(failure.offset),
        )


def _sentence(message: str) -> str:
    return message.rstrip(".")
