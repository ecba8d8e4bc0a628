"""What becomes of every form in which clients send tool calls."""

from __future__ import annotations

import pytest

from tpllint.analysis.template import Template
from tpllint.analysis.tool_histories import FORMS, Form

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
TOOLS = "{% if tools %}{{ tools | tojson }}{% endif %}"
CALLS = "{{ m.content or '' }}{% for c in m.tool_calls or [] %}<call>{{ c.function.arguments | tojson }}</call>{% endfor %}"


def _template(turn: str, tools: str = TOOLS) -> Template:
    source = tools + "{% for m in messages %}<|{{ m.role }}|>" + turn + "<|end|>{% endfor %}"
    return Template("default", source, TOKENS)


def _statuses(turn: str) -> dict[str, str | None]:
    histories = _template(turn).tool_histories
    return {form.loop: histories.calls[form].status for form in FORMS if not form.keeps_none}


def _call(arguments: str) -> str:
    return (
        "{{ m.content or '' }}{% for c in m.tool_calls or [] %}{% set given = c.function.arguments %}"
        + arguments
        + "{% endfor %}"
    )


@pytest.mark.parametrize(
    ("turn", "objects", "strings"),
    [
        (_call("{{ given if given is string else given | tojson }}"), "shown", "shown"),
        (_call("{{ given | tojson }}"), "shown", "double-encoded"),
        (
            _call("{{ '{' }}{% if given is string %}{{ given }}{% else %}{{ given.place }}{% endif %}{{ '}' }}"),
            "shown",
            "double-encoded",
        ),
        (_call("{{ given }}"), "printed as Python", "shown"),
        (_call("{{ given + '' }}"), "fails", "shown"),
        (_call("{% for k, v in given.items() %}{{ k }}={{ v }}{% endfor %}"), "shown", "fails"),
        (_call("{% if given is mapping %}{{ given.place }}{% endif %}"), "shown", "dropped"),
        (_call("{% if given is string %}{{ raise_exception('no') }}{% endif %}{{ given.place }}"), "shown", "rejected"),
        ("{{ m.content or '' }}", "dropped", "dropped"),
    ],
    ids=["either", "tojson", "braces", "as-it-is", "concatenated", "items", "mapping", "refused", "none"],
)
def test_arguments_are_classified_by_what_comes_out(turn: str, objects: str, strings: str) -> None:
    found = _statuses(turn)
    assert found["tool-loop"] == found["tool-loop-missing-content"] == objects
    assert found["tool-loop-string-arguments"] == found["tool-loop-string-arguments-missing-content"] == strings


@pytest.mark.parametrize(
    ("turn", "usual"),
    [
        (CALLS, Form("object", "empty")),
        (_call("{{ given + '' }}"), Form("string", "empty")),
        (_call("{{ given }}"), Form("string", "empty")),
        ("{% if m.content is defined %}{{ m.content }}{% else %}" + CALLS + "{% endif %}", Form("object", "absent")),
        ("{% if m.content is none %}" + CALLS + "{% else %}{{ m.content }}{% endif %}", Form("object", "null")),
        ("{{ m.content or '' }}", None),
    ],
    ids=["documented", "strings-only", "python", "content-absent", "content-null", "no-calls"],
)
def test_the_form_that_works_is_found_by_trying(turn: str, usual: Form | None) -> None:
    assert _template(turn).tool_histories.usual == usual


def test_other_questions_are_asked_in_the_form_that_works() -> None:
    histories = _template(_call("{{ given + '' }}")).tool_histories
    calls = histories.conversation("two-calls").messages[1]["tool_calls"]
    assert [call["function"]["arguments"] for call in calls] == [
        '{"place": "harbour-jasper", "days": 3}',
        '{"text": "letter-onyx"}',
    ]
    assert histories.history("two-calls", "harbour-jasper", "letter-onyx").works
    assert histories.conversation("two-calls") is histories.conversation("two-calls")


def test_a_template_that_fails_on_numbers_takes_objects_all_the_same() -> None:
    found = _template(_call("{% for key, value in given.items() %}{{ key + '=' + value }}{% endfor %}")).tool_histories
    assert found.usual == Form("object", "empty")
    assert found.best("object").status == "shown"
    assert found.best("string").status == "fails"


def test_a_call_counts_where_only_its_result_is_refused() -> None:
    turn = "{% if m.role == 'tool' %}{{ raise_exception('no results') }}{% endif %}" + CALLS
    assert _template(turn).tool_histories.usual == Form("object", "empty")


def test_calls_are_asked_for_without_tools_where_a_declared_tool_fails() -> None:
    histories = _template(CALLS, tools="{% for tool in tools or [] %}{{ tool.name.upper() }}{% endfor %}").tool_histories
    assert histories.fails_on_tools
    assert histories.usual == Form("object", "empty")
    assert histories.conversation("two-calls").tools is None


def test_a_template_that_renders_neither_tools_nor_calls_promises_nothing() -> None:
    assert not _template("{{ m.content or '' }}", tools="").tool_histories.in_use
    assert _template("{{ m.content or '' }}").tool_histories.in_use
    assert _template(CALLS, tools="").tool_histories.in_use


def test_a_render_that_a_bound_ended_tells_nothing() -> None:
    histories = _template("{% if m.tool_calls %}{{ range(10 ** 9) | list }}{% endif %}{{ m.content }}").tool_histories
    assert {found.status for form, found in histories.calls.items() if form.content == "empty"} == {None}
    assert histories.usual is None
