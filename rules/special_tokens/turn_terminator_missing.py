from __future__ import annotations

from collections.abc import Iterator

from tpllint import (
    ARGUMENT,
    CLOSING_MARKER,
    RESULT,
    SECOND_ARGUMENT,
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


class TurnTerminatorMissing(Rule):
    """Nothing ends an assistant turn.

    ## What it does
    Looks at what follows an answer, in a finished conversation and before the next user message. It is an error if user
    turns are closed by a marker and answers are not. It is a warning if that marker is all that stands before an answer
    (`[/INST]`), or if no turn is closed and the next one opens with plain words (`User:`): no token ever tells where an answer
    ends. Formats in which the marker that opens the next turn also ends
    the last one (`<|user|>` as a stop token) are fine.

    It is a warning, too, if what ends an answer stands behind two tool calls and not behind a single one, and information
    where calls are rendered only on engines that pass `content: null` on.

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
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for call in m.tool_calls or [] %}"
            "<|call|>{{ call.function | tojson }}{% if loop.index == 2 %}<|end|>{% endif %}{% else %}<|end|>{% endfor %}"
            "{% endfor %}",
            says='"<|end|>" ends an answer and a turn with two tool calls, and nothing ends a turn with one',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for call in m.tool_calls or [] %}"
            "<|call|>{{ call.function | tojson }}{% endfor %}<|end|>{% endfor %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
        Good("{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        yield from _after_one_call(template)
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


def _user_closer(template: Template, closer: str) -> Related:
    """Where the end of a user's turn is written."""
    _, (start, end) = template.anatomy.placed_gaps("user") or ()
    begin = start + end.index(closer)
    return Related("user turns end here", render=template.render("user"), shows=(begin, begin + len(closer)))


def _after_one_call(template: Template) -> Iterator[Problem]:
    """A turn with a single tool call that lacks the end which two calls get."""
    histories, closer = template.tool_histories, (template.anatomy.assistant_end or "").strip()
    if histories.usual is None or not closer:
        return
    one, two = (
        histories.history("tool-result", ARGUMENT, RESULT),
        histories.history("two-calls-two-results", SECOND_ARGUMENT, RESULT),
    )
    behind_one, behind_two = _between(one.render, ARGUMENT), _between(two.render, SECOND_ARGUMENT)
    if behind_one is not None and behind_two is not None and closer in behind_two and closer not in behind_one:
        yield Problem(
            f"{quoted(closer)} ends an answer and a turn with two tool calls, and nothing ends a turn with one",
            help="end the turn after the loop over its calls",
            severity=Severity.INFO if histories.usual.keeps_none else Severity.WARNING,
            render=one.render,
            shows=ARGUMENT,
        )


def _between(render: Render, call: str) -> str | None:
    """What stands between an argument of a call and the first result."""
    _, found, behind = (render.text or "").partition(call)
    return behind.partition(RESULT)[0] if found and RESULT in behind else None
