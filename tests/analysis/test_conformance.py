"""What tpllint renders is what the installed transformers renders, byte for byte, over every canonical conversation."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from tests.strategies import ANY_TEMPLATE, QUICK
from tpllint.analysis.compile import Failure, compiled
from tpllint.analysis.environment import CLOCK, ChatEnvironment
from tpllint.analysis.renders import Inputs, Render, continue_final_message, render
from tpllint.analysis.template import Template
from tpllint.conversations import Conversation, canonical, from_json

transformers = pytest.importorskip("transformers", minversion="5.23")
chat_template_utils = pytest.importorskip("transformers.utils.chat_template_utils")
tokenizers = pytest.importorskip("tokenizers")

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
TEMPLATES = {
    path.stem: path.read_bytes().decode() for path in sorted(Path(__file__).parent.parent.glob("data/templates/*.jinja"))
}
DOCUMENTED = {
    "messages": [{"role": "user", "content": "question-amber", "name": None}],
    "documents": [{"title": "title-delta", "text": "text-echo"}],
    "tools": [],
    "enable_thinking": False,
    "bos_token": "<other>",
}
CONVERSATIONS = (*canonical().values(), from_json("documented", DOCUMENTED))

EDGES = (
    "{{ messages[0].nothing.at_all }}",
    "{{ nothing() }}",
    "{{ nothing + 'x' }}",
    "{{ messages.append(1) }}",
    "{% do messages.append(1) %}",
    "{{ messages[0].update(a=1) }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ messages|attr('__class__')|attr('x') }}",
    "{{ '{0.__class__.__mro__}'.format(messages) }}",
    "{{ dict.__class__.__mro__ }}",
    "{{ dict.mro() }}",
    "{{ namespace(_x=1) }}",
    "{{ namespace({'__x__': 1}) }}",
    "{% set ns = namespace() %}{% set ns._x = 1 %}",
    "{{ namespace(1) }}",
    "{% set messages.x = 1 %}",
    "{{ range(100001) }}",
    "{{ range(0, 1000000)|length }}",
    "{{ raise_exception('no') }}",
    "{{ raise_exception(message='no') }}",
    "{{ strftime_now() }}",
    "{{ strftime_now(template='%Y') }}",
    "{{ undefined_name|tojson }}",
    "{{ messages|tojson(cls=1) }}",
    "{{ {1: 2, 'a': 3}|tojson(sort_keys=true) }}",
    "{{ messages[0].role|items|list }}",
    "{{ messages|nothing }}",
    "{{ messages is nothing }}",
    "{% include 'x' %}",
    "{% extends 'x' %}",
    "{% import 'x' as x %}",
    "{% trans %}x{% endtrans %}",
    "{{ 1 / 0 }}",
    "{{ 'a' + 1 }}",
    "{% for a, b, c in messages %}{% endfor %}",
    "{% for m in messages %}",
    "{{ messages",
    "{% generation %}",
    "{% for m in messages %}{% generation %}{% break %}{% endgeneration %}{% endfor %}",
    "{% break %}",
    "{{ caller() }}",
    "{{ super() }}",
    "{% block a %}{% endblock %}{% block a %}{% endblock %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
)

GENERATION = {
    "plain": "{% for m in messages %}{{ m.role }}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}",
    "none": "{% for m in messages %}{{ m.role }}{{ m.content }}{% endfor %}",
    "in a macro": "{% macro t(m) %}{{ m.role }}{% generation %}{{ m.content }}{% endgeneration %}{% endmacro %}"
    "é{% for m in messages %}{{ t(m) }}{% endfor %}",
    "in a set block": "{% for m in messages %}{% set t %}a{% generation %}{{ m.content }}{% endgeneration %}"
    "{% endset %}{{ t }}{{ t }}{% endfor %}",
    "in a filter block": "{% for m in messages %}{% filter upper %}b{% generation %}{{ m.content }}{% endgeneration %}"
    "{% endfilter %}{% endfor %}",
    "nested": "{% generation %}x{% generation %}{{ messages }}{% endgeneration %}y{% endgeneration %}",
    "in a call block": "{% macro t() %}({{ caller() }}){% endmacro %}"
    "{% call t() %}{% generation %}{{ messages[0].role }}{% endgeneration %}{% endcall %}",
    "trimmed": "{% for m in messages %}\n  {%- generation -%}  {{ m.role }}  {%- endgeneration +%}\n{% endfor %}",
    "in a set block that is dropped": "a{% set t %}{% generation %}gone{% endgeneration %}{% endset %}b",
    "empty": "😀{% generation %}{% endgeneration %}",
}

CONTINUED = {
    "verbatim": "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}",
    "trimmed": "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}\n</>{% endfor %}",
    "parts": "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for part in m.content %}{{ part.text }};{% endfor %}{% endif %}|{% endfor %}",
    "representation": "{% for m in messages %}{{ m.content }}{% endfor %}",
    "upper case": "{% for m in messages %}{{ m.content | upper }}{% endfor %}",
    "splits": "{% for m in messages %}{{ m.content.split('-')[0] }}{% endfor %}",
    "drops the last": "{% for m in messages[:-1] %}{{ m.content }}{% endfor %}",
    "drops the assistant": "{% for m in messages if m.role != 'assistant' %}{{ m.content }}{% endfor %}",
    "twice": "{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}",
    "first only": "{{ messages[0].content }}",
    "never reads it": "{% for m in messages %}{{ m.role }}{% endfor %}",
    "reads reasoning": "{% for m in messages %}{{ m.reasoning_content }}{{ m.thinking }}{{ m.content }}{% endfor %}",
    "refuses": "{{ raise_exception(messages[-1].content) }}",
    "cut in pieces": "{% for m in messages %}{{ m.content[:3] }}|{{ m.content[3:] }}{% endfor %}",
    "breaks the tag": "{% for m in messages %}{{ m.content | replace('TAG', 'tag') }}{% endfor %}",
    "ends in space": "{% for m in messages %}{{ m.content }} \n {% endfor %}",
}

UNUSUAL_ENDINGS = (
    {"role": "assistant", "content": "answer  "},
    {"role": "assistant", "content": " \n answer \n"},
    {"role": "assistant", "content": ""},
    {"role": "assistant", "content": "  "},
    {"role": "assistant"},
    {"role": "assistant", "content": None},
    {"role": "assistant", "content": 5},
    {"role": "assistant", "content": {"text": "answer"}},
    {"role": "assistant", "content": []},
    {"role": "assistant", "content": [{"type": "image"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "one "}, {"type": "text", "text": "two "}]},
    {"role": "assistant", "content": [{"type": "text", "text": "one"}, {"type": "image"}, "two", None]},
    {"role": "assistant", "content": [{"type": "text", "text": "one"}, "other", ["other"]]},
    {"role": "assistant", "content": [{"type": "text", "text": "one"}, "a text"]},
    {"role": "assistant", "content": [{"type": "text", "text": "one"}, ["text"]]},
    {"role": "assistant", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": None}]},
    {"role": "assistant", "content": [{"type": "text", "text": ["one"]}]},
    {"role": "assistant", "content": "one CONTINUE_FINAL_MESSAGE_TAG two"},
    {"role": "assistant", "content": "answer", "reasoning_content": "thought"},
    {"role": "assistant", "content": "answer", "thinking": "thought"},
    {"role": "assistant", "content": "answer", "reasoning": "thought", "thinking": None},
    {"role": "assistant", "content": "<think>thought</think>answer"},
)


class Subject:
    """One source in tpllint's environment."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.environment = ChatEnvironment()
        self.template = compiled(self.environment, source)

    def render(self, conversation: Conversation, *, generation_prompt: bool = False, keep_none: bool = False) -> Render | None:
        if isinstance(self.template, Failure):
            return None
        return render(
            self.environment,
            self.template,
            inputs(conversation),
            generation_prompt=generation_prompt,
            keep_none=keep_none,
        )

    def text(self, conversation: Conversation, *, generation_prompt: bool, keep_none: bool = False) -> str | None:
        result = self.render(conversation, generation_prompt=generation_prompt, keep_none=keep_none)
        return result.text if result else None

    def continued(self, conversation: Conversation) -> str | None:
        assert not isinstance(self.template, Failure)
        return continue_final_message(self.environment, self.template, self.source, inputs(conversation)).text


