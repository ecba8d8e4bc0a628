from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tpllint import QUESTION, SECOND_QUESTION, Bad, Conversation, Good, Problem, Render, Rule, Severity, Template, quoted

CUT_OFF = "think-tag-only-open"
PLAIN = ("user-assistant", "user-assistant-user")
LONE_END = ("lone-closer-last", "lone-closer")


class Way(NamedTuple):
    """A way of giving reasoning with an answer, and the conversations that do so."""

    what: str
    conversations: tuple[str, ...]


WAYS = (
    Way("an answer without reasoning", PLAIN),
    Way('an answer with its reasoning in "reasoning_content"', ("reasoning-last", "reasoning-old")),
    Way("an answer with its reasoning between both tags", ("think-tags-last", "think-tags-old")),
    Way("an answer with empty reasoning", ("think-tags-empty", "reasoning-empty")),
    Way("an answer that has only the end of its reasoning", LONE_END),
    Way("an answer that was cut off while reasoning", (CUT_OFF,)),
)


class UnbalancedThink(Rule):
    """A reasoning block is opened and not closed in the history, or closed and not opened.

    ## What it does
    Learns the markers around reasoning from the prompts, and counts them in a turn for six ways of giving reasoning: in a
    field, between both tags in the text, with the closing tag alone (what a completion has whose prompt opened the block),
    with the opening tag alone (what is left of one that was cut off), empty, and not at all. A turn that holds as many as the
    text that was sent is its sender's concern; what counts is a marker that the template adds and does not match.

    A lone closing tag to which the template adds a block of its own is information, and a warning where the generation prompt
    opens the block and answers with both tags are taken apart. A tool call in the text of an answer whose reasoning was never
    closed is information, where the template otherwise takes answers apart, and so is a generation prompt with an opened
    block that the template writes before a last answer for it to be continued. A lone closing tag that the generation prompt
    writes too is how some models are told not to reason, and fine.

    ## Why is this bad
    The reasoning runs on into the answer, or the answer counts as reasoning. Training on such text teaches the model to do so.

    ## References
    - [trl pull request 6363](https://github.com/huggingface/trl/pull/6363)
    """

    code = "TPL508"
    name = "unbalanced-think"
    category = "thinking"
    severity = Severity.WARNING
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content %}<think>{{ m.reasoning_content }}{% endif %}"
            "{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|><think>{% endif %}",
            says='an answer with its reasoning in "reasoning_content" is rendered with "<think>" once and "</think>" never',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>"
            "{% endif %}{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|><think>{% endif %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% set text = m.content %}{% set thought = '' %}"
            "{% if '<think>' in text and '</think>' in text %}"
            "{% set thought = text.split('</think>')[0].split('<think>')[-1] %}"
            "{% set text = text.split('</think>')[-1] %}{% endif %}"
            "{% if m.role == 'assistant' %}<think>{{ thought }}</think>{% endif %}{{ text }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|><think>{% endif %}",
            says='an answer that has only the end of its reasoning is rendered with "<think>" once and "</think>" twice',
            better="{% for m in messages %}<|{{ m.role }}|>{% set text = m.content %}{% set thought = '' %}"
            "{% if '</think>' in text %}{% set thought = text.split('</think>')[0].split('<think>')[-1] %}"
            "{% set text = text.split('</think>')[-1] %}{% endif %}"
            "{% if m.role == 'assistant' %}<think>{{ thought }}</think>{% endif %}{{ text }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|><think>{% endif %}",
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|><think>{% endif %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        reasoning = template.reasoning
        if reasoning.tags is None:
            return
        states = dict.fromkeys([(), *([reasoning.shown[1]] if reasoning.shown else [])])
        for way in WAYS:
            renders = (reasoning.render(name, state) for state in states for name in way.conversations)
            found = next((problem for render in renders if (problem := _unbalanced(template, way, render))), None)
            if found:
                yield found
                break  # the other ways mostly fail for the same reason
        yield from _call_in_open_reasoning(template)


def _unbalanced(template: Template, way: Way, render: Render) -> Problem | None:
    tags = template.reasoning.tags
    conversation = render.recipe.conversation if render.recipe else None
    if tags is None or conversation is None or render.text is None:
        return None
    turn = render.text.partition(QUESTION)[2].partition(SECOND_QUESTION)[0]
    opened, closed = turn.count(tags.open), turn.count(tags.close)
    sent = _sent(conversation, tags.open), _sent(conversation, tags.close)
    state = tuple(conversation.variables.items())
    added = opened - sent[0], closed - sent[1]
    verbatim = added == (0, 0) or (added[0] == added[1] and way.conversations != LONE_END)
    if opened == closed or verbatim or _is_told_not_to_reason(template, *added):
        return None
    return Problem(
        f"{way.what} is rendered with {quoted(tags.open)} {_times(opened)} and {quoted(tags.close)} {_times(closed)}",
        help="close the block wherever it is opened; take an answer apart at the closing tag alone",
        severity=_severity(template, way, state, turn),
        render=render,
        shows=tags.open if opened > closed else tags.close,
    )


def _severity(template: Template, way: Way, state: tuple[tuple[str, object], ...], turn: str) -> Severity | None:
    """An info where the template writes the generation prompt before a last answer, to have it continued, and for lone ends."""
    reasoning = template.reasoning
    continued = reasoning.opens(state) and turn.startswith(reasoning.header + reasoning.prefill(state))
    if way.conversations == LONE_END:
        return None if reasoning.opens(state) and reasoning.takes_tags_apart else Severity.INFO
    return Severity.INFO if continued and way.conversations == PLAIN else None


def _sent(conversation: Conversation, marker: str) -> int:
    return sum(str(message.get("content")).count(marker) for message in conversation.messages)


def _is_told_not_to_reason(template: Template, opened: int, closed: int) -> bool:
    """Whether one closing marker more is what generation prompts write, too, when no reasoning is wanted."""
    reasoning = template.reasoning
    tags = reasoning.tags
    prefills = [reasoning.prefill(state) for state in reasoning.states]
    return tags is not None and closed == opened + 1 and any(tags.close in one and tags.open not in one for one in prefills)


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _call_in_open_reasoning(template: Template) -> Iterator[Problem]:
    reasoning = template.reasoning
    tags, call = reasoning.tags, reasoning.call_as_text
    if tags is None or call is None or not reasoning.takes_tags_apart:
        return
    render = reasoning.render("call-in-open-reasoning")
    if render.text is None or call not in render.text:
        return
    turn = render.text.partition(QUESTION)[2].partition(SECOND_QUESTION)[0]
    if turn.count(tags.open) > turn.count(tags.close):
        yield Problem(
            f"a tool call in the text of an answer whose {quoted(tags.open)} was never closed stays inside the reasoning",
            help=f"write {quoted(tags.close)} before the call where an answer lacks it",
            severity=Severity.INFO,
            render=render,
            shows=tags.open,
        )
