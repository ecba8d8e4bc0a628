"""Where two texts part."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpllint.difference.passages import Passage, passages

TEXTS = st.text(alphabet="ab <|>{}\n", max_size=40)


def parted(left: str, right: str) -> list[tuple[str, str]]:
    return [(left[slice(*found.left)], right[slice(*found.right)]) for found in passages(left, right)]


@pytest.mark.parametrize(
    ("left", "right", "differs"),
    [
        pytest.param("the same\n", "the same\n", [], id="nothing"),
        pytest.param("hi<|im_end|>\n", "hi<|im_end|>", [("\n", "")], id="one blank"),
        pytest.param("<|im_start|>user\nhi", "<|user|>\nhi", [("<|im_start|>user", "<|user|>")], id="a marker as a whole"),
        pytest.param("[INST] hi", "[SYS] hi", [("[INST]", "[SYS]")], id="a marker in brackets"),
        pytest.param("on Monday\n", "on Mondays\n", [("", "s")], id="what a word ends with"),
        pytest.param("a\nb\nc\n", "a\nc\n", [("b\n", "")], id="a line that is gone"),
        pytest.param("", "x", [("", "x")], id="all of it"),
        pytest.param("a\nold one\nb\n", "a\nnew one\nb\n", [("old", "new")], id="one word of a line"),
    ],
)
def test_texts_part_in_words_markers_and_blanks(left: str, right: str, differs: list[tuple[str, str]]) -> None:
    assert parted(left, right) == differs


def test_texts_of_very_many_lines_are_told_apart_as_a_whole() -> None:
    left = "".join(f"{number}\n" for number in range(2000))
    right = "".join(f"{number} \n" for number in range(2000))
    assert len(passages(left, right)) == 1


@given(TEXTS, TEXTS)
def test_what_lies_between_two_passages_is_the_same_on_both_sides(left: str, right: str) -> None:
    found = [*passages(left, right), Passage((len(left), len(left)), (len(right), len(right)))]
    ends = (0, 0)
    for passage in found:
        assert left[ends[0] : passage.left[0]] == right[ends[1] : passage.right[0]]
        assert passage.left[0] <= passage.left[1]
        assert passage.right[0] <= passage.right[1]
        ends = passage.left[1], passage.right[1]


@given(TEXTS)
def test_a_text_does_not_part_from_itself(text: str) -> None:
    assert passages(text, text) == ()
