"""What a template would cost is told from its syntax, and never more than is certain: no source is too odd to be read."""

from __future__ import annotations

import pytest

from tpllint.analysis.cost.costs import costs
from tpllint.analysis.cost.sizes import ENDLESS, Sizes
from tpllint.analysis.environment import ChatEnvironment
from tpllint.analysis.syntax import Syntax
from tpllint.analysis.template import Template

HUGE = "9" * 4000
LOOPS_OVER_MESSAGES = (
    "{% for a in messages %}{% for b in messages %}{% for c in messages %}{% endfor %}{% endfor %}{% endfor %}"
)


def told(source: str) -> list[str]:
    environment = ChatEnvironment()
    return [cost.says for cost in costs(Syntax(environment, source, environment.parse(source)))]


@pytest.mark.parametrize(
    ("expression", "number"),
    [
        ("7 ** 2", 49),
        ("7**(7**9)", ENDLESS),
        ("-(3 * 4) // 5", -3),
        (f"{HUGE} - {HUGE}", None),
        (HUGE, ENDLESS),
        ("-" + HUGE, -ENDLESS),
        ("1e999 ** 1e999", ENDLESS),
        ("0 ** -1", None),
        ("(-8) ** 0.5", None),
        ("2 ** -9000000000", 0),
        ("1 ** 9000000000", 1),
        ("5 / 0", None),
        ("5 % 0", None),
        ("5000 * messages | length", 5000),
        ("messages | length + 5000", None),
        ("messages | length - 5000", None),
        ("'3'", None),
    ],
)
def test_a_number_is_exact_where_it_is_small_and_endless_where_it_is_large(expression: str, number: float | None) -> None:
    (output,) = ChatEnvironment().parse("{{ " + expression + " }}").body
    assert Sizes().number(next(output.iter_child_nodes())) == number


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}",
        "{% for m in messages %}{% for a in range(99999) %}{% endfor %}{% endfor %}",
        LOOPS_OVER_MESSAGES,
        "{% for i in range(messages | length) %}{% for j in range(messages | length) %}{% endfor %}{% endfor %}",
        "{% for i in range(400) %}{% if ns.at == i %}{% for m in messages %}{{ m.content }}{% endfor %}{% endif %}{% endfor %}",
        "{% for i in range(400) %}{% for m in messages %}{{ m.content }}{% endfor %}{% break %}{% endfor %}",
        "{% for role in ['system', 'user'] %}{% for m in messages %}{{ m.content }}{% endfor %}{% endfor %}",
        "{% set n = 2 ** 40 %}{{ n * 1000000 }}{{ 10 ** 9 }}{{ 1000000 * 1000000 }}",
        "{{ messages | length * 9000000000 }}",
        "{{ '%05d' | format(9000000000) }}{{ '%s' % 9000000000 }}{{ '{}: {:>5}'.format(9000000000, 1) }}",
        "{{ 'costs 100%, 2000000000 in all' }}{{ '%d%%' | format(2000000000) }}",
        "{% set ns = namespace(n=1) %}{% for i in range(40) %}{% set ns.n = ns.n + ns.n %}{% endfor %}",
        "{% set s = 'x' %}{% for i in range(40) %}{% set s = s ~ s %}{% endfor %}",
        "{% set ns = namespace(s='') %}{% for m in messages %}{% set ns.s = ns.s ~ m.content %}{% endfor %}",
        "{% macro f(n, first=true) %}{% if first %}{{ f(n, false) }}{% endif %}{% endmacro %}",
        "{% macro f(n) %}{% if ns.left %}{% set ns.left = ns.left - 1 %}{{ f(n) }}{% endif %}{% endmacro %}",
        "{% macro f(n) %}{% for n in n.children %}{{ f(n) }}{% endfor %}{% endmacro %}",
        "{% macro f(n) %}{{ n.x and f(n.x) }}{% endmacro %}{% macro g(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}",
        "{% macro f(f) %}{{ f(1) }}{% endmacro %}{{ f(range) }}",
        "{% macro f(n) %}{% if n.is_list %}{{ g(n) }}{% endif %}{% endmacro %}{% macro g(n) %}{{ f(n.item) }}{% endmacro %}",
        "{% for m in messages recursive %}{{ loop(m.children) }}{% endfor %}",
        "{% for m in messages recursive %}{% if loop.depth < 3 %}{{ loop([m]) }}{% endif %}{% endfor %}",
        "{% for m in messages %}{% for part in m.content %}{% for c in part.text %}{% endfor %}{% endfor %}{% endfor %}",
        "{{ x | replace('a', 'a' * 90) | replace('b', 'b' * 90) | replace('c', 'c' * 90) | replace('d', 'd' * 90) }}",
        "{{ messages[0].content | indent(4) | center(80) }}{{ tools | tojson(indent=2) }}{{ 'x'.rjust(9) }}",
        "{{ lipsum() }}{{ lipsum(3) }}",
        "{{ 3 | batch(9000000) | list }}",
    ],
)
def test_what_chats_may_need_is_not_told(source: str) -> None:
    assert told(source) == []


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(1001) %}{% for b in range(1000) %}{% endfor %}{% endfor %}",
        "{% set n = 90000 %}{% for a in range(n) | list %}{% for b in range(10, n, 2) %}{% endfor %}{% endfor %}",
        "{% for a in 'x' * 90000 %}{% for b in range(90000) %}{% endfor %}{% endfor %}",
        "{% macro f() %}{% for a in range(9999) %}{% endfor %}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}"
        "{% for a in range(9999) %}{{ f() }}{% endfor %}",
        "{% for m in messages %}{% for i in range(400) %}{{ m['content'] | trim }}{% endfor %}{% endfor %}",
        "{{ x ** 90000000 }}",
        "{% set s = 'ab' %}{% set t = s * 1000 %}{% set u = t * 1000 %}",
        "{{ messages[0].content * 90000000 }}",
        "{{ '%*d' | format(9000000000, 1) }}",
        "{{ '%.9000000000f' % 1 }}",
        "{{ '{:{}}'.format(1, 9000000000) }}",
        "{{ 'x'.rjust(9000000000) }}{# by a method #}",
        "{{ tools | tojson(indent=100000000) }}",
        "{{ [1] | batch(9000000000, 0) | list }}",
        "{{ [1] | slice(9000000000) | list }}",
        "{{ messages[0].content | indent(width='-' * 9000000000) }}",
        "{% set ns = namespace(s='x') %}{% for m in messages %}{% set ns.s = ns.s ~ '-' ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(s='x') %}{% for i in range(30) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s='x') %}{% for i in range(30) %}{% set ns.s = ns.s * 2 %}{% endfor %}",
        "{% set ns = namespace(s='a') %}{% for i in range(30) %}{% set ns.s = ns.s | replace('a', 'aa') %}{% endfor %}",
        "{% set ns = namespace(n=3) %}{% for i in range(30) %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
        "{% set s = 'x' %}" + "{% set s = s ~ s %}" * 20 + "{{ s * 2 }}",
        "{% macro f(n) %}{{ f(n.child) }}{% endmacro %}",
        "{% macro f() %}{% if tools %}{{ f() }}{% endif %}{% endmacro %}",
        "{% macro f(a, b=1) %}{% if a %}{{ f(b=b, a=a) }}{% endif %}{% endmacro %}",
        "{% for m in messages recursive %}{% if m.role == 'user' %}{{ loop([m]) }}{% endif %}{% endfor %}",
        "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
        "{% set c = messages[0].content %}{% for i in range(c | length) %}{% for j in c %}{% for k in c[i:] %}"
        "{% endfor %}{% endfor %}{% endfor %}",
    ],
)
def test_what_no_chat_needs_is_told_once(source: str) -> None:
    assert len(told(source)) == 1


