from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tpllint import Bad, Good, Problem, Rule, Severity, Template

BY_FIRST_ARGUMENT = {"select": "test", "reject": "test", "map": "filter"}
BY_SECOND_ARGUMENT = {"selectattr": "test", "rejectattr": "test"}


class UnknownFilterOrTest(Rule):
    """A filter or test does not exist in transformers' environment.

    ## What it does
    Compares every filter and test, also those named as text in `map('...')`, `select('...')` and `selectattr(..., '...')`,
    with what Jinja and transformers provide. A name that the template asks for
    (`'from_json' is filter`) is left alone.

    ## Why is this bad
    Outside a condition the template does not compile; inside one it raises when the branch is first taken, often only in
    conversations with tools.

    ## References
    - [Jinja: list of built-in filters](https://jinja.palletsprojects.com/en/stable/templates/#builtin-filters)
    - [Jinja: list of built-in tests](https://jinja.palletsprojects.com/en/stable/templates/#builtin-tests)
    """

    code = "TPL703"
    name = "unknown-filter-or-test"
    category = "portability"
    severity = Severity.ERROR
    vets = True
    static = True
    examples = (
        Bad(
            "{% for key, value in messages[0] | dictitems %}{{ key }}{% endfor %}",
            says='there is no filter "dictitems" in transformers',
            better="{% for key, value in messages[0] | items %}{{ key }}{% endfor %}",
        ),
        Bad(
            "{% if tools %}{{ tools | from_json }}{% endif %}{{ messages[0].content }}",
            says='there is no filter "from_json" in transformers',
            better="{% if tools %}{{ tools | tojson }}{% endif %}{{ messages[0].content }}",
        ),
        Bad(
            "{% if tools is array %}{{ tools | tojson }}{% endif %}",
            says='there is no test "array" in transformers',
            better="{% if tools is sequence %}{{ tools | tojson }}{% endif %}",
        ),
        Good("{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | join | trim }}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.syntax is None:
            return
        asked_for = {
            getattr(test.node, "value", None) for test in template.syntax.find("Test") if test.name in ("filter", "test")
        }
        for node in template.syntax.find("Filter", "Test"):
            kind = type(node).__name__.lower()
            for what, name in ((kind, node.name), *_named(node)):
                known = template.syntax.filters if what == "filter" else template.syntax.tests
                if name not in known and name not in asked_for:
                    yield Problem(
                        f'there is no {what} "{name}" in transformers',
                        help=f"use one of Jinja's own {what}s, or write it out",
                        place=template.syntax.place(node),
                    )


def _named(node: Any) -> Iterator[tuple[str, str]]:
    """The filter or test that an argument names."""
    for table, position in ((BY_FIRST_ARGUMENT, 0), (BY_SECOND_ARGUMENT, 1)):
        if node.name in table and len(node.args or ()) > position:
            value = getattr(node.args[position], "value", None)
            if isinstance(value, str):
                yield table[node.name], value
