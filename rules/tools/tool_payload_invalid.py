from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, ClassVar

from tpllint import ARGUMENT, Bad, Good, Problem, Rule, Severity, Template, quoted

SHOWN = 80
HARD_WORDS = {
    "a double quote": 'the "harbour" jasper',
    "a single quote": "harbour's jasper",
    "a backslash": "harbour\\new",
    "a line break": "harbour\njasper",
    "a letter that is not ASCII": "hárbour 港",
}
VALUES: tuple[Any, ...] = (3, 1.5, True, None, ["harbour"], {"inner": "jasper"}, {})
HARD_DESCRIPTION = 'Looks "up" a \\kelp in\na harbour.'
DOUBLED = re.compile(r'\{\{\s?"\w+"\s?:')


class ToolPayloadInvalid(Rule):
    """A tool call in the history does not parse as the format it imitates, or does not give its arguments back.

    ## What it does
    Learns from renders how the template writes a call, as JSON, as a call of Python or with its values between tags, and reads
    it back, JSON and Python with a real parser, tags as whoever waits for the tag that closes a value:
    with a plain word, with quotes, backslashes, line breaks and other letters in it, and with numbers, booleans, null, lists
    and objects. The arguments that come back must be those that were passed. It is an error where no call can be read, and a
    warning where it takes such a value. A block of calls that is closed only where it holds two is reported as well.

    The declared tools, where they are written as JSON, must parse too, and an example of a call in the tool instructions must
    not stand in doubled braces. No parser reads those, so such findings are warnings, and information where it takes a
    description with quotes in it.

    Formats in which a value stands between two tags, such as `<parameter=city>Paris</parameter>`, escape nothing on purpose:
    the tag ends the value, and what a value may not hold is the tag alone. A value there must come back as it was passed, or
    as XML spells it. No format that is not recognised is judged.

    ## Why is this bad
    The model imitates the calls that it sees in its history. What does not parse there will not parse when it answers, and the
    engine hands the call to the user as text.

    ## References
    - [vllm pull request 32539](https://github.com/vllm-project/vllm/pull/32539)
    - [transformers: tool use](https://huggingface.co/docs/transformers/chat_extras)
    """

    code = "TPL417"
    name = "tool-payload-invalid"
    category = "tools"
    severity = Severity.ERROR
    raised_by: ClassVar = {"agent": Severity.WARNING}
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}<call>"
            '{"name": "{{ c.function.name }}"}, "arguments": {{ c.function.arguments | tojson }}</call>'
            "{% endfor %}<|end|>{% endfor %}",
            says="a tool call is written as JSON that does not parse: "
            + quoted('{"name": "lookup_kelp"}, "arguments": {"place": "harbour-jasper"}'),
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}<call>"
            '{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}</call>'
            "{% endfor %}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}[{{ c.function.name }}("
            "{% for key, value in c.function.arguments.items() %}{{ key }}='{{ value }}'{{ ', ' if not loop.last }}"
            "{% endfor %})]"
            "{% endfor %}<|end|>{% endfor %}",
            says="a tool call does not parse as a Python call where an argument holds a single quote: "
            "\"[lookup_kelp(place='harbour's jasper')]\"",
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}["
            "{{ c.function.name }}("
            "{% for key, value in c.function.arguments.items() %}{{ key }}={{ value | tojson }}{{ ', ' if not loop.last }}"
            "{% endfor %})]{% endfor %}<|end|>{% endfor %}",
        ),
        Bad(
            "{% if tools %}<tools>{% for t in tools %}{{ t | tojson }}{% endfor %}</tools> Answer with "
            '{{ \'{{"name": <name>, "arguments": <arguments>}}\' }}{% endif %}'
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}<call>"
            '{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}</call>'
            "{% endfor %}<|end|>{% endfor %}",
            says='the tool instructions show a call in doubled braces: "{{\\"name\\": <name>, \\"arguments\\": <arguments>}}"',
            better="{% if tools %}<tools>{% for t in tools %}{{ t | tojson }}{% endfor %}</tools> Answer with "
            '{{ \'{"name": <name>, "arguments": <arguments>}\' }}{% endif %}'
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}<call>"
            '{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}</call>'
            "{% endfor %}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}<call="
            "{{ c.function.name }}>{% for key, value in c.function.arguments.items() %}<parameter={{ key }}>"
            "{{ (value | tojson).strip('\"') }}</parameter>{% endfor %}</call>{% endfor %}<|end|>{% endfor %}",
            says="a tool call written as XML says something else where an argument holds a double quote: "
            + quoted('the \\"harbour\\" jasper'),
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}<call="
            "{{ c.function.name }}>{% for key, value in c.function.arguments.items() %}<parameter={{ key }}>"
            "{{ value if value is string else value | tojson }}</parameter>{% endfor %}</call>{% endfor %}<|end|>{% endfor %}",
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}<call="
            "{{ c.function.name }}>{% for key, value in c.function.arguments.items() %}<parameter={{ key }}>"
            "{{ '<![CDATA[' ~ value ~ ']]>' if value is string and ' ' in value else value }}</parameter>{% endfor %}</call>"
            "{% endfor %}<|end|>{% endfor %}"
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}<call="
            "{{ c.function.name }}>"
            "{% for key, value in c.function.arguments.items() %}<parameter={{ key }}>"
            "{{ value if value is string else value | tojson }}</parameter>{% endfor %}</call>{% endfor %}<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        yield from _calls(template)
        yield from _block(template)
        yield from _definitions(template)
        yield from _example(template)


