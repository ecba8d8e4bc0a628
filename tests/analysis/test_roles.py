"""Which roles a template asks for."""

from __future__ import annotations

import pytest

from tpllint.analysis.template import Template


@pytest.mark.parametrize(
    ("source", "roles"),
    [
        ("{{ (messages | selectattr('role', 'eq', 'query') | first).content }}", ("query",)),
        (
            "{% for m in messages %}{% if m['role'] in ['query', 'document'] %}{{ m.content }}{% endif %}{% endfor %}",
            ("query", "document"),
        ),
        (
            "{% for m in messages %}{% set role = m.role %}{% if role == 'query' %}{{ m.content }}{% endif %}{% endfor %}",
            ("query",),
        ),
        ("{% for m in messages %}{% if m.role == 'query' or m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}", ()),
        ("{% for m in messages %}{% if m.role == 'tool' %}{{ m.content }}{% else %}{{ m.content }}{% endif %}{% endfor %}", ()),
        ("{% for m in messages %}{% if m.content == 'query' %}{{ m.role }}{% endif %}{% endfor %}", ()),
    ],
)
def test_roles_of_no_chat_are_told_where_none_of_a_chat_is_asked_for(source: str, roles: tuple[str, ...]) -> None:
    assert Template("default", source, {}).anatomy.foreign_roles == roles


@pytest.mark.parametrize(
    ("source", "takes"),
    [
        ("{% if messages[0].role == 'system' %}{{ messages[0].content }}{% endif %}", True),
        ("{{ messages[0].content if messages[0].role == 'system' else '' }}", True),
        ("{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}", False),
        ("{% if messages[0].role != 'system' %}{{ messages[0].content }}{% endif %}", False),
    ],
)
def test_a_branch_that_only_refuses_the_system_role_does_not_take_it(source: str, takes: bool) -> None:
    assert Template("default", source, {}).anatomy.has_system_branch is takes


@pytest.mark.parametrize(
    ("line", "required"),
    [
        ("{{ guideline + m.content }}", ("guideline",)),
        ("{{ guideline + m.content + ending }}", ("guideline", "ending")),
        ("{{ guideline | default('') + m.content }}", ()),
        ("{{ guideline(m.content) }}", ()),
        ("{{ guideline[m.role] + m.content }}", ()),
    ],
)
def test_a_variable_is_required_where_a_plain_chat_renders_with_any_text_for_it(line: str, required: tuple[str, ...]) -> None:
    source = "{% for m in messages %}" + line + "{% endfor %}"
    assert Template("default", source, {}).required_variables == required
