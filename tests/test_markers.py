"""Prompts as text: what two share, and what a marker of reasoning looks like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpllint.markers import THINKING, common_prefix, common_suffix, shared

LETTERS = st.text(alphabet="ab", max_size=12)


@given(LETTERS, LETTERS, LETTERS)
def test_two_texts_share_what_they_begin_with_and_no_more(beginning: str, left: str, right: str) -> None:
    first, second = beginning + left, beginning + right
    length = shared(first, second)
    assert first[:length] == second[:length]
    assert first[length : length + 1] != second[length : length + 1] or first == second == first[:length]


def test_what_is_common_cuts_no_marker_in_two() -> None:
    assert common_prefix("hi<|end|>", "hi<|eot|>") == len("hi")
    assert common_suffix("<|a|>ok", "<|b|>ok") == len("ok")


@pytest.mark.parametrize(
    "marker", ["<think>", "</think>", "<|begin_of_thought_or_thinking|>", "[THINK]", "[/think]", "<THINK mode=1>"]
)
def test_a_marker_that_speaks_of_thinking_is_one_of_reasoning(marker: str) -> None:
    assert THINKING.fullmatch(marker)


@pytest.mark.parametrize(
    "text", ["think", "<b>I think</b>", "<" + "think" * 20 + ">"], ids=["a word", "in a tag's text", "too long"]
)
def test_other_text_about_thinking_is_no_marker(text: str) -> None:
    assert not THINKING.search(text)
