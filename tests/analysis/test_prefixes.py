"""Which histories a template renders as the beginning of longer ones."""

from __future__ import annotations

import pytest

from tpllint.analysis.growth import growths, thinking_switches
from tpllint.analysis.prefixes import first_divergence, histories
from tpllint.analysis.template import Template
from tpllint.conversations import Conversation, canonical

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
TURNS = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
ONLY_LAST = (
    "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content and loop.last %}<think>{{ m.reasoning_content }}</think>"
    "{% endif %}{{ m.content }}<|end|>{% endfor %}"
)


def _template(source: str) -> Template:
    return Template("default", source, TOKENS)


def _of(*roles: str) -> Conversation:
    return Conversation("own", [{"role": role, "content": f"words-{index}"} for index, role in enumerate(roles)])


def test_a_prompt_that_only_grows_diverges_nowhere() -> None:
    assert first_divergence(_template(TURNS), _of("system", "user", "assistant", "user", "assistant")) is None


def test_the_first_message_that_changes_is_named_with_the_share_that_stays() -> None:
    found = first_divergence(_template(ONLY_LAST), canonical()["reasoning-old-and-last"])
    assert found is not None
    assert (found.message, found.after, found.until) == (1, 2, 3)
    assert found.before == "<think>thought-russet</think>answer-birch<|end|>"
    assert found.instead.startswith("answer-birch<|end|><|user|>question-coral")
    assert found.earlier.text is not None
    assert found.kept == found.at / len(found.earlier.text)
    assert found.earlier.text[: found.at] == "<|user|>question-amber<|end|><|assistant|>"


def test_a_change_far_back_is_told_of_the_message_it_is_in() -> None:
    source = (
        "{% for m in messages %}{{ m.content }}{% if loop.index == 1 %}({{ messages | length > 4 }}){% endif %};{% endfor %}"
    )
    found = first_divergence(_template(source), _of("user", "assistant", "user", "assistant", "user"))
    assert found is not None
    assert (found.message, found.after) == (0, 4)


@pytest.mark.parametrize("marker", ["<|user|>", "[INST]"])
def test_no_marker_is_cut_in_two(marker: str) -> None:
    other = marker.replace("s", "x").replace("N", "X")
    end = f"{{% if loop.last %}}{marker}{{% else %}}{other}{{% endif %}}"
    source = f"{{% for m in messages %}}{{{{ m.content }}}}{end}{{% endfor %}}"
    found = first_divergence(_template(source), _of("user", "assistant"))
    assert found is not None
    assert found.before == marker


def test_a_history_that_raises_is_skipped_and_the_next_is_held_against_the_last_that_rendered() -> None:
    refuses = "{% if messages[-1].role == 'assistant' %}{{ raise_exception('no') }}{% endif %}"
    assert first_divergence(_template(refuses + TURNS), _of("user", "assistant", "user", "assistant", "user")) is None
    changing = refuses + TURNS.replace("<|end|>", "<|end|>{{ messages | length }}")
    found = first_divergence(_template(changing), _of("user", "assistant", "user"))
    assert found is not None
    assert (found.after, found.until) == (1, 3)


def test_no_program_renders_between_two_results_or_after_the_system_alone() -> None:
    conversation = _of("system", "user", "assistant", "tool", "tool", "assistant")
    assert list(histories(conversation)) == [2, 3, 5, 6]
    assert list(histories(conversation, serving=True)) == [2, 5]


def test_a_request_that_the_next_one_does_not_begin_with_is_told_with_its_answer() -> None:
    source = TURNS + "{% if add_generation_prompt %}<|assistant|><think></think>{% endif %}"
    found = first_divergence(_template(source), canonical()["two-rounds"], serving=True)
    assert found is not None
    assert found.message == 1
    assert found.before == "<think></think>"
    assert first_divergence(_template(source), canonical()["two-rounds"]) is None


def test_switches_of_reasoning_are_those_that_change_the_generation_prompt() -> None:
    opened = "<|assistant|>{% if not enable_thinking | default(true) %}<think></think>{% endif %}"
    kept = "{% if preserve_thinking and messages | length > 2 %}kept{% endif %}"
    source = f"{TURNS}{{% if add_generation_prompt %}}{opened}{{% endif %}}{kept}"
    assert thinking_switches(_template(source)) == ((("enable_thinking", False),),)
    assert thinking_switches(_template(TURNS)) == ()


def test_one_reason_is_told_once() -> None:
    found = list(growths(_template(TURNS + "</s>")))
    assert [growth.conversation.name for growth in found] == ["three-rounds"]


def test_reasoning_is_not_mixed_with_a_switch_that_turns_it_off() -> None:
    source = (
        "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}<think>{{ m.reasoning_content }}</think>"
        "{% endif %}{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>"
        "{% if enable_thinking is false %}<think></think>{% endif %}{% endif %}"
    )
    assert list(growths(_template(source), serving=True)) == []
