"""What a model writes, by itself and beside others, and how likely it finds what others wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.generate.asking import QUESTIONS, answers, loaded, prompt
from tpllint.errors import RepairableError
from tpllint.generation.exchange import Loaded, Score, ToScore
from tpllint.generation.talker import Talker

pytestmark = pytest.mark.usefixtures("told")


def test_a_model_tells_what_it_is(told: Loaded) -> None:
    assert (told.dtype, told.bos, told.stops) == ("float32", "<s>", ("<|im_end|>",))
    assert told.parameters > 0
    assert told.seconds > 0


def test_answers_do_not_depend_on_what_else_is_asked(talker: Talker) -> None:
    together = answers(talker, *map(prompt, QUESTIONS))
    alone = [answers(talker, prompt(question))[0] for question in QUESTIONS]
    assert [answer._replace(seconds=0) for answer in together] == [answer._replace(seconds=0) for answer in alone]
    assert [answer.name for answer in together] == list(QUESTIONS)


def test_more_prompts_than_fit_into_a_batch_are_answered_in_order(talker: Talker) -> None:
    asked = [prompt(str(number)) for number in range(40)]
    assert [answer.name for answer in answers(talker, *asked, tokens=1)] == [each.name for each in asked]


def test_an_answer_is_heard_as_it_comes(talker: Talker) -> None:
    pieces: list[tuple[str, str]] = []
    (answer,) = answers(talker, prompt("Hi"), heard=lambda name, piece: pieces.append((name, piece)))
    assert {name for name, _ in pieces} == {"Hi"}
    assert len(pieces) > 1
    assert "".join(piece for _, piece in pieces) == answer.text


def test_an_answer_is_no_longer_than_asked(talker: Talker) -> None:
    (answer,) = answers(talker, prompt("Hi"), tokens=3)
    assert answer.tokens == 3 if answer.stop is None else answer.tokens <= 3


def test_progress_is_told(talker: Talker, small_model: Path) -> None:
    told: list[tuple[str, float | None]] = []
    loaded(talker, small_model, lambda what, part: told.append((what, part)))
    answers(talker, *map(prompt, QUESTIONS))
    assert ("loading the model", None) in told
    parts = [part for what, part in told if what == "generating" and part is not None]
    assert parts == sorted(parts)
    assert 0 < parts[0] < 1


def test_a_prompt_that_the_template_does_not_make_is_told(talker: Talker) -> None:
    other = prompt("Hi", "<|im_start|>user\nHi <|im_end|>\n<|im_start|>assistant\n")
    assert [answer.encoded_otherwise for answer in answers(talker, prompt("Hi"), other, tokens=1)] == [False, True]


def test_doubled_beginnings_are_counted(talker: Talker) -> None:
    source = "{{ bos_token }}<s>{{ messages[0].content }}"
    doubled = prompt("Hi", "<s><s>Hi")
    (answer,) = talker.answer([doubled], source, 1)
    assert (answer.bos, answer.encoded_otherwise) == (2, False)


def test_of_a_conversation_that_transformers_refuses_nothing_is_known(talker: Talker) -> None:
    (answer,) = talker.answer([prompt("Hi", "<s>Hi")], "{{ raise_exception('no') }}", 1)
    assert (answer.bos, answer.encoded_otherwise) == (1, False)


def test_a_template_sees_the_time_that_the_prompt_was_rendered_at(talker: Talker) -> None:
    asked = prompt("Hi", "2024 Hi")
    asked = asked._replace(conversation={**asked.conversation, "clock": "2024-05-06T07:08:09"})
    (answer,) = talker.answer([asked], "{{ strftime_now('%Y') }} {{ messages[0].content }}", 1)
    assert not answer.encoded_otherwise


def test_a_message_is_continued_as_transformers_does(talker: Talker) -> None:
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hel"}]
    text = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHel"
    asked = prompt("Hi", text)._replace(
        conversation={"messages": messages}, add_generation_prompt=False, continue_final_message=True
    )
    assert not answers(talker, asked, tokens=1)[0].encoded_otherwise


@pytest.mark.parametrize("text", ["", "\ud83d"])
def test_a_prompt_that_cannot_be_answered_is_refused(talker: Talker, text: str) -> None:
    with pytest.raises(RepairableError):
        answers(talker, prompt("Hi", text))
    assert answers(talker, prompt("Hi"), tokens=1), "the process goes on"


def test_a_long_prompt_takes_no_room_from_others(talker: Talker, told: Loaded) -> None:
    assert told.context is not None
    short, long = prompt("Hi"), prompt("long", "a" * (told.context // 2))
    both = answers(talker, short, long, tokens=told.context)
    assert 0 < both[1].limit < both[0].limit < told.context
    (alone,) = answers(talker, short, tokens=told.context)
    assert both[0]._replace(seconds=0) == alone._replace(seconds=0)


def test_a_prompt_beyond_the_context_is_refused(talker: Talker, told: Loaded) -> None:
    assert told.context is not None
    with pytest.raises(RepairableError) as caught:
        answers(talker, prompt("a b " * told.context))
    assert caught.value.kind == "prompt-too-long"


def test_a_score_does_not_depend_on_what_else_is_scored(talker: Talker) -> None:
    items = [ToScore(question, prompt(question).text, "yes<|im_end|>\n") for question in QUESTIONS]
    together = talker.score(items)
    for item, score in zip(items, together, strict=True):
        (alone,) = talker.score([item])
        assert (alone.name, alone.tokens) == (score.name, score.tokens)
        assert alone.nats == pytest.approx(score.nats, abs=1e-3)
    assert all(score.tokens > 1 and score.nats > 0 for score in together)


def test_nothing_scores_better_than_what_the_model_writes(talker: Talker) -> None:
    asked = [prompt(str(number)) for number in range(40)]
    written = {answer.name: answer.text or answer.stop or "" for answer in answers(talker, *asked, tokens=1)}
    name = next(name for name, text in written.items() if "\ufffd" not in text)
    best, *others = talker.score([ToScore("", prompt(name).text, text) for text in (written[name], "z", "~", "<|im_start|>")])
    assert best.tokens == 1
    assert all(best.nats <= other.nats / other.tokens for other in others)


def test_an_answer_without_tokens_has_none(talker: Talker) -> None:
    assert talker.score([ToScore("a", "Hi", ""), ToScore("b", "", "")]) == [Score("a", 0.0, 0), Score("b", 0.0, 0)]


def test_nothing_is_asked_for_nothing(talker: Talker) -> None:
    assert (answers(talker), talker.score([])) == ([], [])