def inputs(conversation: Conversation) -> Inputs:
    variables = {**TOKENS, **conversation.variables}
    return Inputs(conversation.messages, conversation.tools, conversation.documents, variables)


def theirs(source: str, conversation: Conversation, **options: Any) -> tuple[str | None, list[Any]]:
    """The text and the generation spans of render_jinja_template, which drops no keys; no text where it raises."""
    passed = {**TOKENS, **conversation.variables, **options}
    try:
        texts, spans = chat_template_utils.render_jinja_template(
            [conversation.messages], conversation.tools, conversation.documents, source, **passed
        )
    except Exception:  # that it raises is the datum
        return None, []
    return texts[0], spans[0] if spans else []


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=words, **TOKENS)


def applied(tokenizer: Any, source: str, conversation: Conversation, **options: bool) -> Any:
    try:
        return tokenizer.apply_chat_template(
            list(conversation.messages),
            conversation.tools,
            conversation.documents,
            source,
            tokenize=False,
            **{**conversation.variables, **options},
        )
    except Exception:  # that it raises is the datum
        return None


@pytest.fixture(autouse=True)
def _standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    class Standing(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return CLOCK

    monkeypatch.setattr(chat_template_utils, "datetime", Standing)


@pytest.mark.parametrize("flag", [False, True])
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_render_is_what_apply_chat_template_gives(tokenizer: Any, name: str, flag: bool) -> None:
    subject = Subject(TEMPLATES[name])
    for conversation in filter(has_messages, CONVERSATIONS):
        expected = applied(tokenizer, subject.source, conversation, add_generation_prompt=flag)
        assert subject.text(conversation, generation_prompt=flag) == expected, conversation.name


@pytest.mark.parametrize("flag", [False, True])
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_render_that_keeps_none_is_what_render_jinja_template_gives(name: str, flag: bool) -> None:
    subject = Subject(TEMPLATES[name])
    for conversation in CONVERSATIONS:
        expected, _ = theirs(subject.source, conversation, add_generation_prompt=flag)
        assert subject.text(conversation, generation_prompt=flag, keep_none=True) == expected, conversation.name


def has_messages(conversation: Conversation) -> bool:
    """Whether apply_chat_template takes it: an empty conversation never reaches the template there."""
    return bool(conversation.messages)


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_of_this_comparison_renders_most_conversations(name: str) -> None:
    subject = Subject(TEMPLATES[name])
    texts = [subject.text(conversation, generation_prompt=True) for conversation in CONVERSATIONS]
    assert sum(map(bool, texts)) > len(texts) / 3


@pytest.mark.parametrize("source", EDGES)
def test_whether_an_odd_template_raises_is_what_transformers_does(source: str) -> None:
    subject = Subject(source)
    for conversation in (canonical()["user"], canonical()["user-assistant-user"]):
        expected, _ = theirs(source, conversation)
        assert subject.text(conversation, generation_prompt=False) == expected


def test_the_odd_templates_raise() -> None:
    silent = [source for source in EDGES if theirs(source, canonical()["user"])[0] is not None]
    assert silent == []


@pytest.mark.parametrize("source", [*GENERATION.values(), TEMPLATES["generation"]], ids=[*GENERATION, "file"])
def test_generation_spans_are_those_of_the_assistant_mask(source: str) -> None:
    subject = Subject(source)
    for conversation in CONVERSATIONS:
        text, spans = theirs(source, conversation, return_assistant_tokens_mask=True)
        result = subject.render(conversation, keep_none=True)
        assert result
        assert (result.text, list(result.spans)) == (text, spans), conversation.name


@pytest.mark.parametrize("source", [*CONTINUED.values(), *TEMPLATES.values()], ids=[*CONTINUED, *TEMPLATES])
def test_a_continued_message_is_what_transformers_leaves_open(tokenizer: Any, source: str) -> None:
    subject = Subject(source)
    for conversation in (*CONVERSATIONS, *endings()):
        expected = applied(tokenizer, source, conversation, continue_final_message=True)
        assert subject.continued(conversation) == expected, conversation.messages[-1]


def endings() -> list[Conversation]:
    return [Conversation("ending", [{"role": "user", "content": "question"}, message]) for message in UNUSUAL_ENDINGS]


def test_continuing_both_succeeds_and_fails_in_this_comparison(tokenizer: Any) -> None:
    texts = [applied(tokenizer, CONTINUED["trimmed"], ending, continue_final_message=True) for ending in endings()]
    assert None in texts
    assert any(texts)


def test_an_empty_conversation_cannot_be_continued() -> None:
    assert Subject(CONTINUED["verbatim"]).continued(Conversation("empty", [])) is None


@pytest.mark.parametrize("name", ["crlf", "byte_order_mark"])
def test_the_awkward_bytes_of_a_template_are_still_there(name: str) -> None:
    mark = {"crlf": "\r\n", "byte_order_mark": "\ufeff"}[name]
    assert mark in TEMPLATES[name]


def test_a_render_against_another_clock_is_what_transformers_gives_then(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = datetime.datetime(2031, 11, 25, 16, 47, 58, 987654)
    source = "{% macro now(f) %}{{ strftime_now(format=f) }}{% endmacro %}{{ now('%c %f') }} {{ messages[0].content }}"
    monkeypatch.setattr(chat_template_utils, "datetime", type("Later", (), {"now": staticmethod(lambda: moment)}))
    subject, conversation = Template("default", source, TOKENS), canonical()["user"]
    expected, _ = theirs(source, conversation)
    assert subject.render_conversation(conversation, clock=moment).text == expected
    assert subject.render_conversation(conversation).text != expected


OBJECT = re.compile("0x[0-9a-f]{6}|<class ", re.IGNORECASE)
"""What Python prints of its own objects, an address or the module of a class, is not the same there."""


@pytest.mark.filterwarnings("ignore")  # Python warns of some of the code that odd templates become
@settings(QUICK, max_examples=200)
@given(ANY_TEMPLATE)
def test_any_template_gives_the_text_that_transformers_gives_or_fails_as_there(source: str) -> None:
    subject = Subject(source)
    for name in ("user-assistant", "tool-loop"):
        expected, _ = theirs(source, canonical()[name], add_generation_prompt=True)
        text = subject.text(canonical()[name], generation_prompt=True, keep_none=True)
        is_comparable = expected is None or not OBJECT.search(expected)
        assert text == expected if is_comparable else text is not None, name
