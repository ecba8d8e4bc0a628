from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template, common_suffix, quoted


class GenerationPromptMissing(Rule):
    """add_generation_prompt changes nothing, and the model must write the assistant's header itself.

    ## What it does
    Renders a user message with and without the generation prompt. If both are the same, and an answer in the history is
    introduced by text that neither holds, that text is missing. Formats in which the answer follows the user turn directly
    (`[INST] ... [/INST] answer`) need no generation prompt and are fine.

    ## Why is this bad
    A model that is asked to continue after a finished user turn may go on writing the user's text, open any role, or stop at
    once.

    ## References
    - [transformers: what are generation prompts?](https://huggingface.co/docs/transformers/chat_templating)
    - [instructlab issue 233](https://github.com/instructlab/instructlab/issues/233)
    - [unsloth issue 1404](https://github.com/unslothai/unsloth/issues/1404)
    """

    code = "TPL101"
    name = "generation-prompt-missing"
    category = "generation-prompt"
    severity = Severity.ERROR
    examples = (
        Bad(
            "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}",
            says="add_generation_prompt adds nothing, so the model has to write "
            r'"<|im_start|>assistant\n" itself',
            better="{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
        ),
        Good(
            "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %}"
            " {{ m.content }}</s>{% endif %}{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        anatomy = template.anatomy
        ends = (anatomy.user_end, anatomy.prompted_end, anatomy.assistant_opening)
        if None in ends or anatomy.user_end != anatomy.prompted_end:
            return
        user_end, _, opening = ends
        assert user_end is not None
        assert opening is not None
        already_open = anatomy.assistant_end is not None and common_suffix(anatomy.assistant_end, user_end) > 0
        if already_open and not (anatomy.between_rounds or "").startswith((anatomy.assistant_end or "").rstrip()):
            return  # the header is there, always: generation-prompt-unconditional
        missing = opening.removeprefix(user_end) if opening.startswith(user_end) else ""
        if missing.strip():
            yield Problem(
                f"add_generation_prompt adds nothing, so the model has to write {quoted(missing)} itself",
                help=f"end the template with {{% if add_generation_prompt %}}{{{{ {quoted(missing)} }}}}{{% endif %}}",
                conversation="user",
                excerpt=template.render("user", generation_prompt=True).text,
            )
