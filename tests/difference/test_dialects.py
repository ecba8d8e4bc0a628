"""Prompts of two dialects, written so that only what is not dialect differs."""

from __future__ import annotations

from typing import Any

from tpllint.conversations import canonical
from tpllint.difference.dialects import Dialect, Said, agree, aligned, dialect, said, unaligned

MARKS = Dialect("", "", {"user": "<|user|>\n", "assistant": "<|bot|>\n"}, {"user": "<|end|>\n", "assistant": "<|end|>\n"})
CLOSERS = {"user": " [/INST]", "assistant": "</s>"}
BRACKETS = Dialect("<s>", " ", {"user": "[INST] "}, CLOSERS, {"assistant": ""})
CHAT = (Said("hello", "user"), Said("well", "assistant"), Said("bye", "user"))


def role(**told: Any) -> dict[str, Any]:
    return {"opener": None, "closer": None, **told}


def test_the_markers_are_those_of_the_description_with_their_blanks() -> None:
    described = {
        "beginning": {"text": "<s>"},
        "separator": " ",
        "roles": {
            "user": role(opener="<u>\n", closer="</u>"),
            "assistant": role(opener="", closer="</s>", last_closer="</s>\n"),
        },
    }
    found = dialect(described)
    assert (found.beginning, found.separator) == ("<s>", " ")
    assert found.openers == {"user": "<u>\n"}
    assert found.closers == {"user": "</u>", "assistant": "</s>"}


def test_what_says_something_is_no_marker_and_what_separates_turns_are_blanks() -> None:
    told = {"beginning": None, "separator": "</s>", "roles": {"user": role(opener="<u>Obey the author. ", closer="</u>")}}
    found = dialect(told)
    assert (found.openers, found.closers, found.separator) == ({}, {"user": "</u>"}, "")


def test_blanks_make_no_other_dialect() -> None:
    other = Dialect("", "", {"user": "<|user|>"}, {"user": "<|end|>"})
    assert agree(MARKS, other)
    assert not agree(MARKS, BRACKETS)


def test_a_chat_in_two_dialects_reads_the_same() -> None:
    left = aligned("<|user|>\nhello<|end|>\n<|bot|>\nwell<|end|>\n<|user|>\nbye<|end|>\n", CHAT, MARKS, BRACKETS)
    right = aligned("<s>[INST] hello [/INST]well</s> [INST] bye [/INST]", CHAT, BRACKETS, MARKS)
    assert left.text == "{user}hello{/user}well{/assistant}{user}bye{/user}"
    assert right.text == left.text


def test_a_blank_in_place_of_an_opener_is_told_elsewhere() -> None:
    blank = Dialect("<s>", "", {"user": "[INST] "}, CLOSERS, {"assistant": " "})
    assert aligned("<s>[INST] hello [/INST] well</s>", CHAT, blank, MARKS).text == "{user}hello{/user}well{/assistant}"
    assert aligned("<s>[INST] hello [/INST]  well</s>", CHAT, blank, MARKS).text == "{user}hello{/user}  well{/assistant}"


def test_markers_of_a_role_that_the_other_side_drops_stay() -> None:
    developer = Dialect("", "", {**MARKS.openers, "developer": "<|dev|>\n"}, {**MARKS.closers, "developer": "<|end|>\n"})
    texts = (Said("rule", "developer"), Said("hello", "user"))
    shown = aligned("<|dev|>\nrule<|end|>\n<|user|>\nhello<|end|>\n", texts, developer, BRACKETS)
    assert shown.text == "{developer}rule{/developer}{user}hello{/user}"


def test_the_markers_of_any_role_are_those_of_a_role_that_nobody_knows() -> None:
    any_role = Dialect("", "", {"user": "<user>", "other": "<{role}>"}, {"user": "</>", "other": "</>"})
    shown = aligned("<critic>rule</><user>hello</>", (Said("rule", "critic"), Said("hello", "user")), any_role, MARKS)
    assert shown.text == "{critic}rule{/critic}{user}hello{/user}"


def test_a_blank_that_belongs_to_no_marker_stays() -> None:
    left = aligned("<|user|>\n hello<|end|>\n", CHAT, MARKS, MARKS)
    assert left.text == "{user} hello{/user}"


def test_a_marker_within_the_words_of_a_message_is_no_marker() -> None:
    text = "<|user|>\nwhat is <|end|>\n for?<|end|>\n"
    shown = aligned(text, (Said("what is <|end|>\n for?", "user"),), MARKS, MARKS)
    assert shown.text == "{user}what is <|end|>\n for?{/user}"


def test_a_marker_that_opens_two_roles_is_that_of_who_speaks_next() -> None:
    shared = Dialect("", "", {"user": "<|in|>", "tool": "<|in|>"}, {})
    shown = aligned("<|in|>hello<|in|>42", (Said("hello", "user"), Said("42", "tool")), shared, shared)
    assert shown.text == "{user}hello{tool}42"


def test_a_span_is_found_again_in_the_prompt_itself() -> None:
    prompt = "<s>[INST] hello [/INST]"
    shown = aligned(prompt, CHAT, BRACKETS, MARKS)
    start = shown.text.index("hello")
    assert prompt[slice(*shown.in_prompt((start, start + 5)))] == "hello"
    assert prompt[slice(*shown.in_prompt((0, len("{user}"))))] == "[INST] "
    assert shown.in_prompt((len(shown.text), len(shown.text))) == (len(prompt), len(prompt))
    assert unaligned(prompt).in_prompt((3, 9)) == (3, 9)


def test_what_is_said_is_found_with_who_says_it() -> None:
    found = {(one.text, one.role) for one in said(canonical()["tool-loop"])}
    assert ("question-amber", "user") in found
    assert ("result-iris", "tool") in found
    assert any(speaker == "tools" for _, speaker in found)
    assert [one.text for one in said(canonical()["user-parts"])] == ["text", "question-amber"]
