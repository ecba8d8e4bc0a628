"""Places in text, and the way into a JSON string and back out."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpllint.span import NEWLINE, Lined, Position, json_string_at, offset_at, offset_in_json_string, position_at

TEXT = st.text("ab\r\n\u2028😀")
LINES = [
    ("", 0, (1, 1)),
    ("ab", 1, (1, 2)),
    ("ab", 2, (1, 3)),
    ("a\nb", 1, (1, 2)),
    ("a\nb", 2, (2, 1)),
    ("a\r\nb", 1, (1, 2)),
    ("a\r\nb", 2, (1, 3)),
    ("a\r\nb", 3, (2, 1)),
    ("a\rb", 2, (2, 1)),
    ("a\n\n\nb", 4, (4, 1)),
    ("a\u2028b\x0bc\x85d", 6, (1, 7)),
    ("é😀\n😀é", 4, (2, 2)),
]


@pytest.mark.parametrize(("text", "offset", "expected"), LINES)
def test_a_position_counts_lines_as_editors_do_and_columns_in_characters(
    text: str, offset: int, expected: tuple[int, int]
) -> None:
    assert position_at(text, offset) == Position(*expected)


@given(st.text("ab\r\n\u2028😀"), st.data())
def test_an_offset_is_found_again_from_its_position(text: str, data: Any) -> None:
    offset = data.draw(st.integers(0, len(text)))
    assert offset_at(text, position_at(text, offset)) == offset


def test_a_position_behind_the_end_is_the_end() -> None:
    assert offset_at("ab\ncd", Position(2, 99)) == 5


FOUND = [
    ('"x"', (), "x"),
    ('  \n\t"x"', (), "x"),
    ('{"a": "x"}', ("a",), "x"),
    ('{"b": {"a": "no"}, "a": "x"}', ("a",), "x"),
    ('{"a": "no", "a": "x"}', ("a",), "x"),
    ('{"a": {"a": "no"}, "a": {"a": "x"}}', ("a", "a"), "x"),
    ('{ "a"\t:\r\n [ 1 , {"b" : "x"} ] }', ("a", 1, "b"), "x"),
    ('{"\\u0061": "x"}', ("a",), "x"),
    ('{"a\\"b": "x"}', ('a"b',), "x"),
    ('{"": "x"}', ("",), "x"),
    ('[[], {}, "", [["x"]]]', (3, 0, 0), "x"),
    ('{"b": "}\\"{,:", "a": "x"}', ("a",), "x"),
    ('{"b": [1e5, -0.5, true, false, null, "]"], "a": "x"}', ("a",), "x"),
    ('{"t": [{"name": "d", "template": "no"}, {"name": "u", "template": "x"}]}', ("t", 1, "template"), "x"),
]


@pytest.mark.parametrize(("text", "path", "value"), FOUND)
def test_a_json_string_is_found_by_its_path(text: str, path: tuple[str | int, ...], value: str) -> None:
    quote = json_string_at(text, path)
    assert quote is not None
    assert json.JSONDecoder().raw_decode(text, quote)[0] == value


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("1", ()),
        ("{}", ("a",)),
        ("[]", (0,)),
        ('["x"]', (1,)),
        ('["x"]', ("a",)),
        ('{"a": "x"}', (0,)),
        ('{"a": 1}', ("a",)),
        ('{"a": "x", "a": null}', ("a",)),
        ('{"a": "x"}', ("a", "b")),
        ('{"a": {}}', ("a", "b", "c")),
    ],
)
def test_a_path_that_leads_to_no_string_finds_nothing(text: str, path: tuple[str | int, ...]) -> None:
    assert json_string_at(text, path) is None


ESCAPED = [
    (r'"abc"', 2, "c"),
    (r'"a\nb"', 1, r"\n"),
    (r'"a\nb"', 2, "b"),
    (r'"\"\\\/x"', 3, "x"),
    (r'"\"\\\/x"', 1, r"\\"),
    (r'"\u00e9x"', 1, "x"),
    (r'"\ud83d\ude00x"', 0, r"\ud83d\ude00"),
    (r'"\ud83d\ude00x"', 1, "x"),
    (r'"\uD83D\uDE00x"', 1, "x"),
    (r'"\ud83dx"', 1, "x"),
    (r'"\ude00\ud83dx"', 2, "x"),
    (r'"\ud83d\ud83d\ude00x"', 2, "x"),
    (r'"\\ud83d\\ude00x"', 6, r"\\"),
    ('"😀x"', 1, "x"),
]


@pytest.mark.parametrize(("text", "index", "written"), ESCAPED)
def test_a_character_of_a_json_string_is_where_its_escape_begins(text: str, index: int, written: str) -> None:
    assert text.startswith(written, offset_in_json_string(text, 0, index))


def test_a_character_behind_the_end_is_the_closing_quote() -> None:
    assert offset_in_json_string('"ab" ', 0, 2) == offset_in_json_string('"ab" ', 0, 99) == 3


ANY_TEXT = st.text(st.characters(exclude_categories=()) | st.sampled_from('"\\/\b\n😀\ud83d\ude00{}[],:'))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
    max_leaves=20,
)


def strings(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], str]]:
    """Every string in a JSON value with the path that leads to it."""
    if isinstance(value, str):
        return [(path, value)]
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for step, member in members for found in strings(member, (*path, step))]


@given(JSON, st.booleans(), st.sampled_from([None, 0, 2, "\t"]))
def test_every_string_and_each_of_its_characters_is_found_in_any_json(value: Any, ascii_only: bool, indent: Any) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    for path, expected in strings(json.loads(text)):
        quote = json_string_at(text, path)
        assert quote is not None
        places = [offset_in_json_string(text, quote, index) for index in range(len(expected) + 1)]
        assert text[places[-1]] == '"'
        for character, (start, end) in zip(expected, itertools.pairwise(places), strict=True):
            assert json.loads(f'"{text[start:end]}"') == character


@given(TEXT, st.data())
def test_lines_that_are_counted_once_are_those_that_are_counted_each_time(text: str, data: Any) -> None:
    lined = Lined(text)
    offset = data.draw(st.integers(0, len(text)))
    assert lined.position(offset) == position_at(text, offset)
    for number, line in enumerate(NEWLINE.split(text), start=1):
        begin, end = lined.line(number)
        assert text[begin:end] == line
    assert lined.line(10**9) == (len(text), len(text))
