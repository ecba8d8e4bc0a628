from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, NamedTuple

from tpllint import Bad, Good, Problem, Render, Rule, Severity, Template, quoted

AROUND = 40
OWN_WORDS = 20
CALL = "tool-loop-without-tools"
DECLARED = "tools-declared"


class Case(NamedTuple):
    """A conversation, what its prompt must not hold, and how bad that is."""

    conversation: str
    what: str
    pattern: re.Pattern[str]
    severity: Severity


CASES = (
    Case(
        DECLARED,
        "a tool's definition",
        re.compile(r"'(?:name|function|type|properties|parameters|place)': ['{]"),
        Severity.ERROR,
    ),
    Case(
        CALL,
        "a tool call",
        re.compile(r"'(?:name|arguments|function|place)': ['{]"),
        Severity.ERROR,
    ),
    Case("user-parts", "content in parts", re.compile(r"['\"]type['\"]: ?['\"]text['\"]"), Severity.INFO),
    Case("assistant-parts", "an answer in parts", re.compile(r"['\"]type['\"]: ?['\"]text['\"]"), Severity.INFO),
)


class PythonReprContent(Rule):
    """A list or object is printed as Python writes it.

    ## What it does
    Looks for the single-quoted form of Python's dicts where tools are declared and called, and for a printed list where
    content comes in parts. The first is an error: the model learnt JSON. It is a warning for calls whose arguments render well
    when they come as a JSON string, and for tools that the source itself turns into text (`tools | string`): most likely that
    is what the model was trained on. The second is information, since many templates take text only; a tool's result in parts
    is `typed-tool-result-repr`.

    ## Why is this bad
    `{{ tools }}` writes `[{'type': 'function', ...}]`, with `True` and `None`: text that is no JSON, that differs in other
    engines, and that the model was not trained on.

    ## References
    - [transformers: writing a chat template](https://huggingface.co/docs/transformers/chat_templating_writing)
    - [vllm issue 16245](https://github.com/vllm-project/vllm/issues/16245)
    """

    code = "TPL305"
    name = "python-repr-content"
    category = "content"
    severity = Severity.ERROR
    raised_by: ClassVar = {"agent": Severity.WARNING}
    examples = (
        Bad(
            "{% if tools %}<tools>{{ tools }}</tools>{% endif %}{% for m in messages %}"
            "{{ m.content if m.content is string else m.content[0].text }}<|end|>{% endfor %}",
            says="a tool's definition is printed as Python writes it: \"'type': 'function', 'function': {'name':\"",
            better="{% if tools %}<tools>{{ tools | tojson }}</tools>{% endif %}{% for m in messages %}"
            "{{ m.content if m.content is string else m.content[0].text }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for tool in tools or [] %}{{ '<tool>' ~ tool ~ '</tool>' }}{% endfor %}{% for m in messages %}"
            "{{ m.content if m.content is string else m.content[0].text }}<|end|>{% endfor %}",
            says="a tool's definition is printed as Python writes it: \"'type': 'function', 'function': {'name':\"",
            better="{% for tool in tools or [] %}{{ '<tool>' ~ tool | tojson ~ '</tool>' }}{% endfor %}{% for m in messages %}"
            "{{ m.content if m.content is string else m.content[0].text }}<|end|>{% endfor %}",
        ),
        Good(
            "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{{ m.content[0].text }}{% endif %}"
            "<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.anatomy.reads_parts_only:
            return
        for case in CASES:
            render = template.render(case.conversation)
            if render.text is None and case.conversation == CALL:
                render = template.render("tool-loop")
            text = render.text
            found = None if text is None else _written_by_python(template, case, text)
            if text is not None and found is not None:
                yield Problem(
                    f"{case.what} is printed as Python writes it: {quoted(text[found : found + AROUND])}",
                    help="write it with the filter tojson, or take the parts one by one",
                    severity=_severity(template, case),
                    render=render,
                    holds=partial(_holds, template, case, text[found : found + AROUND]),
                    shows=found_words.span() if (found_words := case.pattern.match(text, found)) else None,
                )


def _holds(template: Template, case: Case, words: str, render: Render) -> bool:
    """Whether the same words are printed in another prompt."""
    text = render.text or ""
    found = _written_by_python(template, case, text)
    return found is not None and text.startswith(words, found)


def _written_by_python(template: Template, case: Case, text: str) -> int | None:
    """Where the prompt holds the notation and the template's own words do not."""
    places = (found.start() for found in case.pattern.finditer(text))
    return next((at for at in places if text[at : at + OWN_WORDS] not in template.text), None)


def _severity(template: Template, case: Case) -> Severity:
    """A call whose arguments come as a JSON string, as over the wire, may render well; a tool may be converted on purpose."""
    if case.conversation == DECLARED:
        return Severity.WARNING if _converts_tools(template) else case.severity
    if case.conversation != CALL:
        return case.severity
    over_the_wire = template.render_conversation(replace(template.conversation("tool-loop-string-arguments"), tools=None))
    if over_the_wire.text is None:
        over_the_wire = template.render("tool-loop-string-arguments")
    text = over_the_wire.text
    clean = over_the_wire.limited or (text is not None and _written_by_python(template, case, text) is None)
    return Severity.WARNING if clean else case.severity


def _converts_tools(template: Template) -> bool:
    """Whether the source turns tools into text itself, as in `tools | string`: then the notation was chosen."""
    if template.syntax is None:
        return False
    names = {"tools"}
    for loop in template.syntax.find("For"):
        if any(name in names for name in _names(loop.iter)):
            names.update(_names(loop.target))
    converted = (node.node for node in template.syntax.find("Filter") if node.name == "string")
    joined = (part for node in template.syntax.find("Concat") for part in node.nodes)
    return any(getattr(value, "name", None) in names for value in (*converted, *joined))


def _names(node: Any) -> Iterator[str]:
    """The names of variables in an expression."""
    if type(node).__name__ == "Name":
        yield node.name
    for child in node.iter_child_nodes():
        yield from _names(child)