def _calls(template: Template) -> Iterator[Problem]:
    """The first way in which calls are no use to who reads them."""
    payloads, plain = template.payloads, template.payloads.read({"place": ARGUMENT})
    if plain.verdict is None:
        return
    written = payloads.format if payloads.format in ("a Python call", "XML") else "JSON"
    if plain.verdict == "unreadable":
        says = f"a tool call is written as {written} that does not parse: {quoted(plain.text[:SHOWN].strip())}"
    elif plain.verdict == "different":
        says = f"the arguments do not come back from a tool call, written as {written}: {quoted(plain.text[:SHOWN])}"
    else:
        for problem in _hard_calls(template, written):
            yield problem._replace(place=template.place_of(plain.render, ARGUMENT) if plain.render else None)
        return
    yield Problem(says, help=_way_out(written), render=plain.render, shows=plain.span)


def _hard_calls(template: Template, written: str) -> Iterator[Problem]:
    """The first kind of text that breaks a call, and the first kind of other value that does not come back."""
    for what, word in HARD_WORDS.items():
        reading = template.payloads.read({"place": word})
        if reading.verdict in ("unreadable", "different"):
            lost = (
                f"does not parse as {written}"
                if reading.verdict == "unreadable"
                else f"written as {written} says something else"
            )
            says = f"a tool call {lost} where an argument holds {what}: {quoted(reading.text[:SHOWN])}"
            yield Problem(says, _way_out(written), severity=Severity.WARNING, render=reading.render, shows=reading.span)
            break
    for value in VALUES:
        reading = template.payloads.read({"place": value})
        if reading.verdict in ("unreadable", "different"):
            says = (
                f"an argument that is {json.dumps(value)} does not come back from a tool call: {quoted(reading.text[:SHOWN])}"
            )
            yield Problem(says, _way_out(written), severity=Severity.WARNING, render=reading.render, shows=reading.span)
            break


def _way_out(written: str) -> str:
    if written == "JSON":
        return "write the arguments with the filter tojson and close every brace and quote around them"
    if written == "XML":
        return "write a text between its tags as it is"
    return "write every value as a literal, for instance with the filter tojson"


def _block(template: Template) -> Iterator[Problem]:
    unclosed = template.payloads.unclosed_block()
    if unclosed is not None:
        render, marker = unclosed
        yield Problem(
            f"a turn with one tool call is not closed: {quoted(marker)} follows only where there are two calls",
            help="write what closes the calls after the last one, whatever their number",
            severity=Severity.WARNING,
            render=render,
        )


def _definitions(template: Template) -> Iterator[Problem]:
    if not template.anatomy.renders_tools:
        return
    plain, hard = template.conversation("tools-declared"), template.payloads.with_description(HARD_DESCRIPTION)
    cases = (("", plain, Severity.WARNING), (" where a description holds quotes", hard, Severity.INFO))
    for where, conversation, severity in cases:
        reading = template.payloads.read_definition(conversation)
        if reading.verdict == "unreadable":
            yield Problem(
                f"a tool's definition is written as JSON that does not parse{where}: {quoted(reading.text[:SHOWN])}",
                help="write the whole definition with the filter tojson",
                severity=severity,
                render=reading.render,
                shows=reading.span,
            )
            return


def _example(template: Template) -> Iterator[Problem]:
    """Doubled braces are what is left of a format string of Python; no JSON has them."""
    render = template.render("tools-declared", generation_prompt=True)
    text = render.text or ""
    found = DOUBLED.search(text)
    if found is None or template.payloads.format != "JSON" or template.payloads.read({"place": ARGUMENT}).verdict != "same":
        return
    line = text.find("\n", found.start())
    end = min(len(text) if line < 0 else line, found.start() + SHOWN)
    closed = text.find("}}", found.start(), end)
    end = closed + 2 if closed >= 0 else end
    yield Problem(
        f"the tool instructions show a call in doubled braces: {quoted(text[found.start() : end])}",
        help="write one brace: what is outside {{ }} needs no escape",
        severity=Severity.WARNING,
        render=render,
        shows=(found.start(), end),
    )
