"""What tpllint renders is what the installed transformers renders, byte for byte, over every canonical conversation."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from tpllint.analysis.compile import compiled
from tpllint.analysis.environment import CLOCK, ChatEnvironment
from tpllint.analysis.renders import Inputs, Render, continue_final_message, render
from tpllint.conversations import Conversation, canonical, from_json

pytest.importorskip("transformers", minversion="5.23")

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
TEMPLATES = {
    path.stem: path.read_bytes().decode() for path in sorted(Path(__file__).parent.parent.glob("data/templates/*.jinja"))
}
FLAGS = (False, True)

RAISING = (
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
    "{{ messages[0].role|items }}",
    "{{ messages|nothing }}",
    "{{ messages is nothing }}",
    "{% if false %}{{ messages|nothing }}{% endif %}",
    "{% include 'x' %}",
    "{% extends 'x' %}",
    "{% import 'x' as x %}",
    "{% trans %}x{% endtrans %}",
    "{{ 1 / 0 }}",
    "{{ 'a' + 1 }}",
    "{% for a, b in messages %}{% endfor %}",
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
    "in a set block": "{% for m in messages %}{% set t %}a{% generation %}{{ m.content }}{% endgeneration %}{% endset %}"
    "{{ t }}{{ t }}{% endfor %}",
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


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"<unk>": 0}, unk_token="<unk>")), **TOKENS)


@pytest.fixture(autouse=True)
def _standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    class Standing(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return CLOCK

    monkeypatch.setattr(chat_template_utils, "datetime", Standing)


def inputs(conversation: Conversation) -> Inputs:
    variables = {**TOKENS, **conversation.variables}
    return Inputs(conversation.messages, conversation.tools, conversation.documents, variables)


def ours(source: str, conversation: Conversation, *, keep_none: bool = False, **flags: bool) -> str | None:
    environment = ChatEnvironment()
    template = compiled(environment, source)
    if isinstance(template, Failure):
        return None
    return render(environment, template, inputs(conversation), keep_none=keep_none, **flags).text