def test_macros_that_always_call_each_other_are_told_at_every_call() -> None:
    source = (
        "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ h() }}{% endmacro %}{% macro h() %}{{ f() }}{% endmacro %}"
    )
    assert [says.partition(" ")[0] for says in told(source)] == ['"g()"', '"h()"', '"f()"']


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + " + ".join(["'a'"] * 5000) + " }}",
        "{{ " + " * ".join(["[0]", *["9"] * 5000]) + " }}",
        "{{ x" + " | replace('a', 'aa')" * 5000 + " }}",
        "{% for i in range(9)" + " | list" * 5000 + " %}{% endfor %}",
        "{% if a %}" + "{% elif 7 ** 7 ** 7 %}" * 5000 + "{% endif %}",
        "{{ " + "not " * 150 + "(" * 20 + "2 ** 9" + ")" * 20 + " }}",
        "{% for i in range(400) %}" * 40 + "{{ m.content }}" + "{% endfor %}" * 40,
        "".join(f"{{% macro m{i}() %}}{{{{ m{(i + 1) % 500}() }}}}{{% endmacro %}}" for i in range(500)),
        "{% for i in range(400) %}{{ m.content }}{% endfor %}" * 2000,
        "{% set a = 'x' %}" + "".join("{% set a = a ~ a %}" for _ in range(2000)),
    ],
    ids=lambda source: source[:30],
)
def test_a_deep_or_a_huge_source_is_read_to_its_end(source: str) -> None:
    template = Template("default", source, {})
    assert template.syntax is not None
    assert isinstance(template.costs, tuple)
    assert template.exhausted == {}
