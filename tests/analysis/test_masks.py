"""What of a conversation the assistant mask holds."""

from __future__ import annotations

import pytest

from tests.analysis.test_conformance import theirs
from tpllint.analysis.masks import empty_turns, find_turns, misaligned, words_of
from tpllint.analysis.taught import generation_tags, taught_turns
from tpllint.analysis.template import Template
from tpllint.conversations import Conversation, canonical

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
MARKED = "{% generation %}{{ m.content }}<|end|>{% endgeneration %}"
TURNS = (
    "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}"
    + MARKED
    + "{% else %}{{ m.content }}<|end|>{% endif %}"
    "{% endfor %}"
)
OUTSIDE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
IN_MACRO = "{% macro turn(m) %}<|{{ m.role }}|>" + MARKED + "{% endmacro %}{% for m in messages %}{{ turn(m) }}{% endfor %}"
IN_SET = "{% for m in messages %}{% set text %}<|{{ m.role }}|>" + MARKED + "{% endset %}{{ text }}{% endfor %}"
IN_FILTER = "{% for m in messages %}{% filter upper %}<|{{ m.role }}|>" + MARKED + "{% endfilter %}{% endfor %}"
CHANGED = "{% for m in messages %}{% filter upper %}" + MARKED + "{% endfilter %}{% endfor %}"
NESTED = "{% for m in messages %}{% generation %}<|{{ m.role }}|>" + MARKED + "{% endgeneration %}{% endfor %}"


def _template(source: str) -> Template:
    return Template("default", source, TOKENS)


@pytest.mark.parametrize("source", [IN_MACRO, IN_SET, IN_FILTER, CHANGED, NESTED], ids=str)
def test_a_span_on_other_text_than_its_block_wrote_is_told_and_is_the_span_of_transformers(source: str) -> None:
    conversation = canonical()["user-assistant"]
    render = _template(source).render_conversation(conversation)
    found = list(misaligned(render))
    assert found
    assert all(block.text.endswith("<|end|>") for block in found)
    text, spans = theirs(source, conversation, return_assistant_tokens_mask=True)
    assert (render.text, list(render.spans)) == (text, spans)


@pytest.mark.parametrize("source", [TURNS, OUTSIDE])
def test_a_span_on_what_its_block_wrote_is_right(source: str) -> None:
    assert list(misaligned(_template(source).render("three-rounds"))) == []


def test_the_place_of_a_block_is_its_tag() -> None:
    template = _template(TURNS)
    (place,) = generation_tags(template)
    assert TURNS[place.start :].startswith("generation %}")
    assert template.render("user-assistant").blocks[0].offset == place.start


def test_turns_without_a_masked_word_are_told() -> None:
    last = TURNS.replace("m.role == 'assistant'", "m.role == 'assistant' and loop.last")
    conversation = canonical()["three-rounds"]
    assert empty_turns(conversation, _template(TURNS).render_conversation(conversation)) == ()
    assert empty_turns(conversation, _template(last).render_conversation(conversation)) == (1, 3)
    assert empty_turns(conversation, _template(OUTSIDE).render_conversation(conversation)) == (1, 3, 5)


def test_a_turn_that_the_prompt_does_not_hold_is_not_missed() -> None:
    conversation = canonical()["user-assistant"]
    dropping = _template("{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}")
    assert empty_turns(conversation, dropping.render_conversation(conversation)) == ()


def test_a_short_answer_that_stands_elsewhere_too_counts_as_masked() -> None:
    conversation = Conversation("own", [{"role": "user", "content": "1"}, {"role": "assistant", "content": "a"}])
    assert empty_turns(conversation, _template(TURNS).render_conversation(conversation)) == ()


def test_reasoning_between_tags_in_a_text_is_reasoning() -> None:
    words = words_of({"role": "assistant", "content": "<think>\nthought-russet\n</think>\n\nanswer-birch"})
    assert [(each.kind, each.text) for each in words] == [("reasoning", "thought-russet"), ("content", "answer-birch")]


def test_the_words_of_a_message_are_its_reasoning_its_text_and_its_calls() -> None:
    message = {
        "role": "assistant",
        "content": [{"type": "text", "text": " said "}, {"type": "image"}],
        "thinking": "thought",
        "tool_calls": [
            {"function": {"name": "look", "arguments": '{"at": "sea", "deep": 3}'}},
            {"function": {"name": 3}},
            "odd",
        ],
    }
    assert [(words.kind, words.text) for words in words_of(message)] == [
        ("reasoning", "thought"),
        ("content", "said"),
        ("tool call", "look"),
        ("argument", "sea"),
    ]


@pytest.mark.parametrize(
    "message", [{}, {"content": None}, {"content": [1]}, {"tool_calls": {"function": {}}}, {"content": {}}]
)
def test_a_message_of_no_known_form_has_no_words(message: dict[str, object]) -> None:
    assert list(words_of(message)) == []


def test_words_are_found_in_the_order_of_the_messages() -> None:
    conversation = Conversation("own", [{"role": "user", "content": "yes"}, {"role": "assistant", "content": "yes"}])
    render = _template(OUTSIDE).render_conversation(conversation)
    assert render.text is not None
    starts = [found.start for found in find_turns(conversation, render)]
    assert starts == [render.text.index("yes"), render.text.rindex("yes")]


def test_the_model_writes_from_where_its_prompt_and_the_history_part() -> None:
    template = _template(TURNS + "{% if add_generation_prompt %}<|assistant|>{% endif %}")
    turn = next(taught_turns(template))
    assert turn.begins is not None
    assert turn.text[turn.begins : turn.ends] == "answer-birch<|end|>"
    assert next(taught_turns(_template(TURNS))).begins is None, "without a generation prompt nothing tells"
