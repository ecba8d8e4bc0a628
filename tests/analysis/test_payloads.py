"""How templates write tool calls, and whether what they write can be read back."""

from __future__ import annotations

from typing import Any

import pytest

from tpllint.analysis.payloads import LONGEST, STRICT, is_torn, json_around, python_call
from tpllint.analysis.template import Template

VALUES: list[Any] = [
    "say \"it\" and 'twice' \\ {braces}\nnext line é你",
    3,
    1.5,
    True,
    None,
    ["reed", None],
    {"inner": {"low": 1}},
]
MESSAGE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}CALLS<|end|>{% endfor %}"
EACH = "{% for c in m.tool_calls or [] %}CALL{% endfor %}"
AS_JSON = '<call>{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}</call>'
AS_OBJECT = "<call>{{ c | tojson }}</call>"
NAME_BESIDE = "<call>{{ c.function.name }}\n```json\n{{ c.function.arguments | tojson(indent=2) }}\n```</call>"
AS_PYTHON = (
    "[{{ c.function.name }}({% for key, value in c.function.arguments.items() %}{{ key }}={{ value | tojson }}{% endfor %})]"
)
AS_TAGS = (
    "<function={{ c.function.name }}>{% for key, value in c.function.arguments.items() %}<parameter={{ key }}>{{ value }}"
    "</parameter>{% endfor %}</function>"
)
OWN = "{{ c.function.name }} with {% for key, value in c.function.arguments.items() %}{{ key }} as {{ value }}{% endfor %}"
STRINGS_ONLY = '<call>{"name": "{{ c.function.name }}", "arguments": {{ "" + c.function.arguments }}}</call>'


def template_of(call: str) -> Template:
    return Template("default", MESSAGE.replace("CALLS", EACH.replace("CALL", call)), {"bos_token": "<s>", "eos_token": "</s>"})


@pytest.mark.parametrize(
    ("call", "format_"),
    [
        (AS_JSON, "JSON"),
        (AS_OBJECT, "JSON"),
        (NAME_BESIDE, "JSON"),
        (AS_PYTHON, "a Python call"),
        (AS_TAGS, "XML"),
        ("{{ c }}", "a Python dictionary"),
        (OWN, None),
    ],
)
def test_the_format_of_calls_is_learnt_from_a_render(call: str, format_: str | None) -> None:
    assert template_of(call).payloads.format == format_


@pytest.mark.parametrize("call", [AS_JSON, AS_OBJECT, NAME_BESIDE, AS_PYTHON, STRINGS_ONLY])
@pytest.mark.parametrize("value", VALUES, ids=str)
def test_arguments_come_back_from_a_well_written_call(call: str, value: Any) -> None:
    assert template_of(call).payloads.read({"place": value}).verdict == "same"


@pytest.mark.parametrize("value", VALUES, ids=str)
@pytest.mark.parametrize("call", [OWN, "{{ c }}"])
def test_formats_that_are_not_known_are_undecided(call: str, value: Any) -> None:
    assert template_of(call).payloads.read({"place": value}).verdict is None


@pytest.mark.parametrize(
    ("written", "verdict"),
    [
        ("value", "same"),
        ("value | e", "same"),
        ("'<![CDATA[' ~ value ~ ']]>' if '\"' in value else value", "same"),
        ("(value | tojson).strip('\"')", "different"),
        ("value.split('\"')[0]", "different"),
    ],
)
def test_a_text_between_tags_is_what_stands_up_to_the_tag_that_closes_it(written: str, verdict: str) -> None:
    call = AS_TAGS.replace("{{ value }}", f"{{{{ {written} }}}}")
    assert template_of(call).payloads.read({"place": 'say "it"'}).verdict == verdict


def test_a_value_between_tags_that_is_no_text_is_read_where_it_is_json() -> None:
    assert template_of(AS_TAGS).payloads.read({"place": 1.5}).verdict == "same"
    assert template_of(AS_TAGS).payloads.read({"place": True}).verdict is None


