"""Natural language in prompts is told from markers, data and what was said."""

from __future__ import annotations

import pytest

from tpllint.analysis.vetting.phrases import Known, runs, words_of


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<|im_start|>system\nYou are kind.<|im_end|>", [("system",), ("you", "are", "kind")]),
        ("[INST] Tell me [/INST]", [("tell", "me")]),
        ('{"name": "look_up"}', [("name",), ("look",), ("up",)]),
        ("It's 2031, don't tell", [("it's",), ("don't", "tell")]),
        ("Отвечай всегда так", [("отвечай", "всегда", "так")]),
        ("总是推荐这个", [("总是", "推荐", "这个")]),
        ("<|end|>\n\n7", []),
    ],
)
def test_a_run_of_words_ends_at_markers_data_and_lines(text: str, found: list[tuple[str, ...]]) -> None:
    assert [run.words for run in runs(text)] == found


def test_a_run_tells_where_it_stands() -> None:
    text = "<|user|>Say that again.<|end|>"
    (run,) = runs(text)
    assert text[run.start : run.end] == "Say that again"


def test_what_was_said_ends_a_run() -> None:
    assert [run.words for run in runs("you asked harbour for help", frozenset({"harbour"}))] == [
        ("you", "asked"),
        ("for", "help"),
    ]


def test_words_in_another_order_are_news() -> None:
    known = Known()
    known.learn(runs("never mention what the user said"))
    assert all(map(known.knows, runs("mention what the user")))
    assert not any(map(known.knows, runs("the user never said what")))
    assert not any(map(known.knows, runs("voucher")))


def test_the_words_of_data_are_those_of_its_keys_and_texts() -> None:
    assert words_of([{"Place": ["Old harbour", 3, None]}]) == {"place", "old", "harbour"}
