"""What engines and versions of transformers make of constructs that templates use: the table behind the portability rules.

Each row has a construct, a template of one line that uses it and nothing else of interest, and for every engine that cannot
take it what happens: `parse` (no template with it compiles), `raise` (the render ends where it is reached) or `differ` (other
text than in transformers). `<X` means that versions from X on take it, `>=X` that earlier ones do. docs/portability.md tells
how it was measured; X is the first that does among the versions measured.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import NamedTuple

from tpllint.portability import JS, LLAMA, MINIJINJA, MINJA, TRANSFORMERS

PARSE, RAISE, DIFFER = "parse", "raise", "differ"
EFFECTS = (PARSE, RAISE, DIFFER)
"""From the worst."""


class Limit(NamedTuple):
    """An engine's versions, from `since` on and before `before`, and what they do where a construct stands."""

    engine: str
    effect: str
    since: str | None = None
    before: str | None = None

    @property
    def in_words(self) -> str:
        """The versions as a sentence names them: `minijinja before 2.8.0`."""
        return f"{self.engine} before {self.before}" if self.before else self.engine


@functools.cache
def limits() -> Mapping[str, tuple[Limit, ...]]:
    """For each construct the engines that cannot take it."""
    return {name: tuple(_limit(engine, said) for engine, said in told.items()) for name, _, told in ROWS}


def _limit(engine: str, said: str) -> Limit:
    effect, operator, version = re.split(r"(<|>=|$)", said, maxsplit=1)
    return Limit(engine, effect, version if operator == ">=" else None, version if operator == "<" else None)


INSTEAD = {
    "{% generation %}": "keep a second template without it for engines that only render",
    "{% break %}": "keep what was found in a namespace, and ask for it in the loop's condition",
    "{% continue %}": "put the rest of the loop's body inside an if",
    "carriage returns": "store the template with line feeds alone",
    "text literals side by side": "join them with +",
    "a slice with a negative step": "use the filter reverse",
    "a subscript of a call": "give the call's result a name with set first",
    "a test with an argument": "use an operator, such as == or %",
    "a test with a bare argument": "use an operator, such as == or %",
    "a comparison in a row": "write two comparisons with and between them",
    "the length of what may be missing": "ask first whether it is defined, or for its truth",
    "tojson(ensure_ascii=...)": "leave ensure_ascii out where it is false, which is the default",
    "tojson by position": "name the argument, as in tojson(indent=2)",
    "the filter safe": "leave it out: nothing is escaped in a chat template",
    "the filter e": "leave it out: prompts are not HTML",
    "the filter d": "write default",
    "the filter count": "write length",
    "the test sequence": "write: is iterable and is not string and is not mapping",
    "the function strftime_now": "ask first whether strftime_now is defined, and do without it otherwise",
    "the function dict": "write the dict in braces",
}
"""What to write instead of a construct."""

