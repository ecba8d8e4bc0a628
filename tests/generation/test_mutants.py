"""Prompts as other templates would make them: each is another prompt, and differs in what its words say."""

from __future__ import annotations

from typing import Any

import pytest

from tpllint.generation.mutants import FORMATS, Parts, mutants, parts

MESSAGES = ({"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes?"}, {"role": "user", "content": "bye"})
OPENERS = {role: f"<|im_start|>{role}\n" for role in ("user", "assistant", "system")}
CLOSERS = dict.fromkeys(OPENERS, "<|im_end|>\n")
CHATML = Parts("<|im_start|>assistant\n", "<|im_end|>", OPENERS, CLOSERS, "", "<s>")
TOKENS = frozenset(token for form in FORMATS.values() for token in form.markers)
PROMPT = (
    "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nyes?<|im_end|>\n"
    "<|im_start|>user\nbye<|im_end|>\n<|im_start|>assistant\n"
)


def made(prompt: str, messages: Any, found: Parts) -> dict[str, str]:
    return dict(mutants(prompt, messages, found))


def test_each_change_is_made_once_and_nothing_that_is_the_prompt_itself() -> None:
    assert made(PROMPT, MESSAGES, CHATML._replace(tokens=TOKENS)) == {
        "with or without a generation prompt, the other way round": PROMPT.removesuffix("<|im_start|>assistant\n"),
        "with another line end after the generation prompt": PROMPT[:-1],
        "with other line ends between turns": PROMPT.replace("<|im_end|>\n", "<|im_end|>"),
        "with another name for the user's role": PROMPT.replace("|>user\n", "|>human\n"),
        "with another name for the assistant's role": PROMPT.replace("|>assistant\n", "|>model\n"),
        "without the ends of turns": PROMPT.replace("<|im_end|>", ""),
        "with one beginning of sequence more or less": f"<s>{PROMPT}",
        "in the format of header tokens": (
            "<|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nyes?"
            "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nbye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
        ),
        "in the format of turn tokens": (
            "<start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>model\nyes?<end_of_turn>\n"
            "<start_of_turn>user\nbye<end_of_turn>\n<start_of_turn>model\n"
        ),
        "in the format of role tokens": "<|user|>\nhi</s>\n<|assistant|>\nyes?</s>\n<|user|>\nbye</s>\n<|assistant|>\n",
    }


def test_what_a_template_lost_is_put_back() -> None:
    lost = PROMPT[PROMPT.index("<|im_start|>user\nbye") :]
    assert made(lost, MESSAGES, CHATML)["with every message in a turn of its own"] == PROMPT
    mute = PROMPT.removesuffix("<|im_start|>assistant\n")
    without = CHATML._replace(generation_prompt="")
    assert made(mute, MESSAGES, without)["with or without a generation prompt, the other way round"] == PROMPT
    renamed = CHATML._replace(openers={**OPENERS, "user": "<|im_start|>human\n"})
    assert made(PROMPT.replace("|>user\n", "|>human\n"), MESSAGES, renamed)["with another name for the user's role"] == PROMPT
    other = PROMPT.removesuffix("assistant\n") + "model\n"
    unlike = CHATML._replace(generation_prompt="<|im_start|>model\n")
    assert made(other, MESSAGES, unlike)["with the answer opened as earlier ones are"] == PROMPT
    silent = CHATML._replace(openers={"user": OPENERS["user"]}, closers={"user": CLOSERS["user"]})
    asked = ({"role": "system", "content": "be kind"}, MESSAGES[0])
    assert made("", asked, silent)["with every message in a turn of its own"] == (
        "<|im_start|>system\nbe kind<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    )
    doubled = made(f"<s><s>{PROMPT}", MESSAGES, CHATML)
    assert doubled["with one beginning of sequence more or less"] == f"<s>{PROMPT}"


def test_a_format_whose_markers_the_model_reads_as_text_is_not_tried() -> None:
    assert "in the format of ChatML" not in made("hi", MESSAGES, CHATML._replace(tokens=TOKENS - {"<|im_end|>"}))
    chatml = made("<s>hi", MESSAGES, CHATML._replace(tokens=TOKENS))["in the format of ChatML"]
    assert chatml == f"<s>{PROMPT}"


@pytest.mark.parametrize("content", [[{"type": "text", "text": "hi"}], None])
def test_what_another_format_would_make_of_more_than_text_is_not_guessed(content: object) -> None:
    known = CHATML._replace(tokens=TOKENS)
    assert not any("format" in words for words in made(PROMPT, [{"role": "user", "content": content}], known))


def test_a_template_of_which_nothing_is_known_has_no_changes_of_its_own() -> None:
    assert made("hi", [{"role": "user", "content": None}], Parts()) == {}


def test_a_description_tells_the_parts() -> None:
    roles = [
        {"role": "user", "opener": "<u>", "closer": "<e>\n"},
        {"role": "assistant", "opener": "<a>", "closer": "<e>\n"},
        {"role": "tool", "opener": None, "closer": None},
    ]
    told = {"generation_prompt": "<a>", "terminator": {"text": "<e>"}, "beginning": {"text": "<s>"}, "roles": roles}
    openers = {"user": "<u>", "assistant": "<a>"}
    assert parts(told, "<s>", {"<e>"}) == Parts("<a>", "<e>", openers, dict.fromkeys(openers, "<e>\n"), "<s>", "<s>", {"<e>"})
    assert parts({"generation_prompt": None, "terminator": None, "beginning": None, "roles": []}, None, frozenset()) == Parts()
