"""Watched messages: which words are planted, and what becomes of them."""

from __future__ import annotations

import pytest

from tpllint.analysis.template import Template
from tpllint.analysis.vetting.canaries import LONG_TEXT, MOST_WORDS

PLAIN = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"


def template(source: str) -> Template:
    return Template("default", source, {"bos_token": "<s>", "eos_token": "</s>"})


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("{{ messages[0].content.replace('dose', 'half') }}", ("dose", "half")),
        ("{{ messages[0].content | replace(' not ', ' ') }}", (" not ",)),
        ("{% set w = ' not ' %}{{ messages[0].content | replace(w, ' ') }}", (" not ",)),
        ("{{ messages[0].content.replace('do' ~ 'se', 'half') }}", ("do", "se", "half", "dose")),
        ("{% set t = {'bank': 'x'} %}{{ t.get(messages[0].content) }}", ("bank",)),
        ("{% if 'bank' in messages[0].content %}{% endif %}", ("bank",)),
        ("{{ {'bank': 'x'}[messages[0].content] }}", ("bank",)),
        ("{{ messages[0].content.split('</think>')[-1] }}", ()),
        ("{{ messages[0].content.split('[BEGIN ANSWER]')[-1] }}", ()),
        ("{% if '/no_think' in messages[0].content %}{% endif %}", ()),
        ("{% if messages[0].role == 'user' %}{% endif %}", ()),
        ("{{ 'bank' }}", ()),
    ],
)
def test_only_words_of_natural_language_that_messages_are_searched_for_are_planted(code: str, words: tuple[str, ...]) -> None:
    assert tuple(template(code).canaries.words) == words


def test_a_template_cannot_make_us_plant_without_end() -> None:
    letters = "abcdefghij"
    words = [f"bank{first}{second}" for first in letters for second in letters]
    one = template("".join(f"{{% if '{word}' in messages[0].content %}}{{% endif %}}" for word in words))
    assert len(one.canaries.words) == MOST_WORDS
    assert "planting the words it looks for" in one.exhausted


def test_words_are_planted_for_every_speaker_alone_and_among_others() -> None:
    planted = list(template("{% if 'bank' in messages[0].content %}{% endif %}" + PLAIN).canaries.planted())
    assert [one.role for one in planted] == [role for role in ("user", "system", "assistant", "tool") for _ in range(2)]
    assert {one.said for one in planted} == {"bank", "note-heather bank note-heather"}
    assert all(one.said in (one.render.text or "") for one in planted)


def test_the_long_message_and_the_long_chat_are_whole_in_a_good_template() -> None:
    one = template(PLAIN)
    assert all(LONG_TEXT in (render.text or "") for _, render, _ in one.canaries.long_messages())
    chat = one.canaries.long_chat
    assert chat.recipe is not None
    assert all(message["content"] in (chat.text or "") for message in chat.recipe.conversation.messages)
