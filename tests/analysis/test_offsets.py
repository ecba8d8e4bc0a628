"""Every token is found at its exact place, whatever whitespace control dropped before it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError

from tpllint.analysis.environment import ChatEnvironment
from tpllint.analysis.offsets import LexicalError, normalised, raw_tokens
from tpllint.analysis.template import Template

OWN = {path.stem: path.read_bytes().decode() for path in sorted(Path(__file__).parent.parent.glob("data/templates/*.jinja"))}
ENVIRONMENT = ChatEnvironment()

PIECES = (
    *("{{ a }}", "{{- a -}}", "{{+ a }}", "{{ ' {{ ' }}", '{{ "%}" }}', "{{ {'a': [1]}['a'] }}", "{{a\n|\n\tb}}"),
    *("{% if a %}", "{%- if a -%}", "{%+ if a +%}", "{% endif %}", "{%- endif +%}", "{%\nset a = 1\n%}", "{%- break -%}"),
    *("{# c #}", "{#- c -#}", "{#+ c +#}", "{# {{ a }} {% if %} #}", "{#\n\n#}"),
    *("{% raw %}", "{%- raw -%}", "{% endraw %}", "{%- endraw -%}", "{%+ raw +%}", "{% raw %}{{ a }}{% endraw %}"),
    *(
        "text",
        " ",
        "  ",
        "\t",
        "\n",
        "\r\n",
        "\r",
        "\n\n",
        "\v",
        "\f",
        "\x85",
        "\u2028",
        "\xa0",
        "\ufeff",
        "é😀",
        "a",
        "-",
        "{",
        "}",
    ),
)
BROKEN = ("{{", "{%", "{#", "}}", "%}", "{{ ' }}", "{{ $ }}", "{{ ) }}", "{% raw %}{{", "{% endraw %}")
SOURCES = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
ANY_SOURCE = st.lists(st.sampled_from(PIECES + BROKEN), max_size=12).map("".join)


def check_tokens(source: str) -> None:
    """What lies between two tokens is whitespace, and each token stands at its offset."""
    text, at = normalised(source), 0
    for offset, _, value in raw_tokens(ENVIRONMENT.lexer, source):
        assert text[at:offset].strip() == ""
        assert text.startswith(value, offset)
        at = offset + len(value)
    assert text[at:].strip() == ""


@pytest.mark.parametrize("name", OWN)
def test_every_token_of_a_template_stands_at_its_offset(name: str) -> None:
    check_tokens(OWN[name])


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\r", "\n\n", " \n", "{# #}\n"])
@pytest.mark.parametrize("name", OWN)
def test_line_ends_do_not_move_tokens(name: str, ending: str) -> None:
    for newline in ("\n", "\r\n", "\r"):
        check_tokens(normalised(OWN[name]).replace("\n", newline) + ending)


@given(ANY_SOURCE)
def test_tokens_of_any_source_stand_at_their_offsets_until_it_breaks(source: str) -> None:
    with contextlib.suppress(LexicalError):
        check_tokens(source)


@given(ANY_SOURCE)
def test_what_is_no_token_has_a_place_in_the_source(source: str) -> None:
    failure = Template("default", source, {}).failure
    assert failure is None or failure.offset is None or 0 <= failure.offset <= max(len(normalised(source)) - 1, 0)


@given(ANY_SOURCE)
def test_a_source_has_the_tokens_that_jinja_gives_it(source: str) -> None:
    assert [token[1:] for token in tokens_with_offsets(source)] == tokens_of_jinja(source)


def tokens_with_offsets(source: str) -> list[tuple[int, str, str]]:
    try:
        return list(raw_tokens(ENVIRONMENT.lexer, source))
    except TemplateSyntaxError:
        return []


def tokens_of_jinja(source: str) -> list[tuple[str, str]]:
    try:
        return [(kind, value) for _, kind, value in ENVIRONMENT.lexer.tokeniter(source, None)]
    except TemplateSyntaxError:
        return []


@given(SOURCES)
def test_normalised_text_is_what_the_lexer_reads(source: str) -> None:
    whole = "{% raw %}" + source.replace("{%", "{") + "{% endraw %}"
    tokens = {kind: value for _, kind, value in raw_tokens(ENVIRONMENT.lexer, whole)}
    assert tokens.get("data", "") in normalised(whole)


@pytest.mark.parametrize("name", OWN)
def test_every_name_and_constant_of_the_tree_stands_where_its_node_says(name: str) -> None:
    syntax = Template(name, OWN[name], {}).syntax
    assert syntax
    for node in syntax.find("Name", "Filter", "Test", "Getattr", "Const"):
        place = syntax.place(node)
        written = syntax.text[place.start : place.end]
        assert written
        assert begins(node, written), (node, written)


def begins(node: nodes.Node, written: str) -> bool:
    """Whether a node may begin with the token that is written."""
    if isinstance(node, nodes.Name):
        return written == node.name
    if isinstance(node, nodes.Filter):
        return written.endswith(node.name)
    if isinstance(node, nodes.Test):
        return written.endswith(node.name) or written in ("in", "is not")
    return written[0] not in "}%#"


@pytest.mark.parametrize(
    ("source", "at"),
    [
        ("a\n{{ x }}\n{{ ' }}", "' }}"),
        ("a\r\n{{ x }}\r\n{{ $ }}", "$ }}"),
        ("{{ a }}   {{ ) }}", ") }}"),
        ("{{ a\n\n   | }}", "}}"),
        ("{% if a %}\n  {% else\n %}{{ ] }}", "] }}"),
        ("text {% no_such_tag %}", "no_such_tag"),
        ("a\n{% for x in y %}{% endif %}", "endif"),
        ("{{ a b }}", "b }}"),
        ("{#- a -#}\n\n  {{- a | no_such_filter }}", "no_such_filter"),
        ("{{ a is no_such_test }}", "is no"),
    ],
)
def test_an_error_stands_at_the_token_that_causes_it(source: str, at: str) -> None:
    template = Template("default", source, {})
    assert template.failure
    assert template.failure.offset == template.text.index(at)


@pytest.mark.parametrize("source", ["{{", "{%", "{#", "{% raw %}", "{% if a %}", "{{ a", "", "{{ '"])
def test_an_error_at_the_end_of_the_source_has_a_place_inside_it(source: str) -> None:
    failure = Template("default", source, {}).failure
    assert failure is None or 0 <= (failure.offset or 0) <= max(len(source) - 1, 0)
