"""The analysis of names says what Jinja does: held against Jinja's own bookkeeping, and against what templates print."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import meta

from tpllint.analysis.environment import ChatEnvironment
from tpllint.analysis.scopes import Names, names_of
from tpllint.analysis.template import Template
from tpllint.registry import BUILT_IN
from tpllint.testing import rules_of

ENVIRONMENT = ChatEnvironment()
OWN = [path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.parent.glob("data/templates/*.jinja"))]
READ, SET = "{{ '#=' ~ x }};", "{% set x = '@' %}"
AROUND = {
    "if": "{% if c? %}…{% endif %}",
    "else": "{% if c? %}{% else %}…{% endif %}",
    "elif": "{% if c? %}{% elif true %}…{% endif %}",
    "loop": "{% for i in [1, 2] %}…{% endfor %}",
    "loop variable": "{% for x in ['@'] %}…{% endfor %}",
    "loop without items": "{% for x in [] %}{% else %}…{% endfor %}",
    "with": "{% with x = '@' %}…{% endwith %}",
    "filter block": "{% filter trim %}…{% endfilter %}",
    "set block": "{% set y %}…{% endset %}{{ y }}",
    "generation": "{% generation %}…{% endgeneration %}",
    "call": "{% call show() %}…{% endcall %}",
    "macro": "{% macro f() %}…{% endmacro %}{{ f() }}",
    "parameter": "{% macro f(x='@') %}…{% endmacro %}{{ f() }}",
}
SHOW = "{% macro show() %}{{ caller() }}{% endmacro %}"
BODIES = (READ + SET, SET + READ)


def names(source: str) -> Names:
    return names_of(ENVIRONMENT.parse(source))


def looked_up(found: Names) -> set[str]:
    return {read.name for read in found.reads if read.from_caller} - set(ENVIRONMENT.globals)


def examples() -> Iterator[str]:
    for rule in rules_of(BUILT_IN):
        for example in rule.examples:
            if example.template and Template("default", example.template, {}).syntax:
                yield example.template


def test_jinja_looks_up_every_name_that_a_caller_can_set_and_only_names_surely_set_before_besides() -> None:
    compared = 0
    for source in (*OWN, *examples()):
        if Template("default", source, {}).failure is not None:
            continue
        found, expected = names(source), meta.find_undeclared_variables(ENVIRONMENT.parse(source))
        assert looked_up(found) <= expected
        for name in expected - looked_up(found):  # set in a branch: Jinja looks it up in case, and no read can see that
            assert found.bindings_of(name)
            assert all(read.bindings for read in found.reads_of(name))
        compared += 1
    assert compared > 50


def numbered(source: str) -> str:
    """The source with a number for each read, each setting and each condition."""
    counters = {sign: itertools.count() for sign in "#@?"}
    return re.sub(r"[#@?]", lambda found: f"{found[0].strip('?')}{next(counters[found[0]])}", source)


def programs() -> Iterator[str]:
    blocks = [READ, SET, *(around.replace("…", body) for body in BODIES for around in AROUND.values())]
    for first, second in itertools.product(blocks, blocks[: 2 + len(AROUND)]):
        yield first + second + READ
    for outer, inner, body in itertools.product(AROUND.values(), AROUND.values(), BODIES):
        yield SET + outer.replace("…", inner.replace("…", body) + READ) + READ


def printed(source: str) -> set[tuple[int, str]]:
    """Each read with each value that it shows, for every outcome of the conditions, with `x` passed by the caller."""
    template = ENVIRONMENT.from_string(source)
    conditions = sorted(set(re.findall(r"\bc\d+", source)))
    shown = set()
    for outcome in itertools.product((True, False), repeat=len(conditions)):
        text = template.render(x="caller", **dict(zip(conditions, outcome, strict=True)))
        shown |= {(int(number), value) for number, value in re.findall(r"#(\d+)=([^;]*);", text)}
    return shown


def claimed(source: str) -> set[tuple[int, str]]:
    """The same as the analysis has it."""
    found = names(source)
    order = {binding: f"@{number}" for number, binding in enumerate(found.bindings_of("x"))}
    shown = set()
    for number, read in enumerate(found.reads_of("x")):
        values = {order[binding] for binding in read.bindings} | ({"caller"} if read.from_caller else set())
        shown |= {(number, value) for value in values}
    return shown


def test_a_read_shows_what_can_reach_it_and_nothing_else() -> None:
    exact = 0
    for source in map(numbered, programs()):
        shown, said = ({pair for pair in pairs if pair[1]} for pairs in (printed(SHOW + source), claimed(SHOW + source)))
        assert shown <= said, source
        if "macro" not in source and "call" not in source:  # the calls of a macro are not told apart
            assert shown == said, source
            exact += 1
    assert exact > 300


def lost(source: str) -> list[str]:
    return [binding.name for binding in names(source).lost]


@pytest.mark.parametrize(
    "source",
    [
        "{% set x = 0 %}{% for m in messages %}{% set x = 1 %}{% endfor %}{{ x }}",
        "{% for m in messages %}{% set x = 1 %}{% endfor %}{{ x }}",
        "{% set x = 0 %}{% for m in messages %}{% if x %}a{% endif %}{% set x = 1 %}{% endfor %}",
        "{% set x = '' %}{% for m in messages %}{% set x = x + m %}{% endfor %}{{ x }}",
        "{% set x = 0 %}{% generation %}{% set x = 1 %}{% endgeneration %}{{ x }}",
        "{% set x = 0 %}{% macro f() %}{% set x = 1 %}{% endmacro %}{{ f() }}{{ x }}",
        "{% for m in messages %}{% set x = 0 %}{% for p in m %}{% set x = 1 %}{% endfor %}{{ x }}{% endfor %}",
        "{% set x = 0 %}{% for m in messages %}{{ x }}{% generation %}{% set x = 1 %}{% endgeneration %}{% endfor %}",
    ],
)
def test_what_is_set_inside_and_only_read_outside_is_lost(source: str) -> None:
    assert lost(source) == ["x"]


@pytest.mark.parametrize(
    "source",
    [
        "{% for m in messages %}{% set x = 1 %}{{ x }}{% endfor %}{{ x }}",
        "{% if messages %}{% set x = 1 %}{% endif %}{{ x }}",
        "{{ x }}{% for m in messages %}{% set x = 1 %}{% endfor %}",
        "{% set x = 0 %}{% for m in messages %}{% set x = x + 1 %}{% endfor %}",
        "{% for m in messages %}{% set x = 1 %}{% endfor %}{% set x = 2 %}{{ x }}",
        "{% for m in messages %}{% set x = 0 %}{{ x }}{% for p in m %}{% set x = 1 %}{% endfor %}{% endfor %}",
        "{% macro f() %}{% set x = 1 %}{% endmacro %}{% macro g(x) %}{{ x }}{% endmacro %}{{ f() + g(2) }}",
        "{% set ns = namespace(x=0) %}{% for m in messages %}{% set ns.x = 1 %}{% endfor %}{{ ns.x }}",
        "{% for m in messages %}{% set x = 1 %}{% macro f() %}{{ x }}{% endmacro %}{{ f() }}{% endfor %}{{ x }}",
    ],
)
def test_what_is_read_inside_or_replaced_before_it_is_read_is_not_lost(source: str) -> None:
    assert lost(source) == []


def test_a_name_is_unread_where_only_another_scope_reads_it() -> None:
    found = names("{% macro f() %}{% set x = 1 %}{% endmacro %}{% macro g(x) %}{{ x }}{% endmacro %}{{ f() + g(2) }}")
    assert [(binding.name, binding.scope.kind) for binding in found.unread if binding.kind == "set"] == [("x", "macro")]


def test_a_macro_sees_what_is_set_after_it() -> None:
    (read,) = names("{% macro f() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ f() }}").reads_of("x")
    assert [binding.kind for binding in read.bindings] == ["set"]


def test_a_loop_that_comes_before_a_setting_sees_neither_it_nor_the_caller() -> None:
    (read,) = names("{% for m in messages %}{{ x }}{% endfor %}{% set x = 1 %}").reads_of("x")
    assert (read.bindings, read.from_caller) == (frozenset(), False)


@pytest.mark.parametrize("name", ["loop", "caller", "varargs", "kwargs", "self"])
def test_names_that_jinja_gives_are_not_the_callers(name: str) -> None:
    read_all = "{{ loop.index }}{{ caller() }}{{ varargs }}{{ kwargs }}"
    source = "{% macro f() %}{% for m in messages %}" + read_all + "{% endfor %}{% endmacro %}{{ self }}"
    (read,) = names(source).reads_of(name)
    assert ([binding.kind for binding in read.bindings], read.from_caller) == (["built in"], False)


@pytest.mark.parametrize(
    ("source", "is_test"),
    [
        ("{% if x %}{% endif %}", True),
        ("{% if a %}{% elif x == 1 %}{% endif %}", True),
        ("{{ 1 if x else 2 }}", True),
        ("{{ x if a else 2 }}", False),
        ("{{ x or '' }}", True),
        ("{{ x | default('') }}", True),
        ("{{ x | trim }}", False),
        ("{% for m in a if x %}{% endfor %}", True),
        ("{% for m in x %}{% endfor %}", False),
        ("{% if a %}{{ x }}{% endif %}", False),
        ("{% set y = x %}", False),
    ],
)
def test_a_read_is_a_test_where_its_value_only_decides(source: str, is_test: bool) -> None:
    (read,) = names(source).reads_of("x")
    assert read.is_test is is_test


def test_a_source_without_syntax_has_no_names() -> None:
    template = Template("default", "{% if %}", {})
    assert (template.names.reads, template.free_variables) == ((), ())