def test_a_template_without_calls_has_no_format_and_no_readings() -> None:
    payloads = Template("default", MESSAGE.replace("CALLS", ""), {}).payloads
    assert payloads.form is None
    assert payloads.read({"place": "harbour-jasper"}).verdict is None
    assert payloads.unclosed_block() is None


def test_arguments_are_passed_in_the_form_that_renders() -> None:
    assert template_of(AS_JSON).payloads.form == "object"
    assert template_of(STRINGS_ONLY).payloads.form == "string"


def test_calls_that_need_null_content_are_found() -> None:
    call = "{% if m.content is none %}" + EACH.replace("CALL", AS_JSON) + "{% endif %}"
    payloads = Template(
        "default", "{% for m in messages %}<|{{ m.role }}|>" + call + "{{ m.content }}{% endfor %}", {}
    ).payloads
    assert payloads.format == "JSON"


def test_a_piece_of_a_larger_json_text_that_does_not_parse_is_unreadable() -> None:
    early = '<call>{"name": "{{ c.function.name }}"}, "arguments": {{ c.function.arguments | tojson }}</call>'
    reading = template_of(early).payloads.read({"place": "harbour-jasper"})
    assert reading.verdict == "unreadable"
    assert reading.text == '{"name": "lookup_kelp"}, "arguments": {"place": "harbour-jasper"}'


def test_a_brace_too_many_makes_a_call_unreadable() -> None:
    assert template_of(AS_JSON.replace("}</call>", "}}</call>")).payloads.read({"place": "reed"}).verdict == "unreadable"


def test_numbers_written_as_text_come_back_as_something_else() -> None:
    quoting = "[{{ c.function.name }}(place='{{ c.function.arguments.place }}')]"
    payloads = template_of(quoting).payloads
    assert payloads.read({"place": "harbour-jasper"}).verdict == "same"
    assert payloads.read({"place": 3}).verdict == "different"
    assert payloads.read({"place": "harbour's"}).verdict == "unreadable"


def test_the_text_of_a_value_is_what_differs_from_the_call_with_a_word() -> None:
    assert template_of(AS_TAGS).payloads.value_text(True) == "True"
    assert template_of(AS_TAGS).payloads.value_text({"a": 1}) == "{'a': 1}"


def test_a_block_that_only_two_calls_close_is_told() -> None:
    closed = "{% if m.tool_calls %}<calls>ALL{% if m.tool_calls | length > 1 %}</calls>{% endif %}{% endif %}"
    block = Template(
        "default", MESSAGE.replace("CALLS", closed.replace("ALL", EACH.replace("CALL", AS_JSON))), {}
    ).payloads.unclosed_block()
    assert block is not None
    assert block[1] == "</calls>"
    always = closed.replace("{% if m.tool_calls | length > 1 %}</calls>{% endif %}", "</calls>")
    assert (
        Template(
            "default", MESSAGE.replace("CALLS", always.replace("ALL", EACH.replace("CALL", AS_JSON))), {}
        ).payloads.unclosed_block()
        is None
    )


@pytest.mark.parametrize("deep", ["-" * LONGEST + "1", "[" * LONGEST, "(" * LONGEST, "1+" * (LONGEST // 2) + "1"])
def test_hostile_nesting_is_read_as_nothing(deep: str) -> None:
    assert python_call(f"f(a={deep})") is None
    assert json_around(deep + '{"a', len(deep) + 2, STRICT) is None


def test_code_in_a_call_is_never_run() -> None:
    assert python_call("f(a=__import__('os').getpid())") is None
    assert python_call("f(*[1], **{'a': 1})") is None


def test_a_colon_before_json_makes_it_no_part_of_a_larger_one() -> None:
    assert not is_torn('Action: {"a": 1}', 8, 16)
    assert is_torn('"action": {"a": 1}', 10, 18)


def test_a_call_longer_than_anybody_writes_is_left_alone() -> None:
    long = template_of(AS_JSON + "{% for _ in range(30000) %}.{% endfor %}")
    assert long.payloads.read({"place": "harbour-jasper"}).verdict is None
