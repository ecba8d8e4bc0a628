"""Rows in the forms in which people keep conversations, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tpllint.conversations.rows import RowError, conversations, parsed, prompt

HI = {"role": "user", "content": "hi"}
HELLO = {"role": "assistant", "content": "hello"}
BYE = {"role": "assistant", "content": "bye"}
SYSTEM = {"role": "system", "content": "be kind"}
TOOLS = [{"type": "function", "function": {"name": "look_up"}}]
CALL = {"name": "look_up", "arguments": {"what": "kelp"}}
CALLS = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": CALL}]}
TURNS = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        ({"messages": [HI, HELLO], "model": "x", "temperature": 0}, [HI, HELLO]),
        ([HI, HELLO], [HI, HELLO]),
        ({"custom_id": "1", "method": "POST", "body": {"model": "x", "messages": [HI]}}, [HI]),
        ([["hi", "hello"], ["hi", None]], [HI, HELLO, HI]),
        ({"messages": [["hi", "bye"]]}, [HI, BYE]),
        ({"conversations": TURNS}, [HI, HELLO]),
        ({"conversation": TURNS}, [HI, HELLO]),
        (TURNS, [HI, HELLO]),
        ({"conversations": TURNS, "system": "be kind"}, [SYSTEM, HI, HELLO]),
        ({"conversations": [{"from": "system", "value": "be kind"}, *TURNS], "system": "else"}, [SYSTEM, HI, HELLO]),
        ({"conversations": [HI, HELLO]}, [HI, HELLO]),
        ({"conversations": [{"from": "function_call", "value": json.dumps(CALL)}]}, [CALLS]),
        ({"conversations": [{"from": "function_call", "value": "no"}]}, [{"role": "assistant", "content": "no"}]),
        ({"conversations": [{"from": "observation", "value": "wet"}]}, [{"role": "tool", "content": "wet"}]),
        ({"conversations": [{"from": "critic", "value": "hm"}]}, [{"role": "critic", "content": "hm"}]),
        ({"messages": json.dumps([HI, HELLO])}, [HI, HELLO]),
        ({"prompt": [HI], "completion": [HELLO]}, [HI, HELLO]),
        ({"prompt": [HI]}, [HI]),
    ],
    ids=str,
)
def test_a_row_of_any_form_is_its_messages(row: Any, messages: list[Any]) -> None:
    ((part, conversation),) = conversations(row)
    assert (part, list(conversation.messages)) == ("", messages)


def test_a_row_of_preferences_is_a_conversation_for_each_answer() -> None:
    found = {part: list(each.messages) for part, each in conversations({"prompt": [HI], "chosen": [HELLO], "rejected": [BYE]})}
    assert found == {"chosen": [HI, HELLO], "rejected": [HI, BYE]}
    whole = {part: list(each.messages) for part, each in conversations({"chosen": [HI, HELLO], "rejected": [HI, BYE]})}
    assert whole == found


@pytest.mark.parametrize("tools", [TOOLS, json.dumps(TOOLS)], ids=["a list", "JSON in a string"])
def test_what_is_passed_beside_the_messages_is_read(tools: object) -> None:
    row = {
        "messages": [HI],
        "tools": tools,
        "chat_template_kwargs": {"enable_thinking": False, "messages": []},
        "add_generation_prompt": False,
        "top_p": 1,
    }
    ((_, conversation),) = conversations(row)
    assert (conversation.tools, conversation.variables) == (TOOLS, {"enable_thinking": False})
    assert conversation.generation_prompt is False


@pytest.mark.parametrize("nothing", [None, "", []], ids=repr)
def test_tools_that_are_none_are_none(nothing: object) -> None:
    ((_, conversation),) = conversations({"messages": [HI], "tools": nothing})
    assert not conversation.tools


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"dialogue": [HI, HELLO], "tools": TOOLS}, "dialogue"),
        ({"a.b": [HI, HELLO], "tools": TOOLS}, "a.b"),
        ({"data": {"dialogue": [HI, HELLO], "tools": TOOLS}}, "data.dialogue"),
        ({"data": {"messages": [HI, HELLO], "tools": TOOLS}, "messages": []}, "data"),
    ],
)
def test_a_field_that_is_named_holds_the_conversation(row: Any, field: str) -> None:
    ((_, conversation),) = conversations(row, field)
    assert (list(conversation.messages), conversation.tools) == ([HI, HELLO], TOOLS)


@pytest.mark.parametrize(
    ("row", "field", "why"),
    [
        (1, None, "no conversation"),
        ({}, None, "no conversation"),
        ({"text": "hi"}, None, "no conversation"),
        (["hi"], None, "no conversation"),
        ([], None, "no messages"),
        ({"messages": []}, None, "no messages"),
        ([[None, None]], None, "no messages"),
        ({"messages": "hi"}, None, "its messages are text: not JSON: expecting value at column 1"),
        ({"messages": [HI], "tools": "hi"}, None, '"tools" is text: not JSON'),
        ({"messages": 1}, None, "no list"),
        ({"messages": [HI, "hello"]}, None, "messages[1] is no object"),
        ([["hi", "hello"], "hi"], None, "number 1 of its list is not a pair"),
        ([["hi", {"file": "x"}]], None, "a pair is not"),
        ([*TURNS, {"from": 1}], None, "a turn is not"),
        ({"prompt": "hi", "completion": "hello"}, None, "plain text"),
        ({"messages": [HI], "tools": {}}, None, '"tools" is not a list'),
        ({"messages": [HI], "chat_template_kwargs": []}, None, "is not an object"),
        ({"messages": [HI]}, "dialogue", "no field dialogue"),
        ({"data": 1}, "data.dialogue", "no field data.dialogue"),
        ([HI], "dialogue", "not an object with dialogue"),
    ],
    ids=str,
)
def test_what_is_no_conversation_says_why(row: Any, field: str | None, why: str) -> None:
    with pytest.raises(RowError, match=why.replace("[", r"\[")):
        conversations(row, field)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "not JSON"),
        ('{"messages": [{"role": "user", "content": "a\x01b"}]}', "not JSON: invalid control character at column 45"),
        ("[" * 101 + "]" * 101, "nests deeper"),
        ("[" * 1_000_000, "nests deeper"),
        ("9" * 5000, "not usable JSON: it holds a number of thousands of digits"),
        ('[["half of it: \\uD83d", "hello"]]', "half of a surrogate pair"),
    ],
    ids=lambda value: value[:40],
)
def test_a_line_that_cannot_be_read_says_why(line: str, why: str) -> None:
    with pytest.raises(RowError, match=why):
        parsed(line)


def test_a_character_that_is_written_in_two_halves_is_read() -> None:
    assert parsed('[["\\uD83d\\uDE00", null]]') == [["\U0001f600", None]]


def test_the_prompt_of_a_row_is_what_comes_before_its_answer() -> None:
    row = {
        "name": "x",
        "prompt": [HI],
        "completion": [HELLO],
        "tools": TOOLS,
        "chat_template_kwargs": {"enable_thinking": True},
    }
    assert prompt(row) == ({"tools": TOOLS, "enable_thinking": True, "messages": [HI]}, "hello")
    assert prompt({"messages": [HI, HELLO]}) == prompt([HI, HELLO]) == ({"messages": [HI, HELLO]}, None)


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": [HI], "completion": [HELLO, BYE]},
        {"prompt": [HI], "completion": [{"role": "assistant", "content": None}]},
        {"prompt": [HI], "completion": "hello"},
        {"prompt": "hi", "completion": [HELLO]},
        {"prompt": [HI], "chosen": [HELLO], "rejected": [BYE]},
        {},
        3,
    ],
    ids=str,
)
def test_what_is_no_prompt_with_one_answer_is_told(row: object) -> None:
    with pytest.raises(RowError):
        prompt(row)
