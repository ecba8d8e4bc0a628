from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

from tpllint import (
    BARE_MARKER,
    CLOSING_MARKER,
    Bad,
    Good,
    Problem,
    Related,
    Render,
    Rule,
    Severity,
    Template,
    begins_with_marker,
    quoted,
    sentinels,
)

PLACE, LETTER = "harbour-jasper", "letter-onyx"
"""The last text in the first call and in the second one."""


class TurnTerminatorMissing(Rule):
    """Nothing ends an assistant turn.

    ## What it does
    Looks at what follows an answer, in a finished conversation and before the next user message. It is an error if user
    turns are closed by a marker and answers are not. It is a warning if that marker is all that stands before an answer
    (`[/INST]`), or if no turn is closed and the next one opens with plain words (`User:`): no token ever tells where an answer
    ends. Formats in which the marker that opens the next turn also ends
    the last one (`<|user|>` as a stop token) are fine.

    Of tool calls it compares how a turn with one call and a turn with two calls end. What closes the second one must close the
    first. Where that is so only with `content: null` left in the message, as transformers before 5.23 and other engines
    leave it, it is information.

    ## Why is this bad
    A model trained on such text never learns to stop, and one that was trained with a terminator is shown a history in which
    answers run into the next turn.

    ## References
    - [trl issue 1623](https://github.com/huggingface/trl/issues/1623)
    - [unsloth issue 416](https://github.com/unslothai/unsloth/issues/416)
    """

    code = "TPL205"
    name = "turn-terminator-missing"
    category = "special-tokens"
    severity = Severity.ERROR
    examples = (
        Bad(
            "{% for m in messages %}{% if m.role == 'user' %}<|im_start|>user\n{{ m.content }}<|im_end|>\n"
            "{% else %}<|im_start|>{{ m.role }}\n{{ m.content }}{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
            says='user turns end with "<|im_end|>" and answers with nothing',
            better="{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
        ),
        Bad(
            "{% for m in messages %}### {{ m.role }}:\n{{ m.content }}\n\n{% endfor %}"
            "{% if add_generation_prompt %}### assistant:\n{% endif %}",
            says=r'only "\n\n" follows an answer: no token tells the model where to stop',
            better="{% for m in messages %}### {{ m.role }}:\n{{ m.content }}"
            "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}\n\n{% endfor %}"
            "{% if add_generation_prompt %}### assistant:\n{% endif %}",
        ),
        Bad(
            "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %} {{ m.content }}"
            "{% endif %}{% endfor %}",
            says='user turns end with "[/INST]" and answers with nothing',
            better="{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %} {{ m.content }}"
            "{{ eos_token }}{% endif %}{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.tool_calls %}{% for c in m.tool_calls %}"
            "<call>{{ c.function | tojson }}</call>{% if not loop.first %}<|end|>{% endif %}{% endfor %}"
            "{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}",
            says='a turn with one tool call ends with "</call>", one with two calls with "</call><|end|>"',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.tool_calls %}{% for c in m.tool_calls %}"
            "<call>{{ c.function | tojson }}</call>{% endfor %}<|end|>"
            "{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
        Good("{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        yield from _open_answers(template)
        if "tool_calls" in template.text:
            yield from _open_calls(template)


def _open_answers(template: Template) -> Iterator[Problem]:
    """Answers that nothing ends."""
    anatomy = template.anatomy
    end, between, user_end = anatomy.assistant_end, anatomy.between_rounds, anatomy.user_end
    if end is None or between is None or user_end is None or end.strip() or anatomy.prompted_end is None:
        return
    eos = template.tokens.get("eos_token")
    if template.tokens_known and eos and eos in end:
        return  # an end of sequence that is blank text
    user_closer = user_end.strip()
    if user_closer and user_end == anatomy.prompted_end and not CLOSING_MARKER.match(user_closer):
        user_closer = ""  # the header of the answer may be part of it: nothing tells them apart
    if user_closer and anatomy.assistant_closer == "" and not between.strip().startswith(user_closer):
        message = f"user turns end with {quoted(user_closer)} and answers with nothing"
        severity = Severity.WARNING if user_end == anatomy.prompted_end else None
    elif not user_closer and not begins_with_marker(between):
        follows = f"only {quoted(end)} follows" if end else "nothing follows"
        message = f"{follows} an answer: no token tells the model where to stop"
        has_turns = between.strip() or (anatomy.assistant_opening or "").strip()
        severity = Severity.WARNING if has_turns else Severity.INFO
    else:
        return
    yield Problem(
        message,
        help="write the end-of-turn token, or eos_token, after each answer",
        severity=severity,
        render=template.render("user-assistant"),
        shows=sentinels(template.conversation("user-assistant"))[1],
        related=(_user_closer(template, user_closer),) if user_closer else (),
    )


def _open_calls(template: Template) -> Iterator[Problem]:
    """A single tool call that is not closed as two are."""
    forms: tuple[Callable[[Any], Any], ...] = (dict, json.dumps)
    for arguments, keep_none in itertools.product(forms, (False, True)):
        one, two = _calls(template, arguments, keep_none=keep_none)
        ends = [_after(render, word) for render, word in ((one, PLACE), (two, LETTER))]
        if None in ends:
            continue
        single, double = ("".join(BARE_MARKER.findall(end or "")) for end in ends)
        last = BARE_MARKER.findall(double)[-1:]
        if single and last and last[0] not in single:
            yield Problem(
                f"a turn with one tool call ends with {quoted(single)}, one with two calls with {quoted(double)}",
                help="close the turn after the loop over the calls",
                severity=Severity.INFO if keep_none else None,
                render=one,
                shows=single if single in (one.text or "") else None,
            )
        return


def _calls(template: Template, arguments: Callable[[Any], Any], *, keep_none: bool) -> tuple[Render, Render]:
    """A history that ends with one tool call, and one that ends with two."""
    renders = []
    for count in (1, 2):
        asked = template.conversation("two-calls").first(2)
        calls = [
            {**call, "function": {**call["function"], "arguments": arguments(call["function"]["arguments"])}}
            for call in asked.messages[1]["tool_calls"][:count]
        ]
        turned = asked.with_message(1, tool_calls=calls, content=None if keep_none else "")
        renders.append(template.render_conversation(turned, keep_none=keep_none))
    return renders[0], renders[1]


def _after(render: Render, word: str) -> str | None:
    """What follows the last occurrence of a word in a prompt; None where it is not there."""
    _, found, end = (render.text or "").rpartition(word)
    return end if found else None


def _user_closer(template: Template, closer: str) -> Related:
    """Where the end of a user's turn is written."""
    _, (start, end) = template.anatomy.placed_gaps("user") or ()
    begin = start + end.index(closer)
    return Related("user turns end here", render=template.render("user"), shows=(begin, begin + len(closer)))
