from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from tpllint import Bad, Good, Problem, Render, Rule, Severity, Template, quoted

OBJECT, LIST = {"inner": "jasper"}, ["harbour", "jasper"]
CHOICES, TYPES = ["unit-quartz", "unit-reed"], ["string", "null"]
DOCUMENT = {"title": "title-fern", "text": "document-fern"}
PARAMETERS = {
    "unit": {"type": "string", "enum": CHOICES},
    "place": {"type": TYPES, "description": "The place-lotus."},
}


class DirectContainerPrint(Rule):
    """A list or object is printed without the filter tojson: a document, or a part of a tool's call or definition.

    ## What it does
    Passes documents, and lists and objects inside of a call's arguments and of a tool's schema, and looks for them in the
    prompt as Python writes them, `['harbour', 'jasper']`. Documents are a warning; the parts of a tool, such as its `enum`,
    are information: some models were trained on them. Whole definitions, calls and messages that are printed so are
    [python-repr-content](python-repr-content.md)'s.

    The first idea, to ask every output for its type, finds the same places and needs the second compilation of every
    template; the values here are the rule's own, so that their printed form is known.

    ## Why is this bad
    It is no JSON, with `True` and `None` in it and quotes that depend on the text. Every engine but Python's prints something
    else: `[object Object]`, JSON, or nothing.

    ## References
    - [transformers: writing a chat template](https://huggingface.co/docs/transformers/chat_templating_writing)
    """

    code = "TPL709"
    name = "direct-container-print"
    category = "portability"
    severity = Severity.WARNING
    raised_by: ClassVar = {"agent": Severity.WARNING}
    examples = (
        Bad(
            "{% for t in tools or [] %}{{ t.function.name }}"
            "{% for name, p in t.function.parameters.properties.items() %} {{ name }}"
            ": {{ p.type if p.type is string else '' }} {{ p.description }} {{ p.enum or '' }}{% endfor %}{% endfor %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says="a list in a tool's schema is printed as Python writes it: \"['unit-quartz', 'unit-reed']\"",
            better="{% for t in tools or [] %}{{ t.function.name }}"
            "{% for name, p in t.function.parameters.properties.items() %} "
            "{{ name }}: {{ p.type if p.type is string else '' }} {{ p.description }} {{ p.enum | tojson if p.enum }}"
            "{% endfor %}{% endfor %}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for d in documents or [] %}<document>{{ d }}</document>{% endfor %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says="an object among the documents is printed as Python writes it: "
            "\"{'title': 'title-fern', 'text': 'document-fern'}\"",
            better="{% for d in documents or [] %}<document>{{ d.title }}: {{ d.text }}</document>{% endfor %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}<call="
            "{{ c.function.name }}>"
            "{% for key, value in c.function.arguments.items() %}<arg={{ key }}>{{ value }}</arg>{% endfor %}</call>"
            "{% endfor %}"
            "<|end|>{% endfor %}",
            says="an object in a tool call is printed as Python writes it: \"{'inner': 'jasper'}\"",
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}<call="
            "{{ c.function.name }}>"
            "{% for key, value in c.function.arguments.items() %}<arg={{ key }}>"
            "{{ value if value is string else value | tojson }}</arg>{% endfor %}</call>{% endfor %}<|end|>{% endfor %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        payloads = template.payloads
        if "documents" in template.text:
            given = payloads.with_documents([DOCUMENT])
            yield from _printed("among the documents", given, 0, (DOCUMENT,), Severity.WARNING)
        if template.anatomy.renders_tools:
            declared = payloads.declared(payloads.with_parameters(PARAMETERS))
            whole = any(key in (declared.text or "") for key in ("'enum':", "'type':"))
            yield from () if whole else _printed("in a tool's schema", declared, 0, (CHOICES, TYPES), Severity.INFO)
        if payloads.format in ("a Python dictionary", "a Python call"):
            return
        for value in (OBJECT, LIST):
            call = payloads.written({"place": value})
            problem = next(_printed("in a tool call", call.render, call.start, (value,), Severity.INFO), None) if call else None
            if problem is not None:
                yield problem
                return


def _printed(where: str, render: Render, start: int, values: tuple[Any, ...], severity: Severity) -> Iterator[Problem]:
    """The first of these values that stands in a prompt in Python's notation."""
    text = render.text or ""
    for value in values:
        at = text.find(str(value), start)
        if at >= 0:
            what = "a list" if isinstance(value, list) else "an object"
            yield Problem(
                f"{what} {where} is printed as Python writes it: {quoted(str(value))}",
                help="write it with the filter tojson",
                severity=severity,
                render=render,
                shows=(at, at + len(str(value))),
            )
            return
