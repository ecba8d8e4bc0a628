"""Edits of JSON as text: what is not meant stays as it is, byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpllint.span import Place, json_members
from tpllint.text_edit import Replacement, in_json, replaced, without_key

KEY = "chat_template"
BLANKS = st.text(alphabet=" \t\r\n", max_size=3)
SCALARS = st.none() | st.booleans() | st.integers(-999, 999) | st.text(max_size=6)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
KEYS = st.sampled_from([KEY, KEY, "a", "b", "{", '"', "chat_template ", "\\"]) | st.text(max_size=4)


@st.composite
def written(draw: st.DrawFn) -> tuple[list[tuple[str, Any, str]], str]:
    """The members of an object, each with the characters that nobody may touch, and the object as somebody wrote it."""
    members = draw(st.lists(st.tuples(KEYS, VALUES), max_size=6))
    pieces, told = [], []
    for key, value in members:
        ascii_only = draw(st.booleans())
        name = "\\u0063hat_template" if key == KEY and draw(st.booleans()) else json.dumps(key, ensure_ascii=ascii_only)[1:-1]
        own = f'"{name}"{draw(BLANKS)}:{draw(BLANKS)}{json.dumps(value, indent=draw(st.sampled_from([None, 1])))}'
        told.append((key, value, own))
        pieces.append(f"{draw(BLANKS)}{own}{draw(BLANKS)}")
    inside = ",".join(pieces) or draw(BLANKS)
    return told, f"{draw(BLANKS)}{{{inside}}}{draw(BLANKS)}"


@settings(max_examples=300, deadline=None)
@given(written())
def test_to_take_a_key_out_leaves_every_other_byte(given_: tuple[list[tuple[str, Any, str]], str]) -> None:
    members, text = given_
    after = without_key(text, KEY)
    expected = json.loads(text)
    expected.pop(KEY, None)
    assert json.loads(after) == expected
    assert list(json.loads(after)) == list(expected)
    kept = [own for key, _, own in members if key != KEY]
    assert [after[member.start : member.end] for member in json_members(after)] == kept
    assert _is_cut_of(after, text)
    assert after[: after.index("{")] == text[: text.index("{")]
    assert after[after.rindex("}") :] == text[text.rindex("}") :]
    assert without_key(after, KEY) == after
    if len(kept) == len(members):
        assert after == text


def _is_cut_of(after: str, text: str) -> bool:
    """Whether nothing was added, and nothing changed its place."""
    rest = iter(text)
    return all(character in rest for character in after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"chat_template": "x"}', "{}"),
        ('{"chat_template": "x", "chat_template": "y"}', "{}"),
        ('{\n  "chat_template": "x"\n}\n', "{\n}\n"),
        ('{\n  "a": 1,\n  "chat_template": "x"\n}', '{\n  "a": 1\n}'),
        ('{\n  "chat_template": "x",\n  "a": 1\n}', '{\n  "a": 1\n}'),
        ('{\n\t"a": 1,\n\t"chat_template": "x",\n\t"b": 2\n}', '{\n\t"a": 1,\n\t"b": 2\n}'),
        ('{"a":1,"chat_template":{"b":[]},"b":2}', '{"a":1,"b":2}'),
        ('{"a": 1 , "chat_template": "x" , "chat_template": "y" }', '{"a": 1 }'),
        ('{"a": {"chat_template": 1}, "chat_template ": 2}', '{"a": {"chat_template": 1}, "chat_template ": 2}'),
    ],
)
def test_an_object_without_the_key_looks_as_its_author_wrote_it(before: str, after: str) -> None:
    assert without_key(before, KEY) == after


@given(st.text(), st.booleans())
def test_what_is_written_into_a_json_string_is_read_back(text: str, ascii_only: bool) -> None:
    own = in_json(text, ascii_only=ascii_only)
    assert json.loads(f'"{own}"') == text
    assert not ascii_only or own.isascii()


def test_half_of_a_surrogate_pair_is_escaped_in_json() -> None:
    assert in_json("é\ud800", ascii_only=False) == "\\u00e9\\ud800"


def test_replacements_know_the_places_before_any_of_them() -> None:
    edits = [Replacement(Place(4, 5), "four"), Replacement(Place(0, 1)), Replacement(Place(2, 2), "-")]
    assert replaced("01234", edits) == "1-23four"
