"""What a value depends on is followed through names, loops, macros and namespaces."""

from __future__ import annotations

import pytest

from tpllint.analysis.template import Template
from tpllint.analysis.vetting.dependence import Dependence

CASES = {
    "{{ messages[0].content }}": "content",
    "{{ messages[0]['content'] | trim }}": "content",
    "{{ messages[0].get('content') }}": "content",
    "{{ messages[0].content | length }}": "length",
    "{{ messages[-1].role }}": "role",
    "{{ messages[-1]['from'] }}": "role",
    "{{ messages[0].content[0].type }}": "kind",
    "{{ messages[0].content[0].text }}": "content",
    "{{ messages | length }}": "count",
    "{{ messages | tojson }}": "content conversation",
    "{{ messages | map(attribute='role') | list }}": "role",
    "{{ messages[1].tool_calls[0].function.name }}": "name",
    "{{ messages[1].tool_calls[0].function.arguments }}": "tools",
    "{{ tools[0].function.name }}": "name",
    "{{ tools[0].function.description }}": "tools",
    "{{ strftime_now('%Y') | int }}": "date",
    "{{ [1, 2] | random }}": "random",
    "{{ enable_thinking }}": "variable",
    "{{ bos_token }}": "",
    "{{ 'a' ~ 1 }}": "",
    "{{ 'a' if messages[0].content == 'b' else 'c' }}": "content",
    "{% set a = messages[0].content %}{% set b = a %}{{ b }}": "content",
    "{% for m in messages %}{{ m.content }}{% endfor %}": "content",
    "{% for m in messages %}{{ loop.index }}{% endfor %}": "position",
    "{% for m in messages %}{{ loop.previtem.content }}{% endfor %}": "content",
    "{% for k, v in messages[0].items() %}{{ v }}{% endfor %}": "conversation",
    "{% macro f(c) %}{{ c }}{% endmacro %}{{ f(messages[0].content) }}": "content",
    "{% macro f(c) %}{% endmacro %}{{ f(c=messages[0].role) }}": "role",
    "{% set ns = namespace(a=1) %}{% set ns.a = messages[0].content %}{{ ns.a }}": "content",
    "{% set ns = namespace(a=messages[0].role) %}{{ ns.a }}": "role",
    "{% set t %}{{ messages[0].content }}{% endset %}{{ t }}": "content",
    "{% with c = messages[0].content %}{{ c }}{% endwith %}": "content",
}


@pytest.mark.parametrize(("source", "sources"), CASES.items())
def test_the_last_output_depends_on(source: str, sources: str) -> None:
    syntax = Template("default", source, {}).syntax
    assert syntax is not None
    last = list(syntax.find("Output"))[-1]
    assert Dependence(syntax).of(last.nodes[-1]) == frozenset(sources.split())
