from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from tpllint import (
    Bad,
    Good,
    Problem,
    Render,
    Rule,
    Severity,
    TaughtTurn,
    Template,
    before_thinking,
    find_turns,
    masked_renders,
    misaligned,
    quoted,
    taught_turns,
)

THEIRS = re.compile("user|tool|system")
HEADER, PREFILL, BLANKS = "header", "prefill", "blanks"
WORDS = {
    HEADER: "the header of the answer, {}, which is part of the generation prompt",
    PREFILL: "{}, which the generation prompt has written already",
    BLANKS: "the blanks {} before the answer, which are part of the generation prompt",
}


class MaskIncludesPrompt(Rule):
    """The assistant mask holds text that the model is given and does not write.

    ## What it does
    Renders what the model gets before each answer, with the generation prompt, and the finished conversation. What both have in
    common is given to the model. It tells apart whether the mask reaches into the header of the turn, into a thinking prefill
    that the generation prompt has written, or only into blanks. A mask that holds words of a user or the result of a tool is a
    warning in every profile.

    Whether a header should be learnt is a matter of taste where the template belongs to a model that is trained from
    scratch: it costs little. It is information, and a warning in the profile `training`.

    ## Why is this bad
    The loss counts tokens that are the same in every answer and that the model never has to produce, so that it looks better
    than it is; with a prefill the model also learns to write what it will be given.

    ## References
    - [trl: chat templates for training](https://github.com/huggingface/trl/blob/main/trl/chat_templates/README.md)
    - [NeMo Automodel issue 3739](https://github.com/NVIDIA-NeMo/Automodel/pull/3739)
    """

    code = "TPL603"
    name = "mask-includes-prompt"
    category = "training"
    severity = Severity.INFO
    raised_by: ClassVar[Mapping[str, Severity]] = {"training": Severity.WARNING}
    examples = (
        Bad(
            "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}<|assistant|>\n{{ m.content }}<|end|>"
            "{% endgeneration %}{% else %}<|{{ m.role }}|>\n{{ m.content }}<|end|>{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}",
            says=r'the mask holds the header of the answer, "<|assistant|>\n", which is part of the generation prompt',
            better="{% for m in messages %}{% if m.role == 'assistant' %}<|assistant|>\n{% generation %}{{ m.content }}<|end|>"
            "{% endgeneration %}{% else %}<|{{ m.role }}|>\n{{ m.content }}<|end|>{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}<think>"
            "{{ m.reasoning_content }}</think>{{ m.content }}<|end|>{% endgeneration %}{% else %}{{ m.content }}<|end|>"
            "{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|><think>{% endif %}",
            says='the mask holds "<think>", which the generation prompt has written already',
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ '\\n' + m.content }}"
            "<|end|>{% endgeneration %}{% else %}{{ '\\n' + m.content }}<|end|>{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}",
            says=r'the mask holds the blanks "\n" before the answer, which are part of the generation prompt',
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% generation %}{{ m.content }}<|end|>{% endgeneration %}{% endfor %}",
            says='the mask holds "question-amber", which a user wrote',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
            "<|end|>{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}",
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ '\\n' + m.content }}"
            "<|end|>{% endgeneration %}{% else %}{{ '\\n' + m.content }}<|end|>{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        theirs = next(_words_of_others(template), None)
        if theirs is not None:
            yield theirs
            return
        told: set[str] = set()
        for turn in taught_turns(template):
            given = _given(turn)
            kind = _kind(given)
            if given and kind not in told and HEADER not in told:
                told.add(kind)
                yield _problem(turn, given, kind)


def _given(turn: TaughtTurn) -> str:
    """The masked text before the place from which on the model writes itself."""
    if turn.begins is None:
        return ""
    starts = [start for start, end in turn.render.spans if start < turn.begins < end]
    return turn.text[min(starts) : turn.begins] if starts else ""


def _kind(given: str) -> str:
    if before_thinking(given).strip():
        return HEADER
    return PREFILL if given.strip() else BLANKS


def _problem(turn: TaughtTurn, given: str, kind: str) -> Problem:
    assert turn.begins is not None
    return Problem(
        f"the mask holds {WORDS[kind].format(quoted(given))}",
        help="begin the generation block where the generation prompt ends",
        render=turn.render,
        shows=(turn.begins - len(given), turn.begins),
    )


def _words_of_others(template: Template) -> Iterator[Problem]:
    for render in masked_renders(template):
        if not any(misaligned(render)):
            yield from _masked_words_of_others(render)


def _masked_words_of_others(render: Render) -> Iterator[Problem]:
    assert render.recipe is not None
    conversation = render.recipe.conversation
    for found in find_turns(conversation, render):
        role = str(conversation.messages[found.message].get("role"))
        if THEIRS.fullmatch(role) and found.within(render):
            yield Problem(
                f"the mask holds {quoted((render.text or '')[found.start : found.end])}, which a {role} wrote",
                help="put {% generation %} around what the assistant wrote, and nothing else",
                severity=Severity.WARNING,
                render=render,
                shows=(found.start, found.end),
            )
