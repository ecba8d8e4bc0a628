from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template, common_suffix, quoted


class GenerationPromptUnconditional(Rule):
    """The assistant's header is appended even when no generation prompt is asked for.

    ## What it does
    Renders a finished conversation, the last word being the assistant's, without the generation prompt. If its end is the
    header that introduces an answer, and that is not how an answer ends when another message follows, the header is appended
    unconditionally.

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
        Good(
            "{% for m in messages %}{% if m.role == 'user' %}Q: {{ m.content }}\nA:{% else %}"
            " {{ m.content }}</s>\n{% endif %}{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        anatomy = template.anatomy
        user_end, opening, end, between = (
            anatomy.user_end,
            anatomy.assistant_opening,
            anatomy.assistant_end,
            anatomy.between_rounds,
        )
        if user_end is None or opening is None or end is None or between is None:
            return
        header = end[len(end) - common_suffix(end, user_end) :]
        opens_an_answer = opening.rstrip() == user_end.rstrip()
        if header.strip() and opens_an_answer and not between.startswith(end.rstrip()):
            yield Problem(
                f"{quoted(header)} is appended although no generation prompt was asked for",
                help="put it inside {% if add_generation_prompt %} ... {% endif %}",
                conversation="user-assistant",
                excerpt=template.render("user-assistant").text,
            )
