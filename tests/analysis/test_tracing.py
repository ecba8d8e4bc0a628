"""The second compilation: the same text as the first, and who wrote it."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tpllint.analysis.template import Template
from tpllint.conversations import Conversation, canonical

DATA = sorted((Path(__file__).resolve().parent.parent / "data" / "templates").glob("*.jinja"))
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
CHAT = Conversation("chat", [{"role": "user", "content": "hello"}, {"role": "assistant", "content": " good  day "}])


def template(source: str) -> Template:
    return Template("default", source, TOKENS)


def code_of(source: str, words: str, conversation: Conversation = CHAT) -> str | None:
    """The source at the place that is told for words of the prompt."""
    made = template(source)
    render = made.render_conversation(conversation, generation_prompt=True)
    assert words in (render.text or ""), render
    place = made.place_of(render, words)
    return None if place is None else made.text[place.start : place.end]


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.stem)
def test_the_second_compilation_writes_the_same_text(path: Path) -> None:
    made = template(path.read_text(encoding="utf-8"))
    for conversation, flag in itertools.product(canonical().values(), (False, True)):
        render = made.render_conversation(conversation, generation_prompt=flag)
        if render.text is not None:
            written = made.tracing.written(render)
            assert written is not None, (conversation.name, flag)
            assert [piece.start for piece in written[1:]] == [piece.end for piece in written[:-1]]
            assert sum(piece.end - piece.start for piece in written) == len(render.text)


WRITERS = {
    "text outside of tags": ("{{ messages[0].content }}<|end|>tail", "<|end|>", "<|end|>"),
    "a literal in an expression": ("{{ '<|' + messages[0].role + '|>' }}", "|>", "|>"),
    "a literal with an escape": (r"{{ messages[0].role + '\n|' }}", "\n|", r"'\n|'"),
    "a joined literal": ("{{ '<|' ~ messages[0].role ~ '|>' }}", "<|", "<|"),
    "an expression": ("-{{ messages[0].content }}-", "hello", "messages[0].content"),
    "an expression with brackets": ("-{{ (messages[1]['content']) | trim }}-", "good", "(messages[1]['content']) | trim"),
    "a set": ("{% set x = '<|' + 'im|>' %}{{ messages[0].role }}{{ x }}", "im|>", "im|>"),
    "a set block": ("{% set x %}a{{ 'b' }}c{% endset %}{{ messages[0].role }}{{ x }}", "abc", "a{{ 'b' }}c"),
    "a macro": ("{% macro turn(m) %}[{{ m.role }}]{% endmacro %}{{ turn(messages[0]) }}", "]", "]"),
    "a macro's default": (
        "{% macro turn(m, end='<e>') %}{{ m.role + end }}{% endmacro %}{{ turn(messages[0]) }}",
        "<e>",
        "<e>",
    ),
    "a namespace": (
        "{% set ns = namespace(x='') %}{% for m in messages %}{% set ns.x = ns.x + '<u>' %}{% endfor %}{{ ns.x }}",
        "<u>",
        "<u>",
    ),
    "a generation block": ("{% generation %}{{ 'x' }}{{ messages[0].role }}!{% endgeneration %}", "!", "!"),
    "a call block": ("{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}in{% endcall %}", "in", "in"),
    "a filter block": ("{% filter trim %}  x{{ messages[0].role }}  {% endfilter %}", "x", "x"),
    "a filter that keeps letters": ("{{ ('  ' + messages[0].content + '<e>  ') | trim }}", "<e>", "<e>"),
    "a filter that joins": ("{{ ['a', '<e>'] | join('-') }}{{ messages[0].role }}", "<e>", "<e>"),
    "a filter that replaces": (
        "{{ messages[0].content | replace('ll', '<e>') }}",
        "<e>",
        "messages[0].content | replace('ll', '<e>')",
    ),
    "a filter that forgets": ("{{ ('<e>' + messages[0].role) | indent }}", "<e>", "('<e>' + messages[0].role) | indent"),
    "one side of a choice": ("{{ '<a>' if messages[0].role == 'user' else '<b>' }}", "<a>", "<a>"),
    "a default": ("{{ nothing or '<a>' }}{{ messages[0].role }}", "<a>", "<a>"),
    "a dictionary": ("{{ {'user': '<u>', 'assistant': '<a>'}[messages[0].role] }}", "<u>", "<u>"),
    "a slice": ("{{ 'abcdef'[2:4] }}{{ messages[0].role }}", "cd", "cd"),
    "a part of a split": ("{{ 'ab<x>cd'.split('<x>')[-1] }}{{ messages[0].role }}", "cd", "cd"),
    "another case": ("{{ 'abc'.upper() }}{{ messages[0].role }}", "ABC", "abc"),
    "an else": ("{% if messages[0].role == 'x' %}<a>{% elif nothing %}<b>{% else %}<c>{% endif %}", "<c>", "<c>"),
    "what stands around whitespace control": ("{%- if true -%}\n   <a>   \n{%- endif -%}", "<a>", "<a>"),
    "a raw block": ("{% raw %}{{ <a> }}{% endraw %}{{ messages[0].role }}", "<a>", "<a>"),
    "a loop with a condition": ("{% for m in messages if m.role == 'user' %}<{{ m.role }}>{% endfor %}", "<", "<"),
    "a loop over pairs": ("{% for k, v in messages[0] | items %}{{ k }}={{ v }};{% endfor %}", "=", "="),
    "several pieces on one line": ("{{ '<|' + messages[0].role + '|>' }}", "<|user|>", "<|' + messages[0].role + '|>"),
}


@pytest.mark.parametrize(("source", "words", "code"), WRITERS.values(), ids=WRITERS)
def test_words_of_a_prompt_lead_to_the_code_that_wrote_them(source: str, words: str, code: str) -> None:
    assert code_of(source, words) == code


def test_the_end_of_a_prompt_leads_to_what_was_written_last() -> None:
    made = template("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}")
    place = made.place_of(made.render("user-assistant"))
    assert place is not None
    assert made.text[place.start : place.end] == "m.content"


def test_every_text_tells_whose_words_it_is() -> None:
    made = template("{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}|{% endfor %}end")
    render = made.render_conversation(CHAT)
    text = render.text or ""
    told = [(text[piece.start : piece.end], piece.message, piece.during) for piece in made.tracing.written(render) or ()]
    assert told == [
        ("<", None, 0),
        ("user", None, 0),
        (">", None, 0),
        ("hello", 0, 0),
        ("|", None, 0),
        ("<", None, 1),
        ("assistant", None, 1),
        (">", None, 1),
        ("good  day", 1, 1),
        ("|", None, 1),
        ("end", None, None),
    ]


def test_what_a_message_calls_is_its_own_also_as_json() -> None:
    made = template(
        "{% for m in messages %}{% for c in m.tool_calls or [] %}({{ c.function | tojson }}){% endfor %}{% endfor %}"
    )
    told = [(piece.message, piece.during) for piece in made.tracing.written(made.render("tool-call")) or ()]
    assert told == [(None, 1), (1, 1), (None, 1)]


def test_a_message_that_is_left_open_is_traced_up_to_there() -> None:
    made = template("{% for m in messages %}<{{ m.content }}>{% endfor %}")
    render = made.continued(CHAT)
    assert render.text == "<hello>< good  day "
    assert [piece.message for piece in made.tracing.written(render) or ()] == [None, 0, None, None, 1]


def test_a_message_that_is_left_out_leads_to_the_condition_that_left_it_out() -> None:
    made = template(
        "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% elif m.role == 'x' %}-{% endif %}{% endfor %}"
    )
    place = made.tracing.place_of_loss(made.render_conversation(CHAT), 1)
    assert place is not None
    assert made.text[place.start : place.end] == "m.role == 'user'"


def test_a_condition_that_guards_no_words_is_not_blamed() -> None:
    made = template(
        "{% for m in messages %}{% if loop.first %}<s>{% endif %}{% if m.role == 'user' %}{{ m.content }}{% endif %}"
        "{% endfor %}"
    )
    place = made.tracing.place_of_loss(made.render_conversation(CHAT), 1)
    assert place is not None
    assert made.text[place.start : place.end] == "m.role == 'user'"


def test_a_loop_inside_the_turn_of_a_message_does_not_end_it() -> None:
    made = template(
        "{% for m in messages %}{% for x in messages %}{% endfor %}<{% for k in [1, 2] %}{{ k }}{% endfor %}>{% endfor %}"
        "{% for x in [{'role': 'y'}] %}{{ x.role }}{% endfor %}"
    )
    during = [piece.during for piece in made.tracing.written(made.render_conversation(CHAT)) or ()]
    assert during == [0, 0, 0, 0, 1, 1, 1, 1, None]


def test_a_name_as_long_as_its_value_is_not_cut() -> None:
    source = "{% set ab = messages[0].content[:2] %}[{{ ab }}]"
    made = template(source)
    place = made.place_of(made.render_conversation(CHAT), (1, 2))
    assert place is not None
    assert source[place.start : place.end] == "ab"


def test_coverage_tells_reached_bodies_from_unreached_ones() -> None:
    made = template(
        "{% macro used() %}u{% endmacro %}{% macro idle() %}i{% endmacro %}{{ used() }}"
        "{% for m in messages %}{% if m.role == 'critic' %}c{% else %}{{ 'a' if m.role == 'user' else 'b' }}{% endif %}"
        "{% endfor %}"
    )
    covered = made.tracing.coverage or ()
    told = {(each.body.kind, made.text[each.body.place.start : each.body.place.end]): each.reached for each in covered}
    assert told[("macro", "u")]
    assert not told[("macro", "i")]
    assert not told[("if", "c")]
    assert told[("... if ... else ...", "'a'")]
    assert told[("... if ... else ...", "'b'")]
    assert told[("else", "{{ 'a' if m.role == 'user' else 'b' }}")]


def test_coverage_is_undecided_where_a_limit_ended_a_conversation() -> None:
    made = template(
        "{% macro f() %}{{ f() }}{% endmacro %}{% if messages | length > 2 %}{{ f() }}{% endif %}{% if false %}x{% endif %}"
    )
    assert made.tracing.coverage is None


def test_a_template_that_refuses_is_covered_up_to_there() -> None:
    made = template(
        "{% if messages %}a{{ raise_exception('no') }}{% endif %}"
        "{% for m in messages %}{{ m ~ ('x' if m else 'y') }}{% endfor %}"
    )
    told = {each.body.kind: each.reached for each in made.tracing.coverage or ()}
    assert told == {"if": True, "for": False, "... if ... else ...": False}


@pytest.mark.parametrize("kind", ["image", "image_url", "video", "audio"])
def test_the_canonical_conversations_reach_every_kind_of_media(kind: str) -> None:
    made = template(
        "{% for m in messages if m.content is iterable and m.content is not string %}{% for part in m.content %}"
        f"{{% if part.type == '{kind}' %}}x{{% endif %}}{{% endfor %}}{{% endfor %}}"
    )
    assert [each.reached for each in made.tracing.coverage or ()] == [True, True, True]


def test_a_text_that_the_filter_safe_made_escapes_what_is_added_to_it() -> None:
    source = "{{ '<\"' + (messages[0].content | safe) }}"
    assert template(source).render_conversation(CHAT).text == "&lt;&#34;hello"
    assert code_of(source, "hello") == "'<\"' + (messages[0].content | safe)"
