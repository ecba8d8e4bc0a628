from __future__ import annotations

import re
from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template, quoted

THINKING = re.compile(r"think|thought|reason|analysis|scratchpad", re.IGNORECASE)
PLACEHOLDER = re.compile(r"\{+\s*[A-Za-z_][\w.]*\s*\}+")


class GenerationPromptMismatch(Rule):
    """The generation prompt is not how an assistant turn opens in the history.

    ## What it does
    Compares what follows a user message under `add_generation_prompt` with what stands between a user message and its answer.
    They must agree up to where the answer begins. Allowed are a thinking prefill that the generation prompt opens, text that
    the model writes itself after the generation prompt, and one space before the answer, which belongs to the first token of
    the answer in most vocabularies.

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
            "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}</s>\n{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}",
            says='the generation prompt ends with "<|assistant|>", but answers in the history follow '
            r'"<|assistant|>\n"',
            better="{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}</s>\n{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}",
        ),
        Bad(
            "{% for m in messages %}<s>{{ m.role }}\n{{ m.content }}</s>{% endfor %}"
            "{% if add_generation_prompt %}{{ '<s>bot\\n' }}{% endif %}",
            says=r'the generation prompt ends with "<s>bot\n", but answers in the history follow "<s>assistant\n"',
            better="{% for m in messages %}<s>{{ 'bot' if m.role == 'assistant' else m.role }}\n{{ m.content }}</s>"
            "{% endfor %}{% if add_generation_prompt %}{{ '<s>bot\\n' }}{% endif %}",
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
        past = anatomy.past_assistant_opening
        if any(_agree(prompted, header) for header in (opening, past) if header is not None):
            return
        if PLACEHOLDER.search(prompted):
            return  # generation-prompt-literal-placeholder says it better
        shared = _shared_lead(prompted, opening, end)
        yield Problem(
            f"the generation prompt ends with {quoted(prompted[shared:])}, "
            f"but answers in the history follow {quoted(opening[shared:])}",
            help="make the generation prompt the text that stands before an answer, whitespace included",
            conversation="user-assistant",
            excerpt=template.render("user-assistant").text,
        )


def _agree(prompted: str, opening: str) -> bool:
    if prompted == opening:
        return True
    if prompted.startswith(opening):
        return _is_thinking(prompted[len(opening) :])
    if opening.startswith(prompted):
        written_by_the_model = opening[len(prompted) :]
        return written_by_the_model == " " or bool(written_by_the_model.strip())
    return _is_thinking_after_whitespace(prompted, opening)


def _is_thinking(prefill: str) -> bool:
    return bool(prefill.strip()) and bool(THINKING.search(prefill))


def _is_thinking_after_whitespace(prompted: str, opening: str) -> bool:
    """A prefill may be set off differently than the answer in the history: `header\\n<think>` against `header answer`."""
    header = opening.rstrip()
    return prompted.startswith(header) and _is_thinking(prompted[len(header) :])


def _shared_lead(prompted: str, opening: str, end: str) -> int:
    """How much of both is the end of the user turn, which the message leaves out."""
    return len(end) if prompted.startswith(end) and opening.startswith(end) else 0
