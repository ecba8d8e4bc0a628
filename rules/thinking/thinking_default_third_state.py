from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Related, Rule, Severity, Template, quoted

WHERE = {
    "generation prompt": ("user", True, "the generation prompt"),
    "history": ("reasoning-old", False, "a history with reasoning in it"),
}


class ThinkingDefaultThirdState(Rule):
    """To leave the thinking flag out is neither to turn it on nor to turn it off.

    ## What it does
    Renders a chat that waits for an answer, and one with reasoning in its history, with each true-or-false variable about
    reasoning set to true, to false and not at all. It is reported where the prompt without it is neither of the other two.
    Where the generation prompt then says nothing of reasoning, it is information: the choice is left to the model.

    ## Why is this bad
    Somebody who never passes the flag gets a third prompt that no documentation of the flag describes, and a server that
    fills in the documented default changes the prompt by that.

    ## References
    - [transformers: writing a chat template](https://huggingface.co/docs/transformers/chat_templating_writing)
    """

    code = "TPL502"
    name = "thinking-default-third-state"
    category = "thinking"
    severity = Severity.WARNING
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>"
            "{% if enable_thinking is defined %}{{ '<think>' if enable_thinking else '<think></think>' }}{% else %}<think> Hm."
            "{% endif %}{% endif %}",
            says='without "enable_thinking" the generation prompt is neither what true gives, "<think>", '
            'nor what false gives, "<think></think>": it is "<think> Hm."',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}"
            "<|assistant|>{{ '<think>' if enable_thinking is undefined or enable_thinking else '<think></think>' }}{% endif %}",
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>"
            "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}{% endif %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if not template.reasoning.mentioned:
            return
        for control in template.reasoning.controls:
            if control.is_toggle:
                yield from _third(template, control.name)


def _third(template: Template, name: str) -> Iterator[Problem]:
    for conversation, prompted, what in WHERE.values():
        none, on, off = (
            template.reasoning.render(conversation, state, generation_prompt=prompted)
            for state in ((), ((name, True),), ((name, False),))
        )
        if none.text is None or on.text is None or off.text is None:
            continue
        if len({none.text, on.text, off.text}) == 3:
            (neither, left, right), start = _parts(none.text, on.text, off.text)
            yield Problem(
                f"without {quoted(name)} {what} is neither what true gives, {quoted(left)}, "
                f"nor what false gives, {quoted(right)}: it is {quoted(neither)}",
                severity=Severity.INFO if prompted and not template.reasoning.prefill() else None,
                help="say what leaving it out means, such as {% set x = x | default(true) %}, and ask for its truth alone",
                render=none,
                shows=(start, start + len(neither)),
                related=(Related("true gives this", render=on), Related("false gives this", render=off)),
            )
            return


def _parts(*texts: str) -> tuple[tuple[str, ...], int]:
    """The last lines in which some texts differ, and where those begin in all of them."""
    start = 0
    while all(start < len(text) and text[start] == texts[0][start] for text in texts):
        start += 1
    start = max(texts[0].rfind("<", 0, start), texts[0].rfind("\n", 0, start), 0)
    return tuple(text[start:] for text in texts), start
