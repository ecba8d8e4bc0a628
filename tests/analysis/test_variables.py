"""The variables that a template takes from its caller, and what they count as where they are left out."""

from __future__ import annotations

import json

import pytest

from tpllint.analysis.template import Template
from tpllint.analysis.variables import FreeVariable

TOLD = {
    "{{ x | default('a') }}": '"a"',
    "{{ x | d }}": '""',
    "{{ x if x is defined else 'b' }}": '"b"',
    "{{ 'b' if x is undefined else x }}": '"b"',
    "{% if x is not defined %}{% set x = true %}{% endif %}{{ x }}": "true",
    "{% if not x is defined %}{% set x = none %}{% endif %}{{ x }}": "none",
    "{% set x = x | default(3) %}{{ x }}": "3",
    "{% if x %}on{% endif %}": "false",
    "{% if x is defined and x %}on{% endif %}": "false",
    "{% if x is defined and not x %}off{% endif %}": "true",
    "{% if x is defined and x is false %}off{% endif %}": "true",
    "{% if x is not defined or x %}on{% endif %}": "true",
}
NOT_EVIDENT = (
    "{{ x }}",
    "{% if x is defined %}{{ x }}{% endif %}",
    "{% if x is defined %}{% if x %}on{% else %}off{% endif %}{% else %}auto{% endif %}",
    "{% if x is not defined %}{% if messages %}{% set x = 1 %}{% else %}{% set x = 2 %}{% endif %}{% endif %}{{ x }}",
    "{{ x | default('a') }}{{ x | default('b') }}",
    "{{ x | default(messages[0].content) }}",
    "{% if x == 'high' %}{{ x }}{% endif %}{% if x %}on{% endif %}",
)


def variables(source: str) -> tuple[FreeVariable, ...]:
    return Template("default", source, {}).free_variables


@pytest.mark.parametrize(("source", "default"), TOLD.items())
def test_a_default_is_told_where_it_is_written_or_follows_from_a_condition(source: str, default: str) -> None:
    (variable,) = variables(source)
    assert (variable.name, variable.guarded, variable.default) == ("x", True, default)


@pytest.mark.parametrize(("source", "default"), TOLD.items())
def test_passing_the_default_renders_what_leaving_it_out_renders(source: str, default: str) -> None:
    value = None if default == "none" else json.loads(default)
    left_out, passed = (Template("default", source, {}, variables=given) for given in ({}, {"x": value}))
    assert left_out.render("user").text == passed.render("user").text


@pytest.mark.parametrize("source", NOT_EVIDENT)
def test_a_default_that_is_not_evident_is_not_told(source: str) -> None:
    assert [variable.default for variable in variables(source)] == [None]


def test_a_variable_is_placed_where_it_is_first_read() -> None:
    source = "{% macro f() %}{{ greeting }}{% endmacro %}{{ greeting }}"
    (variable,) = variables(source)
    assert (variable.place.start, variable.place.end, variable.guarded) == (18, 26, False)


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages }}{{ tools }}{{ documents }}{{ add_generation_prompt }}{{ bos_token }}{{ image_token }}",
        "{{ strftime_now('%Y') }}{{ raise_exception('no') }}{{ namespace() }}{{ range(3) }}",
        "{% if messages %}{% set x = 1 %}{% endif %}{% if x is defined %}{{ x }}{% endif %}",
        "{% for m in messages %}{{ loop.index }}{{ m }}{% endfor %}",
        "{% for m in messages %}{{ x }}{% endfor %}{% set x = 1 %}",
    ],
)
def test_what_a_template_is_given_or_sets_itself_is_no_free_variable(source: str) -> None:
    assert variables(source) == ()
