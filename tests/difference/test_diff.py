"""What follows from the prompts of two sides, whatever rendered them."""

from __future__ import annotations

from typing import Any

import pytest

from tpllint.conversations import canonical
from tpllint.difference.diff import Diff, Side, Structure, Verdict
from tpllint.difference.matrix import Matrix
from tpllint.difference.outcomes import Outcome, Status

NAMES = ("user", "user-assistant", "user-assistant-user")


def side(name: str, source: str = "one", engine: str = "transformers", **texts: str | None) -> Side:
    """A side with one template; a conversation without a text is refused."""
    found = {("default", each.replace("_", "-"), False): Outcome(text, None if text else "no") for each, text in texts.items()}
    return Side(name, {"default": source}, found, engine=engine)


def test_the_verdict_follows_from_sources_and_prompts() -> None:
    left = side("l", user="a")
    assert Diff(left, side("r", user="a")).verdict is Verdict.IDENTICAL
    assert Diff(left, side("r", "two", user="a")).verdict is Verdict.COSMETIC
    assert Diff(left, side("r", user="b")).verdict is Verdict.BEHAVIOURAL


def test_two_engines_on_one_template_are_two_sides() -> None:
    left, right = side("t", user="true"), side("t", engine="another", user="True")
    diff = Diff(left, right)
    assert (diff.verdict, diff.source_changed) == (Verdict.BEHAVIOURAL, False)
    assert [each.status for each in diff.conversations] == [Status.DIFFERENT]


def test_the_address_of_a_function_that_is_printed_is_no_difference() -> None:
    left, right = (side("t", user=f"<function strftime_now at {address}>") for address in ("0x7f0001", "0x7f9999"))
    assert Diff(left, right).verdict is Verdict.IDENTICAL
    assert Diff(side("t", user="id at 0xdeadbeef>"), side("t", user="id at 0xcafecafe>")).verdict is Verdict.BEHAVIOURAL
    assert Matrix((left, right)).groups == (0, 0)


def test_a_change_that_runs_through_all_prompts_is_shown_once() -> None:
    left = side("l", user="hi|\n", user_assistant="hi|\nho|\n", user_assistant_user="hi|\nho|\nhe|\n")
    right = side("r", user="hi\n", user_assistant="hi\nho\n", user_assistant_user="hi\nho\nhe\n")
    (example,) = Diff(left, right).examples
    assert (example.compared.name, example.alike) == ("user", 2)


def test_each_further_change_is_shown_where_it_first_appears() -> None:
    left = side("l", user="hi|", user_assistant="hi|old", user_assistant_user="hi|")
    right = side("r", user="hi", user_assistant="hi new", user_assistant_user=None)
    diff = Diff(left, right)
    assert [example.compared.name for example in diff.examples] == list(NAMES)
    assert [example.compared.name for example in diff.every_example()] == list(NAMES)
    assert diff.examples[2].compared.status is Status.RIGHT_RAISES


def described(user: str, end: str) -> dict[str, Any]:
    empty = {"last_opener": None, "last_closer": None}
    roles = {"user": {"opener": user, "closer": end, **empty}, "assistant": {"opener": "", "closer": None, **empty}}
    return {"beginning": None, "separator": None, "roles": roles}


@pytest.mark.parametrize(
    ("right", "structure"),
    [
        pytest.param("<u>question-amber</u>", Structure.SAME, id="the same prompt"),
        pytest.param("[INST] question-amber [/INST]", Structure.DIALECT, id="other markers"),
        pytest.param("[INST]  question-amber [/INST]", Structure.DIFFERENT, id="other markers and one blank more"),
    ],
)
def test_dialect_is_told_apart_from_structure(right: str, structure: Structure) -> None:
    one = Side("l", {"default": "1"}, side("l", user="<u>question-amber</u>").outcomes, {"default": described("<u>", "</u>")})
    brackets = described("[INST] ", " [/INST]") if "INST" in right else described("<u>", "</u>")
    other = Side("r", {"default": "2"}, side("r", user=right).outcomes, {"default": brackets})
    diff = Diff(one, other, known=canonical())
    assert diff.structures == {"default": structure}
    assert len(diff.deeper) == (structure is Structure.DIFFERENT)


def test_templates_that_only_one_side_has_are_named() -> None:
    left, right = Side("l", {"default": "1", "rag": "2"}, {}), Side("r", {"default": "1", "tools": "2"}, {})
    diff = Diff(left, right)
    assert (diff.verdict, diff.templates_removed, diff.templates_added) == (Verdict.BEHAVIOURAL, ("rag",), ("tools",))


def test_a_matrix_groups_who_gives_callers_the_same() -> None:
    found = Matrix(
        (
            side("a", "1", user="x", user_assistant=None),
            side("b", "2", user="y", user_assistant=None),
            side("c", "3", user="x", user_assistant=None),
            side("d", "4", user="x", user_assistant="z"),
        )
    )
    assert found.groups == (0, 1, 0, 2)
    assert found.between(2, 0).verdict is Verdict.COSMETIC
    assert found.verdict is Verdict.BEHAVIOURAL
    told = found.as_json()
    assert [target["group"] for target in told["targets"]] == [0, 1, 0, 2]
    assert told["pairs"][1] == {"left": "a", "right": "c", "verdict": "cosmetic", "prompts": 2, "differing": 0}
