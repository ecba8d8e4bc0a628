from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template

KEYWORDS = {"Include": "include", "Import": "import", "FromImport": "from ... import", "Extends": "extends"}


class LoaderStatement(Rule):
    """The template asks for another file.

    ## What it does
    Finds `include`, `import`, `from ... import` and `extends`.

    ## Why is this bad
    A chat template is one text without a loader: the statement compiles and then always raises `TypeError: no loader for this
    environment specified`. In an engine that does have a loader it reads files of the server.

    ## References
    - [Jinja: loaders](https://jinja.palletsprojects.com/en/stable/api/#loaders)
    """

    code = "TPL704"
    name = "loader-statement"
    category = "portability"
    severity = Severity.ERROR
    vets = True
    static = True
    examples = (
        Bad(
            "{% include 'header.jinja' %}{{ messages[0].content }}",
            says='"include" needs another file, and a chat template has no loader',
            better="{{ bos_token }}{{ messages[0].content }}",
        ),
        Bad(
            "{% from 'macros.jinja' import turn %}{{ turn(messages[0]) }}",
            says='"from ... import" needs another file, and a chat template has no loader',
            better="{% macro turn(m) %}{{ m.content }}{% endmacro %}{{ turn(messages[0]) }}",
        ),
        Good("{% macro turn(m) %}{{ m.content }}{% endmacro %}{{ turn(messages[0]) }}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.syntax is None:
            return
        for node in template.syntax.find(*KEYWORDS):
            yield Problem(
                f'"{KEYWORDS[type(node).__name__]}" needs another file, and a chat template has no loader',
                help="write the other file's text into this one, as a macro where it is used twice",
                place=template.syntax.place(node),
            )
