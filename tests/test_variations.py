"""Conversations that are made for templates."""

from __future__ import annotations

import pytest

from tpllint.analysis.probes import probes_of
from tpllint.analysis.template import Template
from tpllint.conversations.variations import MOST_SETTINGS, MOST_TEXTS, Probes, variations

LOOKS = """
{%- for m in messages -%}
  {%- if m.content.startswith('/quiet') and not m.content.endswith('!') -%}{%- continue -%}{%- endif -%}
  {%- set parts = m.content.split('</think>') -%}
  {%- if effort == 'high' or effort in ['low', 'none'] -%}{{ effort }}{%- endif -%}
  {%- if m.role == 'user' and thinking is defined -%}{{ parts[-1] }}{%- endif -%}
{%- endfor -%}
"""


def probes(source: str) -> Probes:
    return probes_of(Template("default", source, {}))


def names(found: Probes) -> list[str]:
    return [conversation.name for conversation in variations(found)]


def test_the_variables_and_the_values_that_they_are_compared_with_are_found() -> None:
    assert probes(LOOKS).variables == {"effort": ("high", "low", "none"), "thinking": ()}


def test_the_words_of_one_condition_stand_together_and_roles_are_no_words() -> None:
    words = probes(LOOKS).words
    assert words[0] == ("/quiet", "!")
    assert ("</think>",) in words
    assert not any("user" in found for found in words)


def test_a_template_that_does_not_parse_has_no_probes() -> None:
    assert probes("{% if %}") == Probes()


def test_each_value_is_passed_alone_and_with_all_other_variables() -> None:
    found = [name for name in names(Probes({"think": (), "effort": ("max",)})) if name.startswith("user with ")]
    assert found[:5] == [
        "user with think=true",
        "user with think=false",
        "user with effort=true",
        "user with effort=false",
        'user with effort="max"',
    ]
    assert 'user with think=true, effort="max"' in found
    assert 'user with think=false, effort="max"' in found


def test_words_are_said_by_the_user_and_in_an_answer_alone_around_a_text_and_together() -> None:
    found = {each.name: each for each in variations(Probes(words=(("<a>", "<b>"),)))}
    said = {str(each.messages[-1]["content"]) for name, each in found.items() if name.startswith("user saying")}
    assert said == {
        *("<a>", "<a>\nanswer-birch\n<a>", "<b>", "<b>\nanswer-birch\n<b>"),
        *("<a>\nanswer-birch\n<b>", "<b>\nanswer-birch\n<a>"),
    }
    answers = [each.messages[1]["content"] for name, each in found.items() if name.startswith("assistant saying")]
    assert set(answers) == said


@pytest.mark.parametrize("count", [1, 40])
def test_every_name_is_another_one_and_their_number_is_bounded(count: int) -> None:
    many = Probes({f"v{number}": ("x", "y") for number in range(count)}, tuple((f"<w{number}>",) for number in range(count)))
    found = names(many)
    assert len(found) == len(set(found))
    assert len(found) <= 6 * MOST_SETTINGS + 2 * MOST_TEXTS + 10
    assert (many.untried > 0) is (count > 1)


def test_roles_documents_and_numbers_beside_a_threshold_are_tried() -> None:
    found = probes(
        "{% for m in messages %}{% if m.role == 'critic' and budget > 100 %}{{ documents }}{% elif m.role == 'user' %}"
        "{{ m.content }}{% endif %}{% endfor %}"
    )
    assert (found.roles, found.documents) == (("critic",), True)
    told = set(names(found))
    assert {"user, critic, user", "user with documents", "user with budget=101", "user with budget=100"} <= told


def test_a_variable_that_the_user_sets_is_not_set_otherwise() -> None:
    found = Probes({"think": (), "effort": ("max",)}).without({"think": False})
    assert [name for name in names(found) if "think" in name] == []


def test_probes_of_two_sides_are_joined_with_every_value_once() -> None:
    one, other = Probes({"a": (1, True)}, (("x",),)), Probes({"a": (True, 2), "b": ()}, (("x",), ("y",)))
    assert one.joined(other) == Probes({"a": (1, True, 2), "b": ()}, (("x",), ("y",)))


def test_null_is_kept_in_conversations_that_have_it() -> None:
    kept = [conversation for conversation in variations(Probes()) if conversation.keeps_null]
    assert kept
    assert all(any(message.get("content", "") is None for message in each.messages) for each in kept)
    template = Template("default", "{% for m in messages %}[{{ m.content }}]{% endfor %}", {})
    texts = {each.name: template.render_conversation(each).text for each in kept}
    assert texts["user-content-null with null kept"] == "[None]"
