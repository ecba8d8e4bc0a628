"""Which markers bracket a turn, and where a prompt's brackets disagree."""

from __future__ import annotations

import pytest

from tpllint.analysis.template import Template
from tpllint.analysis.turns import TurnMarkers, imbalance, turn_markers

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
TURNS = TurnMarkers(frozenset(("<|open|>",)), frozenset(("<|close|>",)), frozenset(("<|open|>", "<|close|>")), False)


def _learnt(source: str) -> tuple[set[str], set[str]] | None:
    turns = turn_markers(Template("default", source, TOKENS))
    return None if turns is None else (set(turns.openers), set(turns.closers))


@pytest.mark.parametrize(
    ("source", "learnt"),
    [
        ("{% for m in messages %}<|open|>{{ m.role }}\n{{ m.content }}<|close|>{% endfor %}", ({"<|open|>"}, {"<|close|>"})),
        (
            "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}</s>\n{% endfor %}",
            ({"<|user|>", "<|assistant|>"}, {"</s>"}),
        ),
        (
            "<s>{% for m in messages %}<|head|>{{ m.role }}<|text|>{% if m.role == 'assistant' %}<|say|>{{ m.content }}<|said|>"
            "{% else %}{{ m.content }}{% endif %}<|close|>{% endfor %}",
            ({"<|head|>"}, {"<|close|>"}),
        ),
        ("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}", None),
        ("{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}", None),
        (
            "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %}{{ m.content }}</s>"
            "{% endif %}{% endfor %}",
            None,
        ),
        ("{% for m in messages %}{{ raise_exception('no') }}{% endfor %}", None),
    ],
    ids=["one-pair", "roles-as-markers", "nested", "no-closer", "no-opener", "answers-without-opener", "raises"],
)
def test_the_markers_of_a_turn_are_learnt_where_both_roles_have_them(
    source: str, learnt: tuple[set[str], set[str]] | None
) -> None:
    assert _learnt(source) == learnt


def test_a_header_that_comes_with_the_question_is_told() -> None:
    turns = turn_markers(
        Template(
            "default",
            "{% for m in messages %}{% if m.role == 'user' %}<|open|>user\n{{ m.content }}<|close|><|open|>assistant\n"
            "{% else %}{{ m.content }}<|close|>{% endif %}{% endfor %}",
            TOKENS,
        )
    )
    assert turns is not None
    assert turns.header_with_question


@pytest.mark.parametrize(
    ("text", "closed", "marker"),
    [
        ("<|open|>a<|close|><|open|>b<|open|>c", False, "<|open|>c"),
        ("<|open|>a<|close|>b<|close|>", True, "<|close|>"),
        ("<|open|>a<|open|>b<|close|>", False, "<|open|>b<|close|>"),
        ("<|open|><tool>a</tool><|open|>", False, "<|open|>"),
    ],
)
def test_two_openers_or_two_closers_in_a_row_are_found(text: str, closed: bool, marker: str) -> None:
    found = imbalance(text, TURNS)
    assert found is not None
    assert found.closed is closed
    assert text[found.second[0] :] == marker


@pytest.mark.parametrize(
    "text",
    [
        "<|open|>a<|close|><|open|>b<|close|>",
        "<|open|>a<|wait|><|open|>b<|close|>",
        "<|open|>a<|close|><|tool|>b<|close|>",
        "<|system|>a<|close|><|open|>b<|close|>",
        "a<|close|>",
        "",
    ],
    ids=["alternating", "another-closer", "another-opener", "a-first-turn-of-another-kind", "nothing-before", "empty"],
)
def test_nothing_is_found_where_markers_alternate_or_may_do_so(text: str) -> None:
    assert imbalance(text, TURNS) is None
