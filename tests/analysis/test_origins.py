"""Which message a part of a prompt came from: told where it is certain, and nowhere else."""

from __future__ import annotations

import pytest

from tpllint.analysis.origins import origins

Message = dict[str, object]


def said(text: str, *messages: Message, elsewhere: str = "") -> list[tuple[str, int | None]]:
    """The parts of a prompt with their messages, after a check that they cover it."""
    found = origins(text, messages, elsewhere)
    assert "".join(text[origin.start : origin.end] for origin in found) == text
    return [(text[origin.start : origin.end], origin.message) for origin in found]


def user(content: object, **more: object) -> Message:
    return {"role": "user", "content": content, **more}


def assistant(content: object, **more: object) -> Message:
    return {"role": "assistant", "content": content, **more}


def test_what_a_message_says_is_its_own_and_the_rest_is_nobodys() -> None:
    assert said("<s>[INST] hi [/INST]hello</s>", user("hi"), assistant("hello")) == [
        ("<s>[INST] ", None),
        ("hi", 0),
        (" [/INST]", None),
        ("hello", 1),
        ("</s>", None),
    ]


def test_a_short_text_inside_a_longer_one_is_no_second_place() -> None:
    assert ("hi", 0) in said("[hi][hi there]", user("hi"), assistant("hi there"))


def test_a_text_inside_a_word_of_the_template_is_not_meant() -> None:
    assert said("this: hi;", user("hi")) == [("this: ", None), ("hi", 0), (";", None)]


def test_messages_that_say_the_same_stand_in_their_order() -> None:
    assert [index for _, index in said("A: ok\nB: ok\nA: ok\n", user("ok"), assistant(" ok "), user("ok"))] == [
        None,
        0,
        None,
        1,
        None,
        2,
        None,
    ]


def test_messages_that_say_the_same_are_not_told_apart_where_one_is_missing() -> None:
    assert said("A: ok\n", user("ok"), assistant("ok")) == [("A: ok\n", None)]


def test_the_same_text_at_both_ends_of_a_chat_is_told_apart_by_what_stands_between() -> None:
    assert said("hi|well met|hi", user("hi"), assistant("well met"), user("hi")) == [
        ("hi", 0),
        ("|", None),
        ("well met", 1),
        ("|", None),
        ("hi", 2),
    ]


def test_a_header_is_never_taken_for_a_message_that_says_the_same() -> None:
    assert said("<|im_start|>user\n<|im_end|>", user("user")) == [("<|im_start|>user\n<|im_end|>", None)]


def test_what_the_template_or_a_tool_says_too_counts_only_in_its_message_place() -> None:
    chat = (user("what is it?"), assistant("get_weather"))
    tools = '<tools>{"name": "get_weather"}</tools>'
    assert ("get_weather", 1) not in said(f"{tools}what is it?", *chat, elsewhere=tools)
    assert said(f"{tools}what is it?<call>get_weather", *chat, elsewhere=tools)[-2:] == [("<call>", None), ("get_weather", 1)]


def test_a_system_message_may_stand_later_than_its_turn() -> None:
    text = "[one question][one answer][be terse, please\n\nlast question]"
    chat: tuple[Message, ...] = (
        {"role": "system", "content": "be terse, please"},
        user("one question"),
        assistant("one answer"),
    )
    assert [part for part in said(text, *chat, user("last question")) if part[1] is not None] == [
        ("one question", 1),
        ("one answer", 2),
        ("be terse, please", 0),
        ("last question", 3),
    ]


def test_a_long_text_that_is_written_twice_is_told_both_times() -> None:
    found = said("be terse, please!be terse, please", user("be terse, please"))
    assert [index for _, index in found] == [0, None, 0]


@pytest.mark.parametrize(("kept", "index"), [(" hi\n", 0), ("hi", 0)])
def test_the_blanks_of_a_text_are_its_own_where_they_stayed(kept: str, index: int) -> None:
    assert said(f"[{kept}]", user(" hi\n")) == [("[", None), (kept, index), ("]", None)]


def test_a_text_written_as_json_is_found() -> None:
    assert ('a \\"b\\"\\nc', 0) in said('{"content": "a \\"b\\"\\nc"}', user('a "b"\nc'))


@pytest.mark.parametrize(
    "written",
    [
        '{"name": "f", "arguments": {"city": "Bonn", "days": 2}}',
        '{"city": "Bonn", "days": 2}',
        '{"city":"Bonn","days":2}',
        "Bonn",
    ],
)
def test_a_tool_call_is_found_as_the_template_writes_it(written: str) -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": {"city": "Bonn", "days": 2}}}
    assert (written, 1) in said(f"<call>{written}</call>", user("?"), assistant(None, tool_calls=[call]))


def test_parts_reasoning_and_what_is_left_of_a_text_are_found() -> None:
    parts = [{"type": "text", "text": "one part"}, {"type": "image"}, {"type": "text", "text": "another"}]
    thinking = assistant("<think>\nhidden\n</think>\n\nthe answer", reasoning_content="why not")
    found = said("one part<image>another|why not|the answer", user(parts), thinking)
    assert [part for part in found if part[1] is not None] == [
        ("one part", 0),
        ("another", 0),
        ("why not", 1),
        ("the answer", 1),
    ]


@pytest.mark.parametrize("content", [None, "", "  \n", 3, [[]], {}, [None, {"type": "image"}]])
def test_a_message_without_text_is_nowhere(content: object) -> None:
    assert said("<s>3  \n</s>", user(content)) == [("<s>3  \n</s>", None)]


def test_a_prompt_of_one_letter_is_searched_to_an_end() -> None:
    messages = [user("a" * length) for length in range(1, 400)]
    assert [index for _, index in said("a" * 1_000_000, *messages)] == [None]


def test_an_empty_prompt_has_no_parts() -> None:
    assert said("", user("hi")) == []
