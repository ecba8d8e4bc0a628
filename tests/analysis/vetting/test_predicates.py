"""What counts as a predicate, as a question of shape, as a command and as an ordinary role."""

from __future__ import annotations

import pytest

from tpllint.analysis.template import Template
from tpllint.analysis.vetting.dependence import Dependence
from tpllint.analysis.vetting.forcing import Forcing
from tpllint.analysis.vetting.predicates import Predicate, is_command, predicate_of


def predicates(source: str) -> list[Predicate]:
    """In the order of the source."""
    syntax = Template("default", source, {}).syntax
    assert syntax is not None
    found = sorted(Forcing(syntax.tree).predicates, key=lambda node: syntax.expression(node).start)
    return [predicate_of(node, syntax, Dependence(syntax)) for node in found]


def code(source: str) -> list[str]:
    syntax = Template("default", source, {}).syntax
    assert syntax is not None
    places = sorted(syntax.expression(node) for node in Forcing(syntax.tree).predicates)
    return [syntax.text[place.start : place.end] for place in places]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{% if a %}{% endif %}", ["a"]),
        ("{% if a and not b or c %}{% endif %}", ["a", "b", "c"]),
        ("{% if a == 1 and b %}{% elif c is none %}{% endif %}", ["a == 1", "b", "c is none"]),
        ("{{ 'x' if a else 'y' }}", ["a"]),
        ("{% for m in messages if m.b %}{% endfor %}", ["m.b"]),
        ("{% set t = 'x' in a %}", ["'x' in a"]),
        ("{{ ['', 'x'][('x' in a) | int] }}", ["'x' in a"]),
        ("{{ {true: 'x'}[a.startswith('x')] }}", ["a.startswith('x')"]),
        ("{{ a or 'x' }}", []),
        ("{{ a[0] + b | length }}", []),
    ],
)
def test_a_predicate_is_what_comes_out_true_or_false(source: str, found: list[str]) -> None:
    assert code(source) == found


@pytest.mark.parametrize(
    "condition",
    [
        *("m", "m.content", "m['content']", "m.content | trim", "m.content.strip()", "m.get('content')", "m.content | length"),
        *("m.content is string", "m.content is defined", "m.content is not none", "m.content == ''", "m.content != none"),
        *("m.content | length > 0", "messages | length == 0", "m.content == []", "m.content | first"),
    ],
)
def test_being_there_empty_or_of_a_type_is_shape(condition: str) -> None:
    (found,) = predicates("{% for m in messages %}{% if CONDITION %}{% endif %}{% endfor %}".replace("CONDITION", condition))
    assert found.shape


@pytest.mark.parametrize(
    "condition",
    [
        *("'x' in m.content", "m.content == 'x'", "m.content is upper", "m.content | length > 9", "m.content.split('x')[1:]"),
        *("m.content.isdigit()", "m.content | select('equalto', 'x') | list", "messages | length > 1", "m.content.count('x')"),
        "strftime_now is defined",
    ],
)
def test_what_a_text_says_and_how_long_it_is_are_not(condition: str) -> None:
    (found,) = predicates("{% for m in messages %}{% if CONDITION %}{% endif %}{% endfor %}".replace("CONDITION", condition))
    assert not found.shape


@pytest.mark.parametrize(
    "word", ["/no_think", "</think>", "<|tool_response|>", "[TOOL]", "[BEGIN ANSWER]", "@user", "tool_call", "<image>"]
)
def test_a_word_in_the_form_of_a_token_is_a_command(word: str) -> None:
    assert is_command(word)


@pytest.mark.parametrize("word", ["refund", "please answer", "é", "100 mg", " not ", "Refund", "what do you think"])
def test_a_word_that_people_write_is_none(word: str) -> None:
    assert not is_command(word)


@pytest.mark.parametrize(("role", "usual"), [("user", True), ("tool", True), ("User", False), ("admin", False)])
def test_only_roles_that_clients_send_are_usual(role: str, usual: bool) -> None:
    (found,) = predicates("{% for m in messages %}{% if m.role == 'ROLE' %}{% endif %}{% endfor %}".replace("ROLE", role))
    assert found.asks_for_a_usual_role is usual


def test_a_role_whose_branch_writes_its_message_may_bring_words_in() -> None:
    source = (
        "{% for m in messages %}{% if m.role == 'critic' %}Note of a critic: {{ m.content }}{% elif m.role == 'Judge' %}"
        "The judge has spoken.{% else %}{{ m.content }}{% endif %}{% endfor %}"
    )
    (influence,) = Template("default", source, {}).interference.influences
    assert influence.words == "The judge has spoken"
