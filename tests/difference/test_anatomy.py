"""What differs between two descriptions."""

from __future__ import annotations

from tpllint.difference.anatomy import ABSENT, Change, by_name, changes


def test_lists_of_named_entries_are_compared_by_name() -> None:
    left = {"roles": [{"role": "user", "opener": "<u>"}, {"role": "tool", "opener": "<t>"}], "tools": {"calls": 1}}
    right = {"roles": [{"role": "tool", "opener": "<t>"}, {"role": "user", "opener": "<v>"}], "tools": {"calls": 1}}
    assert changes(by_name(left), by_name(right)) == (Change(("roles", "user", "opener"), "<u>", "<v>"),)


def test_toggles_and_variables_are_compared_by_name_wherever_they_stand() -> None:
    found = by_name({"reasoning": {"toggles": [{"name": "think", "unset": "true"}], "fields": ["a", "b"]}, "variables": None})
    assert found == {
        "reasoning": {"toggles": {"think": {"name": "think", "unset": "true"}}, "fields": ["a", "b"]},
        "variables": None,
    }


def test_what_one_side_does_not_have_is_absent() -> None:
    assert changes({"a": {}}, {"a": {"b": 1}}) == (Change(("a", "b"), ABSENT, 1),)
    assert changes({"a": 1}, {"a": 1}) == ()
