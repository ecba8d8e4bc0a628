from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from tpllint import TOOL, Bad, Good, Problem, Render, Rule, Severity, Template, listed, quoted

TYPE, AROUND = "type-agate", 30
UNTYPED: dict[str, Any] = {"place": {"description": "The place-lotus.", "anyOf": [{"type": "string"}, {"type": "null"}]}}
CHOICES: dict[str, dict[str, Any]] = {"anyOf": UNTYPED, "a list of types": {"place": {"type": ["string", "null"]}}}
WORD_BEFORE, WORD_AFTER = re.compile(r"[^\s,{}()]{0,30}\s{0,2}$"), re.compile(r"[^\s,{}()]{0,30}")


class Part(NamedTuple):
    """A part of a tool's schema: what it is, parameters that hold it, and words of it that must show in the prompt."""

    what: str
    parameters: Mapping[str, Any]
    words: tuple[str, ...]
    severity: Severity = Severity.WARNING

    @property
    def parents(self) -> tuple[str, ...]:
        """The names of the parameters that hold it."""
        return tuple(self.parameters)


INNER = {"inner_yarrow": {"type": "string", "description": "An inner-yarrow."}}
PARTS = (
    Part("a parameter's description", {"place": {"type": "string", "description": "The place-lotus."}}, ("place-lotus",)),
    Part("enum", {"unit": {"type": "string", "enum": ["unit-quartz", "unit-reed"]}}, ("unit-quartz", "unit-reed")),
    Part("the properties of an object", {"outer": {"type": "object", "properties": INNER}}, ("inner_yarrow",)),
    Part(
        "the properties of a list's items",
        {"many": {"type": "array", "items": {"type": "object", "properties": INNER}}},
        ("inner_yarrow",),
    ),
    Part(
        "anyOf",
        {"limit": {"anyOf": [{"type": "string", "enum": ["limit-umber"]}, {"type": "null"}]}},
        ("limit-umber",),
        Severity.INFO,
    ),
    Part(
        "the description of an inner property",
        {"outer": {"type": "object", "properties": INNER}},
        ("inner-yarrow",),
        Severity.INFO,
    ),
)


class ToolSchemaTruncated(Rule):
    """A part of a tool's schema does not reach the prompt, although other parts do.

    ## What it does
    Declares tools whose schema uses one keyword at a time, such as `enum` or an object in an object, each with words of its
    own, and looks for those words. It speaks where the tool's name and the parameter's show in the prompt and the words do
    not. Choices (`anyOf`) and descriptions inside of an object are information where they are lost: formats with a notation of
    their own for types often leave them out knowingly. A parameter without a type that is written with an empty one is
    reported as well; the servers of tools declare many that have `anyOf` or `$ref` in place of a type. So is a template that
    walks through such a choice without end.

    ## Why is this bad
    The model has to guess what it may pass. A field it does not know of stays empty, an allowed value is invented.

    ## References
    - [lmstudio issue 1749](https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/1749)
    - [transformers: tool schemas](https://huggingface.co/docs/transformers/chat_extras)
    """

    code = "TPL410"
    name = "tool-schema-truncated"
    category = "tools"
    severity = Severity.WARNING
    judges_failures = True
    raised_by: ClassVar = {"agent": Severity.WARNING}
    examples = (
        Bad(
            "{% for t in tools or [] %}{{ t.function.name }}({% for name, p in t.function.parameters.properties.items() %}"
            "{{ name }}: {{ p.type or 'any' }} ({{ p.description }}) {% endfor %}){% endfor %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says="parts of a tool's schema are missing from the prompt: enum, the properties of an object "
            "and the properties of a list's items",
            better="{% for t in tools or [] %}{{ t | tojson }}{% endfor %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for t in tools or [] %}{{ t.function.name }}({% for name, p in t.function.parameters.properties.items() %}"
            "{{ name }}: type {{ p.type }}, {{ p.description or p | tojson }}{% endfor %}){% endfor %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says='a parameter without a type is declared with an empty one: "type "',
            better="{% for t in tools or [] %}{{ t | tojson }}{% endfor %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if not template.anatomy.renders_tools:
            return
        for severity in (Severity.WARNING, Severity.INFO):
            lost = [(part, render) for part in PARTS if part.severity is severity and (render := _without(template, part))]
            if lost:
                yield Problem(
                    f"parts of a tool's schema are missing from the prompt: {listed([part.what for part, _ in lost])}",
                    help="write the schema with the filter tojson, or write these parts as well",
                    severity=severity,
                    render=lost[0][1],
                    shows=lost[0][0].parents[0],
                )
        yield from _empty_type(template)
        yield from _endless(template)


def _without(template: Template, part: Part) -> Render | None:
    """The prompt in which the tool and its parameter stand without this part."""
    render = template.payloads.declared(template.payloads.with_parameters(part.parameters))
    text = render.text
    if text is None or not all(word in text for word in (TOOL, *part.parents)):
        return None
    return None if all(word in text for word in part.words) else render


def _empty_type(template: Template) -> Iterator[Problem]:
    """A prompt that is, but for the missing type, the one with a type."""
    payloads = template.payloads
    for conversation in (template.conversation("tools-with-bare-parameter"), payloads.with_parameters(UNTYPED)):
        with_type = payloads.declared(payloads.with_type(conversation, TYPE)).text
        render = payloads.declared(conversation)
        if with_type is None or render.text is None:
            continue
        for word in (TYPE, TYPE.upper()):
            at = with_type.find(word)
            if at >= 0 and with_type.replace(word, "") == render.text:
                start, end = _word_around(render.text, at)
                yield Problem(
                    f"a parameter without a type is declared with an empty one: {quoted(render.text[start:end])}",
                    help="leave the type out where there is none",
                    render=render,
                    shows=(start, end),
                )
                return


def _word_around(text: str, at: int) -> tuple[int, int]:
    """What stands around an offset up to the next blank, comma or brace, and at least something before it."""
    before = WORD_BEFORE.search(text[max(0, at - AROUND) : at])
    after = WORD_AFTER.match(text, at)
    return at - len(before[0] if before else ""), after.end() if after else at


def _endless(template: Template) -> Iterator[Problem]:
    """A choice of types that the template walks through without end, where a plain declaration renders."""
    if template.payloads.declared(template.conversation("tools-declared")).text is None:
        return
    for what, parameters in CHOICES.items():
        render = template.payloads.declared(template.payloads.with_parameters(parameters))
        if render.error is not None and render.error.type == "RecursionError":
            yield Problem(
                f"a tool with {what} in its schema does not render: the template calls itself without end",
                help="take the members of the list one by one",
                render=render,
            )
            return
