from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from tpllint import (
    Bad,
    Good,
    Imbalance,
    Problem,
    Related,
    Render,
    Rule,
    Severity,
    Template,
    TurnMarkers,
    imbalance,
    quoted,
    spoken,
    turn_markers,
)

PLAIN = ("user", "user-assistant-user", "three-rounds", "system-user", "system-user-assistant-user")
TOOLS = (
    "tools-declared",
    "tools-declared-with-system",
    "tool-result",
    "tool-loop-follow-up",
    "tool-loop-text-beside-call",
    "two-calls-two-results",
    "two-loops-in-a-row",
)
NOTHING_SAID = ("assistant-content-empty", "tool-calls-empty-list")
IN_A_ROW = ("two-assistants-in-a-row", "two-users-in-a-row")
BEGINNINGS = ("user", "system-user", "tools-declared", "tools-declared-with-system")
UNUSUAL = ("assistant-first", "system-in-the-middle", "system-twice", "developer-user", "unknown-role")


class Group(NamedTuple):
    """Conversations that fail for the same reason, and how bad it is if they do."""

    conversations: tuple[str, ...]
    severity: Severity


class UnbalancedTurnMarkers(Rule):
    """A turn is opened inside another one, or closed when none is open.

    ## What it does
    Learns from a plain chat which markers open and which close a user's and an assistant's turn; they have to alternate in
    every prompt. Two messages in a row may share a turn, but not without anything between their texts.

    It is an error in plain chats and, where the template renders tools, in chats with tools; a warning after an empty answer,
    where two messages of one role follow each other, and for a system turn that the template never closes. It is information
    in orders that few chats have, and where the answer's header is always written with the question, so that only strict
    alternation can work.

    Formats whose answers have no opener (`[INST]`) or whose turns have no closer have nothing to balance. Where a marker that
    plain chats do not have stands between two openers or two closers, it may be the counterpart: nothing is said.

    ## Why is this bad
    Two messages run into one turn, or text stands in no turn at all. The model has never seen either.

    ## References
    - [trl pull request 5988](https://github.com/huggingface/trl/pull/5988)
    """

    code = "TPL210"
    name = "unbalanced-turn-markers"
    category = "special-tokens"
    severity = Severity.ERROR
    examples = (
        Bad(
            "{% if messages[0].role == 'system' %}<|open|>system\n{{ messages[0].content }}<|close|>\n"
            "{% else %}<|open|>system\nBe brief.\n{% endif %}{% for m in messages if m.role != 'system' %}"
            "<|open|>{{ m.role }}\n{{ m.content }}<|close|>\n{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|open|>assistant\\n' }}{% endif %}",
            says='"<|open|>" opens a turn while the one before it is still open',
            better="{% if messages[0].role == 'system' %}<|open|>system\n{{ messages[0].content }}<|close|>\n"
            "{% else %}<|open|>system\nBe brief.<|close|>\n{% endif %}{% for m in messages if m.role != 'system' %}"
            "<|open|>{{ m.role }}\n{{ m.content }}<|close|>\n{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|open|>assistant\\n' }}{% endif %}",
        ),
        Bad(
            "{% for m in messages %}{% if loop.first or m.role != loop.previtem.role %}<|open|>{{ m.role }}\n{% endif %}"
            "{{ m.content }}<|close|>\n{% endfor %}{% if add_generation_prompt %}{{ '<|open|>assistant\\n' }}{% endif %}",
            says='"<|close|>" closes a turn, but none is open',
            better="{% for m in messages %}<|open|>{{ m.role }}\n{{ m.content }}<|close|>\n{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|open|>assistant\\n' }}{% endif %}",
        ),
        Bad(
            "{% for m in messages %}{% if loop.first or m.role != loop.previtem.role %}<|open|>{{ m.role }}\n{% endif %}"
            "{{ m.content }}{% if loop.last or m.role != loop.nextitem.role %}<|close|>\n{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|open|>assistant\n' }}{% endif %}",
            says='two messages run into one turn with nothing between them: "answer-birchanswer-dune"',
            better="{% for m in messages %}{% if loop.first or m.role != loop.previtem.role %}<|open|>{{ m.role }}\n{% endif %}"
            "{{ m.content }}{% if loop.last or m.role != loop.nextitem.role %}<|close|>{% endif %}{{ '\\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|open|>assistant\n' }}{% endif %}",
        ),
        Good(
            "{% for m in messages %}<|open|>{{ m.role }}\n{{ m.content }}"
            "{% if m.tool_calls %}<|call|>{{ m.tool_calls | tojson }}<|wait|>\n{% else %}<|close|>\n{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|open|>assistant\\n' }}{% endif %}"
        ),
        Good(
            "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %}{{ m.content }}</s>"
            "{% endif %}{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        turns = turn_markers(template)
        if turns is None:
            return
        told = set()
        for group in _groups(template, turns):
            problem = next(_problems(template, turns, group), None)
            if problem and problem.render:
                place = template.place_of(problem.render, problem.shows)
                if (problem.message, place) not in told:
                    yield problem
                told.add((problem.message, place))
                if group.conversations is PLAIN:
                    return  # the same in all others


def _groups(template: Template, turns: TurnMarkers) -> Iterator[Group]:
    yield Group(PLAIN, Severity.ERROR)
    if template.anatomy.renders_tools or template.anatomy.renders_calls:
        yield Group(TOOLS, Severity.ERROR)
    yield Group(NOTHING_SAID, Severity.WARNING)
    yield Group(IN_A_ROW, Severity.INFO if turns.header_with_question else Severity.WARNING)
    yield Group(UNUSUAL, Severity.INFO)


def _problems(template: Template, turns: TurnMarkers, group: Group) -> Iterator[Problem]:
    for name in group.conversations:
        asked = template.conversation(name).messages[-1]["role"] != "assistant"
        render = template.render(name, generation_prompt=asked)
        found = imbalance(render.text or "", turns)
        if found:
            never = group.severity is Severity.ERROR and _never_closes_the_beginning(template, turns, render, found)
            yield _problem(render, found, Severity.WARNING if never else group.severity)._replace(
                holds=partial(_holds, turns, found)
            )
        elif group.conversations is IN_A_ROW:
            yield from _glued(render, group.severity)


def _holds(turns: TurnMarkers, found: Imbalance, render: Render) -> bool:
    """Whether another prompt has the same imbalance."""
    other = imbalance(render.text or "", turns)
    return other is not None and (other.closed, other.marker) == (found.closed, found.marker)


def _glued(render: Render, severity: Severity) -> Iterator[Problem]:
    """Two messages of one role that became one word of one turn."""
    for (_, text), (_, following) in pairwise(spoken(render.recipe.conversation) if render.recipe else ()):
        at = (render.text or "").find(text + following)
        if at >= 0:
            yield Problem(
                f"two messages run into one turn with nothing between them: {quoted(text + following)}",
                help="close the turn of each message, or separate their texts",
                severity=severity,
                render=render,
                shows=(at + len(text), at + len(text + following)),
            )


def _never_closes_the_beginning(template: Template, turns: TurnMarkers, render: Render, found: Imbalance) -> bool:
    """Whether what stands open is a turn before the user's first text, and the template closes none there in any chat."""
    if found.closed or render.recipe is None or found.second[0] > len(_beginning(render)):
        return False
    beginnings = [_beginning(template.render(name, generation_prompt=True)) for name in BEGINNINGS]
    return not any(word in beginning for word in turns.closers for beginning in beginnings)


def _beginning(render: Render) -> str:
    """The prompt up to the user's first text; empty where there is neither."""
    texts = spoken(render.recipe.conversation) if render.recipe else ()
    question = next((text for role, text in texts if role == "user"), None)
    return (render.text or "").partition(question)[0] if question else ""


def _problem(render: Render, found: Imbalance, severity: Severity) -> Problem:
    marker, help, before = quoted(found.marker), "close a turn wherever one was opened", "the turn before is opened here"
    message = f"{marker} opens a turn while the one before it is still open"
    if found.closed:
        message, help = f"{marker} closes a turn, but none is open", "open a turn wherever one is closed"
        before = "the turn before is closed here"
    related = (Related(before, render=render, shows=found.first),) if found.first else ()
    return Problem(message, help, severity=severity, render=render, shows=found.second, related=related)
