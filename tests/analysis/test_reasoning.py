"""What is learnt of a model's reasoning, whatever its markers and its switches are called."""

from __future__ import annotations

import pytest

from tpllint.analysis.reasoning import OPEN_LOOP, Reasoning, ReasoningTags, State
from tpllint.analysis.template import Template

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
PROMPT = "{% if add_generation_prompt %}<|assistant|>PREFILL{% endif %}"


def reasoning(source: str) -> Reasoning:
    return Template("default", source, TOKENS).reasoning


def history(opener: str, closer: str, prefill: str = "") -> str:
    """A template that renders reasoning between two markers, and opens or closes it in its generation prompt."""
    return (
        ("{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content %}" + opener + "{{ m.reasoning_content }}" + closer)
        + "{% endif %}{{ m.content }}<|end|>{% endfor %}"
        + PROMPT.replace("PREFILL", prefill)
    )


def test_a_template_without_a_word_about_reasoning_is_asked_nothing() -> None:
    found = reasoning(history("", "").replace("reasoning_content", "aside"))
    assert not found.mentioned
    assert (found.tags, found.shown, found.cut_at, found.prefill()) == (None, None, (), "")


@pytest.mark.parametrize(
    ("opener", "closer", "tags"),
    [
        ("<think>\n", "\n</think>\n\n", ReasoningTags("<think>", "</think>")),
        ("[THINK]", "[/THINK]", ReasoningTags("[THINK]", "[/THINK]")),
        ("<ponder:deep>", "</ponder:deep>", ReasoningTags("<ponder:deep>", "</ponder:deep>")),
        ("<|chan>musing\n", "<chan|>", ReasoningTags("<|chan>musing", "<chan|>")),
        ("", "<|end|><|assistant|>", None),
        ("aside: ", "; ", None),
    ],
    ids=["think", "brackets", "any-name", "two-shapes", "a-turn-of-its-own", "words"],
)
def test_tags_are_what_stands_around_a_thought(opener: str, closer: str, tags: ReasoningTags | None) -> None:
    found = reasoning(history(opener, closer))
    assert found.tags == tags
    assert found.around == (opener, closer)


def test_tags_are_learnt_where_the_prompt_opens_them_too() -> None:
    found = reasoning(history("<ponder>", "</ponder>", prefill="<ponder>"))
    assert found.tags == ReasoningTags("<ponder>", "</ponder>")
    assert (found.header, found.prefill(), found.opens()) == ("<|end|><|assistant|>", "<ponder>", True)


def test_tags_are_learnt_from_what_an_answer_is_cut_at() -> None:
    found = reasoning(
        "{# reasoning #}{% for m in messages %}<|{{ m.role }}|>{{ m.content.split('</ponder>')[-1] }}<|end|>{% endfor %}"
    )
    assert found.cut_at == ("</ponder>",)
    assert found.tags == ReasoningTags("<ponder>", "</ponder>")


def test_reasoning_that_a_switch_turns_on_is_found() -> None:
    found = reasoning(history("<think>", "</think>").replace("if m.reasoning", "if deep_thought and m.reasoning"))
    assert found.shown == ("reasoning-last", (("deep_thought", True),))
    assert found.tags == ReasoningTags("<think>", "</think>")


def test_reasoning_that_only_calls_keep_is_found() -> None:
    found = reasoning(
        "{% for m in messages %}<|{{ m.role }}|>{% if m.tool_calls and m.reasoning_content %}<think>{{ m.reasoning_content }}"
        "</think>{% endif %}{{ m.content }}{{ m.tool_calls or '' }}<|end|>{% endfor %}"
    )
    assert found.shown == (OPEN_LOOP, ())
    assert found.tags == ReasoningTags("<think>", "</think>")


@pytest.mark.parametrize(
    ("state", "prefill", "opens"),
    [
        ((), "", False),
        ((("enable_thinking", True),), "<think>", True),
        ((("enable_thinking", False),), "<think></think>", False),
    ],
    ids=["unset", "on", "off"],
)
def test_the_generation_prompt_is_told_in_each_state(state: State, prefill: str, opens: bool) -> None:
    written = "{% if enable_thinking is defined %}<think>{% if not enable_thinking %}</think>{% endif %}{% endif %}"
    found = reasoning(history("<think>", "</think>", prefill=written))
    assert state in found.states
    assert (found.prefill(state), found.opens(state)) == (prefill, opens)


def test_the_values_of_a_switch_are_those_that_the_source_compares_it_with() -> None:
    prefill = "{% if reasoning_effort | lower == 'none' %}<think></think>{% endif %}"
    (control,) = reasoning(history("<think>", "</think>", prefill=prefill)).controls
    assert (control.name, control.values, control.is_toggle) == ("reasoning_effort", ("none",), False)


@pytest.mark.parametrize(
    ("use", "inert"),
    [
        ("{% set deep_thought = deep_thought | default(1) %}", True),
        ("{% if deep_thought %}{% endif %}", True),
        ("{% if deep_thought %}Think!{% endif %}", False),
        ("{% for m in messages if m.musing_thoughts and deep_thought %}{{ m.musing_thoughts }}{% endfor %}", False),
        ("{% if deep_thought and enable_thinking is false %}Think!{% endif %}", False),
        ("{% if deep_thought == 'odd' %}{{ raise_exception('no') }}{% endif %}", False),
    ],
    ids=["kept", "empty", "beginning", "own-field", "beside-another", "refuses"],
)
def test_a_switch_is_inert_where_no_value_of_it_changes_a_prompt(use: str, inert: bool) -> None:
    found = reasoning(history("<think>", "</think>") + use)
    control = next(one for one in found.controls if one.name == "deep_thought")
    assert found.is_inert(control) is inert


def test_a_switch_that_the_user_sets_for_all_renders_is_nobodys_to_pass() -> None:
    source = history("<think>", "</think>", prefill="{% if enable_thinking %}<think>{% endif %}")
    assert Template("default", source, TOKENS, variables={"enable_thinking": True}).reasoning.controls == ()


def test_the_word_that_turns_reasoning_off_is_no_part_of_the_header() -> None:
    source = history("<think>", "</think>", prefill="{% if enable_thinking is false %}<think></think>{% endif %}")
    source = source.replace(
        "{{ m.content }}", "{{ m.content }}{% if m.role == 'user' and enable_thinking is false %}/no{% endif %}"
    )
    found = reasoning(source)
    assert found.prefill((("enable_thinking", False),)) == "<think></think>"


@pytest.mark.parametrize(
    ("given", "apart"),
    [("m.content", False), ("m.content.replace('<think>', '<think>\\n')", True), ("m.content.split('</think>')[-1]", True)],
    ids=["as-it-is", "written-anew", "left-out"],
)
def test_it_is_told_whether_tags_in_an_answer_are_recognised(given: str, apart: bool) -> None:
    assert reasoning(history("<think>", "</think>").replace("m.content", given)).takes_tags_apart is apart
