from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template, common_suffix, quoted


class GenerationPromptUnconditional(Rule):
    """The assistant's header is appended even when no generation prompt is asked for.

    ## What it does
    Renders a finished conversation, the last word being the assistant's, without the generation prompt. If its end is the
    header that introduces an answer, and that is not how an answer ends when another message follows, the header is appended
    unconditionally. An assignment of true to `add_generation_prompt` inside the template is the same defect. It is a warning
    where the header comes after every user message, whatever the flag says, and formats in which nothing but the closer of
    the user's turn stands before an answer (`[INST] ... [/INST] answer`) are fine.

    ## Why is this bad
    Training text ends every sample with the start of an answer that is not there, and a conversation that is continued or
    scored ends in the wrong place.

    ## References
    - [transformers issue 30893](https://github.com/huggingface/transformers/issues/30893)
    """

    code = "TPL102"
    name = "generation-prompt-unconditional"
    category = "generation-prompt"
    severity = Severity.ERROR
    examples = (
        Bad(
            "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            "{{ '<|im_start|>assistant\\n' }}",
            says=r'"<|im_start|>assistant\n" is appended although no generation prompt was asked for',
            better="{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
        ),
        Bad(
            "{% set add_generation_prompt = true %}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}"
            "{% if add_generation_prompt and messages[-1].role == 'user' %}<|assistant|>{% endif %}",
            says=r'"\n<|assistant|>" is appended because the template sets add_generation_prompt to true itself',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% if m.role == 'user' %}<|assistant|>{% endif %}"
            "{% endfor %}",
            says='"<|assistant|>" is appended after every user message, asked for or not',
        ),
        Good(
            "{% for m in messages %}{% if m.role == 'user' %}Q: {{ m.content }}\nA:{% else %}"
            " {{ m.content }}</s>\n{% endif %}{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        anatomy = template.anatomy
        user_end, end, between = anatomy.user_end, anatomy.assistant_end, anatomy.between_rounds
        if user_end is None or end is None or between is None or user_end != anatomy.prompted_end:
            return
        header = end[len(end) - common_suffix(end, user_end) :].removeprefix(anatomy.assistant_closer or "")
        after_the_closer = _after_the_closer(user_end, anatomy.assistant_closer)
        if header.strip() and not between.startswith(end.rstrip()):
            yield _problem(template, header, "although no generation prompt was asked for")
        elif _is_switched_on(template):
            yield _problem(template, user_end, "because the template sets add_generation_prompt to true itself")
        elif after_the_closer.strip():
            where = "after every user message, asked for or not"
            yield _problem(template, after_the_closer, where, Severity.WARNING, "user")


def _problem(
    template: Template, header: str, why: str, severity: Severity | None = None, conversation: str = "user-assistant"
) -> Problem:
    return Problem(
        f"{quoted(header)} is appended {why}",
        help="put it inside {% if add_generation_prompt %} ... {% endif %}, after the loop over the messages",
        severity=severity,
        conversation=conversation,
        excerpt=template.render(conversation).text,
    )


def _after_the_closer(user_end: str, closer: str | None) -> str:
    """What follows the end-of-turn marker of a user's turn, where user and assistant turns end alike."""
    return user_end.removeprefix(closer) if closer and closer.strip() and user_end.startswith(closer) else ""


def _is_switched_on(template: Template) -> bool:
    if template.syntax is None:
        return False
    return any(
        getattr(node.target, "name", None) == "add_generation_prompt" and getattr(node.node, "value", None) is True
        for node in template.syntax.find("Assign")
    )
