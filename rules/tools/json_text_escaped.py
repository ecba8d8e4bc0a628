from __future__ import annotations

import re
from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Render, Rule, Severity, Template, quoted

TEXT, AROUND = "naïve-harbour <b> & more", 40
BY_NUMBER = re.compile(r"na\\u00ef|\\u003c|\\u0026")
"""Escapes that JSON allows: readers give the letters back, models see the digits."""
FOR_HTML = re.compile(r"&(?:#\d{1,6}|#x[0-9a-f]{1,6}|lt|gt|amp|quot|apos);")


class JsonTextEscaped(Rule):
    r"""Text of a tool reaches the prompt with escapes, such as \u00e9 or &lt;, in place of its letters.

    ## What it does
    Declares and calls a tool with letters, angle brackets and an ampersand in its texts, and looks for escapes by number in
    the prompt and, where the text stands in JSON, for those of HTML. Formats with tags may escape what they like with the
    latter.

    ## Why is this bad
    The model reads digits where a letter stood, spends several tokens on each, and copies them into its calls, where a search
    for `caf&eacute;` finds nothing. transformers' own `tojson` escapes neither; Jinja's does, and so does `forceescape`.

    ## References
    - [mistral-common issue 311](https://github.com/mistralai/mistral-common/issues/311)
    """

    code = "TPL415"
    name = "json-text-escaped"
    category = "tools"
    severity = Severity.WARNING
    examples = (
        Bad(
            "{% for t in tools or [] %}{{ t | tojson(ensure_ascii=true) }}{% endfor %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says=r'a tool\'s description is written with escapes in place of its letters: "na\\u00efve-harbour"'.replace(
                "\\'", "'"
            ),
            better="{% for t in tools or [] %}{{ t | tojson }}{% endfor %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}<call>"
            '{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson | forceescape '
            "| replace('&#34;', '\"') }}}</call>"
            "{% endfor %}<|end|>{% endfor %}",
            says='a tool call\'s argument is written with escapes in place of its letters: "&lt;b&gt;"',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}<call>"
            '{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}</call>'
            "{% endfor %}<|end|>{% endfor %}",
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}<call="
            "{{ c.function.name }}>"
            "{% for key, value in c.function.arguments.items() %}<arg={{ key }}>{{ value | e }}</arg>"
            "{% endfor %}</call>{% endfor %}"
            "<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        payloads = template.payloads
        if template.anatomy.renders_tools:
            conversation = payloads.with_description(TEXT)
            as_json = payloads.read_definition(conversation).verdict is not None
            yield from _escapes("a tool's description", payloads.declared(conversation), 0, as_json)
        call = payloads.written({"place": TEXT})
        if call is not None:
            yield from _escapes("a tool call's argument", call.render, call.start, payloads.format == "JSON")


def _escapes(what: str, render: Render, start: int, as_json: bool) -> Iterator[Problem]:
    """The first escape after an offset, with the word it stands in; the same text beside it is the template's to write."""
    text = render.text or ""
    found = BY_NUMBER.search(text, start)
    if found is None and as_json:
        first, *_, last = TEXT.split()
        at = text.find(first, start)
        found = FOR_HTML.search(text, at, max(at, text.find(last, at))) if at >= 0 else None
    if found is not None:
        span = found.start(), _end_of_word(text, found.end())
        yield Problem(
            f"{what} is written with escapes in place of its letters: {quoted(text[slice(*span)])}",
            help="write it with the filter tojson alone, without ensure_ascii, escape or safe",
            render=render,
            shows=span,
        )


def _end_of_word(text: str, at: int) -> int:
    end = re.compile(r"[\s\"]").search(text, at)
    return min(end.start() if end else len(text), at + AROUND)
