"""Constant folding: what expressions are worth where no input decides it, and that no source makes it dear."""

from __future__ import annotations

import pytest

from tpllint.analysis.folding import MAX_LENGTH, NOT_CONSTANT, Folding
from tpllint.analysis.template import Template


def _folding(source: str) -> Folding:
    folding = Template("default", source, {}).folding
    assert folding is not None
    return folding


def _value(expression: str, before: str = "") -> object:
    template = Template("default", f"{before}{{{{ {expression} }}}}", {})
    assert template.syntax is not None
    assert template.folding is not None
    return template.folding.value(list(template.syntax.find("Output"))[-1].nodes[-1])


CONSTANT = {
    "'a' ~ 1 ~ 'b'": "a1b",
    "'a' + 'b' + 'c'": "abc",
    "1 + 2 * 3 - 4": 3,
    "7 % 4": 3,
    "'a' ~ (1 + 2)": "a3",
    "'ab' * 2": "abab",
    "2 * 'ab'": "abab",
    "'%s-%c' % ('x', 65)": "x-A",
    "'%02d' | format(7)": "07",
    "'%(a)s' | format(a='x')": "x",
    "'{}{b}{{'.format('a', b='c')": "ac{",
    "'{1}{0}'.format('a', 'b')": "ba",
    "['a', 'b'] | join('-')": "a-b",
    "'-'.join(['a', 'b'])": "a-b",
    "'abc' | reverse": "cba",
    "'abc'[::-1]": "cba",
    "'abc'[1:]": "bc",
    "'abc'[-1]": "c",
    "{'k': 'v'}['k']": "v",
    "{'k': 'v'}.k": "v",
    "'a b'.split(' ')": ["a", "b"],
    "'aXb' | replace('X', '_')": "a_b",
    "'aXb'.replace('X', '_')": "a_b",
    "' a ' | trim | upper": "A",
    "'abc' | list | first": "a",
    "'abc' | length": 3,
    "'7' | int + 1": 8,
    "['a', 1] | tojson": '["a", 1]',
    "'x' if true else messages": "x",
    "('a', 'b') | last": "b",
    "['a', 'b'] | map('upper') | join": "AB",
    "range(3)": [0, 1, 2],
    "-1": -1,
}
NOT_KNOWN = (
    "messages",
    "'a' ~ messages",
    "'x' if messages else 'y'",
    "'a' | random",
    "'a'.encode()",
    "'a' * 1000000000",
    "10 ** 10 ** 10",
    "'%1000000d' % 1",
    "'%*d' % (1000000, 1)",
    "'{:>1000000}'.format(1)",
    "'{0.real}'.format(1)",
    "'a' | center(1000000)",
    "range(1000000)",
    "'a'[5]",
    "'a' + 1",
    "{}['k']",
)


@pytest.mark.parametrize("expression", CONSTANT)
def test_an_expression_that_no_input_decides_has_a_value(expression: str) -> None:
    assert _value(expression) == CONSTANT[expression]


@pytest.mark.parametrize("expression", NOT_KNOWN)
def test_what_inputs_decide_or_is_too_much_is_not_constant(expression: str) -> None:
    assert _value(expression) is NOT_CONSTANT


@pytest.mark.parametrize(
    ("before", "value"),
    [
        ("{% set a = 'x' %}", "x"),
        ("{% set a = 'x' %}{% set a = a ~ 'y' %}", "xy"),
        ("{% set a %}x{{ 'y' }}{% endset %}", "xy"),
        ("{% set b = 'x' %}{% set a = b * 2 %}", "xx"),
        ("{% set a = 'x' %}{% if messages %}{% set a = 'y' %}{% endif %}", NOT_CONSTANT),
        ("{% set a = messages %}", NOT_CONSTANT),
        ("{% set a = a ~ 'x' %}", NOT_CONSTANT),
        ("{% for a in ['x'] %}{% endfor %}{% set a = 'x' %}", NOT_CONSTANT),
        ("", NOT_CONSTANT),
    ],
)
def test_a_name_is_worth_what_the_one_setting_gives_it_that_reaches_it(before: str, value: object) -> None:
    assert _value("a", before) == value


def test_an_attribute_of_a_namespace_that_is_set_once_is_constant() -> None:
    assert _value("ns.a ~ 'c'", "{% set ns = namespace(a='b') %}") == "bc"
    assert _value("ns.a", "{% set ns = namespace(a='b') %}{% set ns.a = 'c' %}") is NOT_CONSTANT


def test_neighbours_are_one_text_and_tell_what_follows() -> None:
    texts = _folding("a{{ 'b' ~ 'c' }}{{ messages }}d").texts
    assert [(text.text, text.then is not None, text.use) for text in texts] == [
        ("abc", True, "written"),
        ("d", False, "written"),
    ]


def test_a_text_that_is_part_of_a_larger_one_is_not_told_again() -> None:
    assert [text.text for text in _folding("{{ ('a' ~ 'b') | upper }}").texts] == ["AB"]


@pytest.mark.parametrize(
    ("source", "use"),
    [
        ("{{ x }}{% if x == 'w' %}{% endif %}", "asked"),
        ("{{ x.split('w') }}", "asked"),
        ("{{ x | replace('w', y) }}", "asked"),
        ("{{ x['w'] }}", "asked"),
        ("{{ raise_exception('w' ~ x) }}", "raised"),
        ("{{ f('w') }}", "written"),
        ("{% set x = ['w'] %}", "written"),
    ],
)
def test_a_text_tells_what_it_is_for(source: str, use: str) -> None:
    assert [text.use for text in _folding(source).texts if text.text == "w"] == [use]


def test_a_text_stands_from_its_first_piece_to_its_last() -> None:
    folding = _folding("{{ m }}{{ 'a' ~ 'b' }}{{ ['c'] | join }}{{ m }}")
    place = next(folding.place(text) for text in folding.texts if text.text == "abc")
    assert (place.start, place.end) == (10, 37)


def test_a_loop_over_constants_is_followed() -> None:
    found = _folding("{% set k = 'abc' %}{% for i in [2, 1, 0] %}{{ k[i] }}{% endfor %}").assemblies
    assert [assembly.text for assembly in found] == ["cba"]
    assert _folding("{% for m in messages %}{{ 'abc'[m] }}{% endfor %}").assemblies == ()


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + " ~ ".join(["'a'"] * 20_000) + " }}",
        "{{ " + " + ".join(["'a'", "b"] * 5_000) + " }}",
        "{{ 'a'" + " | upper" * 5_000 + " }}",
        "{{ 'a'" + " | replace('a', 'aa')" * 2_000 + " }}",
        "{{ " + "not " * 250 + "1 }}",
        "{% set a = a ~ 'x' %}" * 3_000 + "{{ a }}",
        "{% for i in range(2000) %}" * 8 + "{{ 'a' ~ i }}" + "{% endfor %}" * 8,
        "{{ 'ab'[i] }}" * 2_000,
    ],
    ids=range(8),
)
def test_no_source_makes_folding_deep_or_long(source: str) -> None:
    folding = _folding(source)
    assert all(len(text.text) <= max(MAX_LENGTH, len(source)) for text in folding.texts)
    assert folding.assemblies == () or len(folding.assemblies[0].text) <= MAX_LENGTH