ROWS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    (
        "{% generation %}",
        "{% generation %}a{% endgeneration %}",
        {TRANSFORMERS: "parse<4.43.0", MINIJINJA: "parse", JS: "parse<0.5.1"},
    ),
    ("{% generation %} with a minus", "{%- generation -%}a{%- endgeneration -%}", {JS: "parse<0.5.8"}),
    (
        "{% break %}",
        "{% for x in [1] %}{% break %}{% endfor %}",
        {TRANSFORMERS: "parse<4.45.0", MINIJINJA: "parse<2.8.0", JS: "parse<0.4.1"},
    ),
    (
        "{% continue %}",
        "{% for x in [1] %}{% continue %}{% endfor %}",
        {TRANSFORMERS: "parse<4.45.0", MINIJINJA: "parse<2.8.0", JS: "parse<0.4.1"},
    ),
    ("{% raw %}", "{% raw %}{{ x }}{% endraw %}", {JS: "parse", MINJA: "parse", LLAMA: "parse"}),
    ("{% with %}", "{% with a=1 %}{{ a }}{% endwith %}", {JS: "parse", MINJA: "parse", LLAMA: "parse"}),
    ("{% block %}", "{% block b %}x{% endblock %}", {JS: "parse", MINJA: "parse", LLAMA: "parse"}),
    (
        "{% call %}",
        "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}x{% endcall %}",
        {JS: "parse<0.5.0", MINJA: "parse"},
    ),
    ("{% filter %}", "{% filter upper %}a{% endfilter %}", {JS: "parse<0.5.0"}),
    ("a {% set %} block", "{% set x %}a{% endset %}{{ x }}", {JS: "parse<0.3.4"}),
    ("a {% set %} block with a filter", "{% set x|upper %}a{% endset %}{{ x }}", {JS: "raise", MINJA: "parse", LLAMA: "raise"}),
    (
        "{% set %} of several names",
        "{% set a, b = 1, 2 %}{{ a }}{{ b }}",
        {MINIJINJA: "parse<2.15.0", JS: "parse<0.5.0", MINJA: "parse"},
    ),
    (
        "a recursive loop",
        "{% for x in [[1],[2]] recursive %}{{ loop(x) if x is iterable else x }}{% endfor %}",
        {MINIJINJA: "raise<2.0.1", JS: "parse", MINJA: "raise", LLAMA: "parse"},
    ),
    ("a tag that begins with {%+", "{%+ if true %}a{% endif %}", {JS: "parse", MINJA: "parse", LLAMA: "parse"}),
    ("carriage returns", "{% if true %}\r\na\r\n{% endif %}\r\nb", {MINIJINJA: "differ", JS: "differ", MINJA: "differ"}),
    ("text literals side by side", '{{ "a" "b" }}', {MINIJINJA: "parse<2.0.1", JS: "parse<0.5.0", MINJA: "parse"}),
    ("the operator ~", '{{ "a" ~ "b" }}', {JS: "parse<0.5.0"}),
    ("the operator **", "{{ 2 ** 3 }}", {JS: "parse<0.5.10", MINJA: "differ", LLAMA: "parse"}),
    ("the operator //", "{{ 7 // 2 }}", {JS: "parse<0.5.10", LLAMA: "parse"}),
    ("the operator % on text", '{{ "%s" % "a" }}', {MINIJINJA: "raise", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    ("a comparison in a row", "{{ 1 < 2 < 3 }}", {JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    ("a list times a number", "{{ [0] * 2 }}", {MINIJINJA: "raise<2.2.0", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    ("text times a number", '{{ "ab" * 2 }}', {MINIJINJA: "raise<2.2.0", JS: "raise"}),
    ("a minus before a subscript", "{{ -[1][0] }}", {MINIJINJA: "raise<3.0.5", JS: "parse<0.5.10"}),
    ("a minus before a name", "{% set x = 1 %}{{ -x }}", {JS: "parse<0.5.10"}),
    ("a number as a key", "{{ {1: 2}[1] }}", {JS: "raise"}),
    ("a number with a point", "{{ 1.5 }}", {JS: "parse<0.5.0"}),
    ("a number with an exponent", "{{ 1e3 }}", {JS: "parse", LLAMA: "parse"}),
    (
        "a name with letters beyond ASCII",
        "{% set é = 1 %}{{ é }}",
        {MINIJINJA: "parse<2.24.0", JS: "parse", MINJA: "parse", LLAMA: "parse"},
    ),
    ('"\\u" in a text literal', '{{ "\\u00e9" }}', {JS: "parse<0.5.11", MINJA: "differ", LLAMA: "parse"}),
    (
        '"\\x" in a text literal',
        '{{ "\\x41" }}',
        {MINIJINJA: "parse<2.11.0", JS: "parse<0.5.11", MINJA: "differ", LLAMA: "parse"},
    ),
    ("a comma before a closing bracket", "{{ [1, 2,]|length }}", {MINJA: "parse"}),
    ("a subscript of a call", '{{ "a b".split(" ")[1] }}', {JS: "parse<0.3.3"}),
    ("an attribute of a call", "{{ namespace(a=1).a }}", {JS: "parse<0.3.3", MINJA: "parse"}),
    ("a number after a dot", "{{ [1].0 }}", {MINIJINJA: "parse<2.24.0", JS: "parse<0.5.9", MINJA: "parse"}),
    ("if in a named argument", "{% set n = namespace(a=1 if true else 2) %}{{ n.a }}", {MINIJINJA: "parse<2.24.0"}),
    ("a slice without bounds", "{{ [1][:]|length }}", {MINJA: "parse<2025.8"}),
    ("a call of a call's attribute", '{{ "a".strip().strip() }}', {JS: "parse<0.3.3"}),
    ("a slice with a step", "{{ [1, 2, 3][::2]|length }}", {MINJA: "parse<2025.8"}),
    ("a slice with a negative step", "{{ [1, 2, 3][::-1][0] }}", {MINIJINJA: "raise<2.10.2", MINJA: "parse<2025.8"}),
    ("*arguments", "{{ range(*[3])|length }}", {MINIJINJA: "parse<2.5.0", JS: "parse<0.5.0", LLAMA: "raise"}),
    ("if without else in an expression", '{{ "a" if false }}', {JS: "raise<0.5.0"}),
    ("if after else in an expression", "{{ 1 if false else 2 if false else 3 }}", {JS: "parse<0.5.0"}),
    ("a test with an argument", "{{ 4 is divisibleby(2) }}", {MINIJINJA: "raise<2.2.0", JS: "parse", MINJA: "parse"}),
    ("a test with a bare argument", "{{ 1 is equalto 1 }}", {MINIJINJA: "parse<2.5.0", JS: "parse", MINJA: "parse"}),
    ("the length of what may be missing", "{{ {}.a|length }}", {MINIJINJA: "raise", JS: "raise", MINJA: "raise"}),
    ("the test iterable on none", "{{ none is iterable }}", {MINIJINJA: "differ"}),
    (
        "varargs in a macro",
        "{% macro m() %}{{ varargs|length }}{% endmacro %}{{ m(1) }}",
        {MINIJINJA: "raise", JS: "raise<0.5.10", MINJA: "raise", LLAMA: "differ"},
    ),
    (
        "kwargs in a macro",
        "{% macro m() %}{{ kwargs|length }}{% endmacro %}{{ m(a=1) }}",
        {MINIJINJA: "raise", JS: "raise<0.5.10", MINJA: "raise", LLAMA: "differ"},
    ),
    ("namespace() of a dict", '{% set ns = namespace({"a": 1}) %}{{ ns.a }}', {MINJA: "raise"}),
    ("tojson by position", "{{ [1]|tojson(true) }}", {MINIJINJA: "differ", MINJA: "raise"}),
    (
        "tojson(ensure_ascii=...)",
        '{{ "é"|tojson(ensure_ascii=false) }}',
        {TRANSFORMERS: "raise<4.42.0", MINIJINJA: "raise", MINJA: "raise"},
    ),
    ("tojson(indent=...)", '{{ {"a": 1}|tojson(indent=2) }}', {MINIJINJA: "raise<2.2.0"}),
    (
        "tojson(separators=...)",
        '{{ {"a": 1}|tojson(separators=(",", ":")) }}',
        {TRANSFORMERS: "raise<4.42.0", MINIJINJA: "raise", JS: "differ<0.5.4", MINJA: "raise"},
    ),
    (
        "tojson(sort_keys=...)",
        '{{ {"b": 1, "a": 2}|tojson(sort_keys=true) }}',
        {TRANSFORMERS: "raise<4.42.0", MINIJINJA: "raise", JS: "differ<0.5.4", MINJA: "raise", LLAMA: "raise"},
    ),
    ("map() with a filter", '{{ ["a"]|map("upper")|join }}', {JS: "raise", MINJA: "raise<2025.8", LLAMA: "raise"}),
    (
        "join(attribute=...)",
        '{{ [{"a": "b"}]|join(",", attribute="a") }}',
        {MINIJINJA: "raise<3.0.5", JS: "differ", MINJA: "raise"},
    ),
    ("default(boolean=...)", '{{ ""|default("q", boolean=true) }}', {MINIJINJA: "raise", JS: "raise<0.5.0"}),
    ("default() of what is false", '{{ ""|default("q", true) }}', {MINIJINJA: "raise<2.9.0", JS: "raise<0.5.0"}),
    ("indent(width=...)", '{{ "a\nb"|indent(width=2) }}', {MINIJINJA: "raise<2.24.0", MINJA: "raise"}),
    ("trim() of characters", '{{ "xax"|trim("x") }}', {JS: "raise", MINJA: "raise"}),
    (
        "range() with a negative step",
        "{% for i in range(3, 0, -1) %}{{ i }}{% endfor %}",
        {MINIJINJA: "raise<2.11.0", JS: "differ<0.5.5"},
    ),
    (
        ".startswith() of a tuple",
        '{{ "ab".startswith(("a", "b")) }}',
        {JS: "raise<0.5.0", MINJA: "raise", LLAMA: "raise"},
    ),
    (
        ".split() without a separator",
        '{{ "a b".split()|length }}',
        {MINJA: "raise"},
    ),
    (
        ".split() with a limit",
        '{{ "a b c".split(" ", 1)|length }}',
        {MINJA: "raise"},
    ),
    (
        ".replace() with a count",
        '{{ "aa".replace("a", "b", 1) }}',
        {LLAMA: "raise"},
    ),
    (".strip() of given characters", '{{ " \n a".strip("\n") }}', {JS: "differ"}),
    (".rstrip() of given characters", '{{ "a \n".rstrip("\n") }}', {JS: "differ"}),
    (".lstrip() of given characters", '{{ "\n a".lstrip("\n") }}', {JS: "differ"}),
    ("loop.cycle()", '{% for x in [1] %}{{ loop.cycle("a", "b") }}{% endfor %}', {JS: "raise", LLAMA: "raise"}),
    (
        "loop.changed()",
        "{% for x in [1] %}{% if loop.changed(x) %}a{% endif %}{% endfor %}",
        {JS: "raise", MINJA: "raise", LLAMA: "raise"},
    ),
    ("loop.depth", "{% for x in [1] %}{{ loop.depth }}{% endfor %}", {JS: "differ", MINJA: "differ", LLAMA: "differ"}),
    ("the function dict", "{{ dict(a=1)|length }}", {JS: "raise", MINJA: "raise"}),
    (
        "the function cycler",
        '{% set c = cycler("a", "b") %}{{ c.next() }}',
        {MINIJINJA: "raise", JS: "raise", MINJA: "raise", LLAMA: "raise"},
    ),
    ("the function joiner", '{% set j = joiner(",") %}{{ j() }}', {MINIJINJA: "raise<2.9.0", JS: "raise", LLAMA: "raise"}),
    ("the function strftime_now", '{{ "a" if strftime_now("%d") }}', {TRANSFORMERS: "raise<4.45.0", JS: "raise<0.5.0"}),
    ("the filter abs", "{{ (1)|abs }}", {MINJA: "raise"}),
    (
        "the filter attr",
        '{{ {"a": 1}|attr("a") is defined }}',
        {MINIJINJA: "differ", JS: "raise", MINJA: "raise", LLAMA: "raise"},
    ),
    ("the filter batch", "{{ [1]|batch(2)|list|length }}", {JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    ("the filter capitalize", '{{ "a"|capitalize }}', {MINJA: "raise"}),
    ("the filter center", '{{ "a"|center(3) }}', {MINIJINJA: "raise", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    ("the filter count", "{{ [1]|count }}", {JS: "raise"}),
    ("the filter d", '{{ none_such|d("a") }}', {JS: "raise", MINJA: "raise"}),
    ("the filter default", '{{ none_such|default("a") }}', {JS: "raise<0.5.0"}),
    ("the filter dictsort", '{% for k, v in {"b": 1, "a": 2}|dictsort %}{{ k }}{% endfor %}', {JS: "raise<0.5.2"}),
    ("the filter e", '{{ "a"|e }}', {JS: "raise", LLAMA: "raise"}),
    ("the filter escape", '{{ "a"|escape }}', {JS: "raise", LLAMA: "raise"}),
    (
        "the filter filesizeformat",
        "{{ 1|filesizeformat }}",
        {MINIJINJA: "raise<2.9.0", JS: "raise", MINJA: "raise", LLAMA: "raise"},
    ),
    ("the filter first", "{{ [1]|first }}", {MINJA: "raise"}),
    ("the filter float", '{{ "1"|float + 0.5 }}', {JS: "raise<0.5.0", MINJA: "raise"}),
    ("the filter forceescape", '{{ "a"|forceescape }}', {MINIJINJA: "raise", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    ("the filter format", '{{ "%s"|format("a") }}', {MINIJINJA: "raise<2.13.0", JS: "raise", MINJA: "raise", LLAMA: "differ"}),
    (
        "the filter groupby",
        '{% for k, v in [{"a": 1}]|groupby("a") %}{{ k }}{% endfor %}',
        {MINIJINJA: "raise<2.5.0", JS: "raise", MINJA: "raise", LLAMA: "raise"},
    ),
    ("the filter int", '{{ "1"|int }}', {JS: "raise<0.5.0"}),
    ("the filter join", '{{ ["a", "b"]|join(",") }}', {JS: "raise<0.3.3"}),
    ("the filter max", "{{ [1]|max }}", {JS: "raise", MINJA: "raise"}),
    ("the filter min", "{{ [1]|min }}", {JS: "raise", MINJA: "raise"}),
    ("the filter pprint", "{{ 1|pprint }}", {JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    ("the filter random", "{{ [1]|random }}", {MINIJINJA: "raise", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    ("the filter reject", '{{ [1]|reject("odd")|list|length }}', {JS: "raise", MINJA: "raise", LLAMA: "differ"}),
    ("the filter rejectattr", '{{ [{"a": 1}]|rejectattr("a")|list|length }}', {JS: "raise<0.3.2"}),
    ("the filter replace", '{{ "a"|replace("a", "b") }}', {JS: "raise<0.5.0", MINJA: "raise"}),
    ("the filter reverse", "{{ [1, 2]|reverse|list|length }}", {MINJA: "raise"}),
    ("the filter round", "{{ 1|round|int }}", {JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    ("the filter safe", '{{ "a"|safe }}', {JS: "raise<0.5.6"}),
    ("the filter select", '{{ [1]|select("odd")|list|length }}', {JS: "raise", MINJA: "raise", LLAMA: "differ"}),
    ("the filter slice", "{{ [1]|slice(2)|list|length }}", {JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    ("the filter sort", "{{ [2, 1]|sort|length }}", {MINJA: "raise"}),
    ("the filter string", '{{ "a"|string }}', {MINIJINJA: "raise<2.5.0"}),
    ("the filter striptags", '{{ "a"|striptags }}', {MINIJINJA: "raise<2.9.0", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    ("the filter sum", "{{ [1]|sum }}", {MINIJINJA: "raise<2.6.0", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    ("the filter title", '{{ "a"|title }}', {MINJA: "raise"}),
    ("the filter truncate", '{{ "a"|truncate }}', {MINIJINJA: "raise<2.9.0", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    ("the filter unique", "{{ [1, 1]|unique|list|length }}", {JS: "raise<0.5.0", LLAMA: "raise"}),
    ("the filter upper", '{{ "a"|upper }}', {MINJA: "raise<2025.8"}),
    ("the filter urlencode", '{{ "a b"|urlencode }}', {JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    ("the filter urlize", '{{ "a"|urlize }}', {MINIJINJA: "raise", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    ("the filter wordcount", '{{ "a"|wordcount }}', {MINIJINJA: "raise", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    ("the filter wordwrap", '{{ "a"|wordwrap }}', {MINIJINJA: "raise<2.24.0", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    ("the filter xmlattr", '{{ {"a": 1}|xmlattr }}', {MINIJINJA: "raise", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    ("the test boolean", '{{ "a" if true is boolean else "b" }}', {MINIJINJA: "raise<2.2.0"}),
    ("the test callable", '{{ "a" if range is callable else "b" }}', {MINIJINJA: "raise"}),
    ("the test even", '{{ "a" if 2 is even else "b" }}', {MINJA: "raise"}),
    ("the test false", '{{ "a" if false is false else "b" }}', {MINJA: "raise<2025.8"}),
    ("the test filter", '{{ "a" if "upper" is filter else "b" }}', {JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    ("the test float", '{{ "a" if 1.5 is float else "b" }}', {JS: "raise"}),
    ("the test iterable", '{{ "a" if [1] is iterable else "b" }}', {MINIJINJA: "raise<2.0.1"}),
    ("the test lower", '{{ "a" if "a" is lower else "b" }}', {MINIJINJA: "raise<2.2.0", MINJA: "raise"}),
    ("the test mapping", '{{ "a" if {"a": 1} is mapping else "b" }}', {JS: "raise<0.3.2"}),
    ("the test odd", '{{ "a" if 1 is odd else "b" }}', {MINJA: "raise"}),
    ("the test sequence", '{{ "a" if [1] is sequence else "b" }}', {JS: "raise<0.5.6"}),
    ("the test test", '{{ "a" if "odd" is test else "b" }}', {JS: "raise", MINJA: "raise"}),
    ("the test true", '{{ "a" if true is true else "b" }}', {MINJA: "raise<2025.8"}),
    ("the test undefined", '{{ "a" if none_such is undefined else "b" }}', {MINJA: "raise"}),
    ("the test upper", '{{ "a" if "A" is upper else "b" }}', {MINIJINJA: "raise<2.2.0", MINJA: "raise"}),
    (".capitalize()", '{{ "a".capitalize() }}', {MINIJINJA: "raise<2.9.0", JS: "raise<0.5.0"}),
    (".count()", '{{ "aa".count("a") }}', {MINIJINJA: "raise<2.9.0", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    (".endswith()", '{{ "ab".endswith("b") }}', {MINIJINJA: "raise<2.9.0", JS: "raise<0.4.1"}),
    (".find()", '{{ "ab".find("b") }}', {MINIJINJA: "raise<2.9.0", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    (".format()", '{{ "{}".format("a") }}', {MINIJINJA: "raise<2.13.0", JS: "raise", MINJA: "raise"}),
    (".get()", '{{ {"a": 1}.get("a") }}', {MINIJINJA: "raise<2.9.0"}),
    (".index()", '{{ "ab".index("b") }}', {MINIJINJA: "raise", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    (
        ".isalnum()",
        '{% if "a".isalnum() %}a{% endif %}',
        {MINIJINJA: "raise<2.9.0", JS: "raise", MINJA: "raise", LLAMA: "raise"},
    ),
    (
        ".isalpha()",
        '{% if "a".isalpha() %}a{% endif %}',
        {MINIJINJA: "raise<2.9.0", JS: "raise", MINJA: "raise", LLAMA: "raise"},
    ),
    (
        ".isdigit()",
        '{% if "1".isdigit() %}a{% endif %}',
        {MINIJINJA: "raise<2.9.0", JS: "raise", MINJA: "raise", LLAMA: "raise"},
    ),
    (
        ".islower()",
        '{% if "a".islower() %}a{% endif %}',
        {MINIJINJA: "raise<2.9.0", JS: "raise", MINJA: "raise", LLAMA: "raise"},
    ),
    (
        ".isnumeric()",
        '{% if "1".isnumeric() %}a{% endif %}',
        {MINIJINJA: "raise<2.9.0", JS: "raise", MINJA: "raise", LLAMA: "raise"},
    ),
    (
        ".isspace()",
        '{% if " ".isspace() %}a{% endif %}',
        {MINIJINJA: "raise<2.9.0", JS: "raise", MINJA: "raise", LLAMA: "raise"},
    ),
    (
        ".isupper()",
        '{% if "A".isupper() %}a{% endif %}',
        {MINIJINJA: "raise<2.9.0", JS: "raise", MINJA: "raise", LLAMA: "raise"},
    ),
    (".items()", '{{ {"a": 1}.items()|list|length }}', {MINIJINJA: "raise<2.9.0"}),
    (".join()", '{{ ",".join(["a", "b"]) }}', {MINIJINJA: "raise<2.9.0", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    (".keys()", '{{ {"a": 1}.keys()|list|length }}', {MINIJINJA: "raise<2.9.0", JS: "raise<0.5.0", MINJA: "raise<2025.8"}),
    (".ljust()", '{{ "a".ljust(2) }}', {MINIJINJA: "raise", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    (".lower()", '{{ "A".lower() }}', {MINIJINJA: "raise<2.9.0", MINJA: "raise<2025.8"}),
    (".lstrip()", '{{ " a".lstrip() }}', {MINIJINJA: "raise<2.9.0"}),
    (".partition()", '{{ "ab".partition("b")|length }}', {MINIJINJA: "raise", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    (".removeprefix()", '{{ "ab".removeprefix("a") }}', {MINIJINJA: "raise", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    (".removesuffix()", '{{ "ab".removesuffix("b") }}', {MINIJINJA: "raise", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    (".replace()", '{{ "a".replace("a", "b") }}', {MINIJINJA: "raise<2.9.0", JS: "raise<0.5.0", MINJA: "raise<2025.8"}),
    (".rfind()", '{{ "ab".rfind("b") }}', {MINIJINJA: "raise<2.9.0", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    (".rjust()", '{{ "a".rjust(2) }}', {MINIJINJA: "raise", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    (".rsplit()", '{{ "a b".rsplit(" ", 1)|length }}', {MINIJINJA: "raise", JS: "raise", MINJA: "raise"}),
    (".rstrip()", '{{ "a ".rstrip() }}', {MINIJINJA: "raise<2.9.0"}),
    (".split()", '{{ "a b".split(" ")|length }}', {MINIJINJA: "raise<2.9.0", JS: "raise<0.3.3"}),
    (
        ".splitlines()",
        '{{ "a\\nb".splitlines()|length }}',
        {MINIJINJA: "raise<2.9.0", JS: "raise", MINJA: "raise", LLAMA: "raise"},
    ),
    (".startswith()", '{{ "ab".startswith("a") }}', {MINIJINJA: "raise<2.9.0", JS: "raise<0.4.1", MINJA: "raise<2025.8"}),
    (".strip()", '{{ " a ".strip() }}', {MINIJINJA: "raise<2.9.0"}),
    (".swapcase()", '{{ "a".swapcase() }}', {MINIJINJA: "raise", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    (".title()", '{{ "a".title() }}', {MINIJINJA: "raise<2.9.0"}),
    (".upper()", '{{ "a".upper() }}', {MINIJINJA: "raise<2.9.0", MINJA: "raise<2025.8"}),
    (".values()", '{{ {"a": 1}.values()|list|length }}', {MINIJINJA: "raise<2.9.0", JS: "raise<0.5.0", MINJA: "raise"}),
    (".zfill()", '{{ "a".zfill(2) }}', {MINIJINJA: "raise", JS: "raise", MINJA: "raise", LLAMA: "raise"}),
    (
        "a namespace attribute with a leading underscore",
        "{% set ns = namespace(_a=1) %}{{ ns._a }}",
        {TRANSFORMERS: "raise>=5.22.2"},
    ),
)
