from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tpllint import Bad, Binding, Good, Problem, Related, Rule, Severity, Template

CONTEXT_LEAVES = ("Block", "Include", "Import", "FromImport", "Extends", "ContextReference")
"""Statements after which somebody else can read what is set."""


class UnusedSetOrMacro(Rule):
    """Something is set, or a macro defined, and nothing reads it.

    ## What it does
    Reports a name that is set, by `{% set %}` or as a macro, and that nothing reads in its scope, and an attribute of a
    `namespace` that is set and never read. Not reported are names that begin with an underscore, the names of a tuple, a value
    that is only replaced before anybody reads it, attributes of a namespace that is also used as a whole, and what is read
    outside its scope, which is `unset-variable-read`.

    ## Why is this bad
    It is dead weight at best. Often it is the trace of a mistake: a system message is put into a name, and the loop prints
    another.

    ## References
    - [Jinja: assignments](https://jinja.palletsprojects.com/en/stable/templates/#assignments)
    """

    code = "TPL907"
    name = "unused-set-or-macro"
    category = "hygiene"
    severity = Severity.INFO
    only_infos = True
    static = True
    examples = (
        Bad(
            "{% if messages[0].role == 'system' %}{% set rest = messages[1:] %}{% else %}{% set rest = messages %}{% endif %}"
            "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}",
            says='"rest" is set and never read',
            better="{% if messages[0].role == 'system' %}{% set rest = messages[1:] %}"
            "{% else %}{% set rest = messages %}{% endif %}"
            "{% for m in rest %}{{ m.role }}: {{ m.content }}\n{% endfor %}",
        ),
        Bad(
            "{% macro turn(m) %}{{ m.role }}: {{ m.content }}\n{% endmacro %}"
            "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}",
            says='the macro "turn" is never called',
            better="{% macro turn(m) %}{{ m.role }}: {{ m.content }}\n{% endmacro %}"
            "{% for m in messages %}{{ turn(m) }}{% endfor %}",
        ),
        Bad(
            "{% set ns = namespace(first=true) %}{% for m in messages %}{% set ns.last = m %}"
            "{{ '' if ns.first else '\n' }}{{ m.content }}{% set ns.first = false %}{% endfor %}",
            says='"ns.last" is set and never read',
            better="{% set ns = namespace(first=true) %}{% for m in messages %}"
            "{{ '' if ns.first else '\n' }}{{ m.content }}{% set ns.first = false %}{% endfor %}",
        ),
        Good(
            "{% set _ = {}.get('a') %}{% set text = '' %}"
            "{% for m in messages %}{% set text = m.content %}{{ text }}{% endfor %}"
            "{% if tools %}{% set text = 'tools' %}{% else %}{% set text = '' %}{% endif %}{{ text }}"
        ),
        Good(
            "{% set ns = namespace() %}{% for m in messages %}{% set ns.last = m.content %}{% endfor %}"
            "{% macro show(state) %}{{ state.last }}{% endmacro %}{{ show(ns) }}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.syntax is None or next(template.syntax.find(*CONTEXT_LEAVES), None) is not None:
            return
        yield from _names(template)
        yield from _attributes(template)


def _names(template: Template) -> Iterator[Problem]:
    groups: dict[Any, list[Binding]] = {}
    for binding in template.names.unread:
        if _counts(binding) and binding not in template.names.lost:
            groups.setdefault((binding.name, binding.scope), []).append(binding)
    for first, *others in groups.values():
        macro = first.kind == "macro"
        said = f'the macro "{first.name}" is never called' if macro else f'"{first.name}" is set and never read'
        yield _problem(template, said, first.node, [other.node for other in others])


def _counts(binding: Binding) -> bool:
    one = binding.kind in ("set block", "macro") or (binding.kind == "set" and binding.value is not None)
    return one and not binding.name.startswith("_")


def _attributes(template: Template) -> Iterator[Problem]:
    """Attributes of namespaces that are never handed on as a whole; names are compared wherever they stand."""
    assert template.syntax is not None
    written: dict[tuple[str, str], list[Any]] = {}
    for node in template.syntax.find("NSRef"):
        written.setdefault((node.name, node.attr), []).append(node)
    read = {node.attr for node in template.syntax.find("Getattr")}
    read |= {node.value for node in template.syntax.find("Const") if isinstance(node.value, str)}
    for (name, attribute), (first, *others) in written.items():
        if attribute not in read and not _is_handed_on(template, name):
            yield _problem(template, f'"{name}.{attribute}" is set and never read', first, others)


def _is_handed_on(template: Template, name: str) -> bool:
    """Whether a namespace is read other than for an attribute that is written out."""
    for read in template.names.reads_of(name):
        around: Any = read.inside[-1] if read.inside else None
        constant = type(around).__name__ == "Getitem" and type(around.arg).__name__ == "Const"
        if type(read.node).__name__ == "Name" and type(around).__name__ != "Getattr" and not constant:
            return True
    return False


def _problem(template: Template, message: str, node: Any, others: list[Any]) -> Problem:
    assert template.syntax is not None
    place = template.syntax.place
    related = tuple(Related("it is set here too", place=place(other)) for other in others[:3])
    return Problem(message, "read it where it was meant to be read, or remove it", place=place(node), related=related)
