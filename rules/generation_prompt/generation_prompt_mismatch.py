from __future__ import annotations

import re
from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Related, Rule, Severity, Template, common_prefix, quoted

TRAILING_SPACE = re.compile(r"\S $")
MARKER_AT_END = re.compile(r"[>\])\u232a\u3009]$")


class GenerationPromptMismatch(Rule):
    """The generation prompt is not how an assistant turn opens in the history.

    ## What it does
    Compares what follows a user message under `add_generation_prompt` with what stands between a user message and its answer.
    They must agree up to where the answer begins. Allowed are a thinking prefill that the generation prompt opens, text that
    the model writes itself once it is said who speaks, and one space before the answer, which belongs to the first token of the
    answer in most vocabularies; a generation prompt that ends with that space is a warning, since the vocabulary then
    sees a space of its own and the answer without one. That only a line end is missing after a marker is information, after a
    colon a warning: there are models that were trained to write it.

    ## Why is this bad
    The model was trained on the header of the history and is now given another one: it sees text it never saw before an
    answer. A single missing newline costs as much likelihood as a wrong format.

    ## References
    - [transformers: chat templates](https://huggingface.co/docs/transformers/chat_templating)
    - [unsloth issue 1968](https://github.com/unslothai/unsloth/issues/1968)
    """

    code = "TPL104"
    name = "generation-prompt-mismatch"
    category = "generation-prompt"
    severity = Severity.ERROR
    examples = (
        Bad(
            "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant{% endif %}",
            says='the generation prompt ends with "<|im_start|>assistant", but answers in the history follow '
            r'"<|im_start|>assistant\n"',
            better="{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
        ),
        Bad(
            "{% for m in messages %}<s>{{ m.role }}\n{{ m.content }}</s>{% endfor %}"
            "{% if add_generation_prompt %}{{ '<s>bot\\n' }}{% endif %}",
            says=r'the generation prompt ends with "<s>bot\n", but answers in the history follow "<s>assistant\n"',
            better="{% for m in messages %}<s>{{ 'bot' if m.role == 'assistant' else m.role }}\n{{ m.content }}</s>"
            "{% endfor %}{% if add_generation_prompt %}{{ '<s>bot\\n' }}{% endif %}",
        ),
        Bad(
            "{% for m in messages %}{{ m.role }}: {{ m.content }}</s>\n{% endfor %}"
            "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}",
            says='the generation prompt ends with a space: "assistant: "',
            better="{% for m in messages %}{{ m.role }}: {{ m.content }}</s>\n{% endfor %}"
            "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}",
        ),
        Bad(
            "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>{% endif %}",
            says='the generation prompt ends with "<|im_start|>", but answers in the history follow '
            r'"<|im_start|>assistant\n"',
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}</s>\n{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|assistant|>\\n<think>\\n' }}{% endif %}"
        ),
        Good(
            "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
            "{% if add_generation_prompt %}assistant:{% endif %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        anatomy = template.anatomy
        end, prompted, opening = anatomy.user_end, anatomy.prompted_end, anatomy.assistant_opening
        if end is None or prompted is None or opening is None or prompted == end:
            return
        if prompted == opening and TRAILING_SPACE.search(prompted):
            yield _trailing_space(template, prompted[_shared_lead(prompted, opening, end) :])
        if anatomy.prompt_fits_history is not False:
            return
        if anatomy.unfilled_placeholder is not None:
            return  # generation-prompt-literal-placeholder says it better
        shared = _shared_lead(prompted, opening, end)
        if not prompted.strip() or not opening[shared:].strip():
            return  # there is no header to differ from, or generation-prompt-missing says it
        yield Problem(
            f"the generation prompt ends with {quoted(prompted[shared:])}, "
            f"but answers in the history follow {quoted(opening[shared:])}",
            help="make the generation prompt the text that stands before an answer, whitespace included",
            severity=_severity(prompted, opening),
            render=template.render("user", generation_prompt=True),
            shows=_difference(template, prompted, opening),
            related=(_header(template, shared),),
        )


def _header(template: Template, shared: int) -> Related:
    """Where the header of an answer in the history is written."""
    _, (start, opening), _ = template.anatomy.placed_gaps("user-assistant") or ()
    span = (start + shared, start + len(opening))
    return Related("answers in the history open here", render=template.render("user-assistant"), shows=span)


def _difference(template: Template, prompted: str, opening: str) -> tuple[int, int]:
    """The end of the prompt from the first character on that answers in the history do not follow; its last where none is."""
    start, end = (template.anatomy.placed_gaps("user", generation_prompt=True) or ())[-1]
    first = common_prefix(prompted, opening)
    return start + min(first, len(end) - 1), start + len(end)


def _trailing_space(template: Template, added: str) -> Problem:
    return Problem(
        f"the generation prompt ends with a space: {quoted(added)}",
        help="leave the space out: in the history it is part of the answer's first token",
        severity=Severity.WARNING,
        render=template.render("user", generation_prompt=True),
        shows=added,
    )


def _severity(prompted: str, opening: str) -> Severity | None:
    """Blanks at the end alone: models were trained to write the line end after `<|assistant|>` themselves, some after `:`."""
    if opening.rstrip() != prompted:
        return None
    if MARKER_AT_END.search(prompted):
        return Severity.INFO
    return Severity.WARNING if prompted.endswith(":") else None


def _shared_lead(prompted: str, opening: str, end: str) -> int:
    """How much of both is the end of the user turn, which the message leaves out."""
    return len(end) if prompted.startswith(end) and opening.startswith(end) else 0
