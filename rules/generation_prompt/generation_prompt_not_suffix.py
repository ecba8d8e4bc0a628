from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template, common_prefix, common_suffix, quoted


class GenerationPromptNotSuffix(Rule):
    """Asking for the generation prompt changes text that comes before it.

    ## What it does
    Compares the prompts of one user message with and without the generation prompt: the first must begin with the whole of
    the second. That an end of sequence gives way to the generation prompt is fine where a chat with an answer begins like the
    prompt for it: nobody trains on a question alone.

    ## Why is this bad
    The generation prompt should only be added. A template that also rewrites or drops text, often the end of sequence,
    trains the model on one conversation and serves it another; trainers that find the answer by the difference of the two
    renders mask the wrong tokens.

    ## References
    - [transformers: what are generation prompts?](https://huggingface.co/docs/transformers/chat_templating)
    """

    code = "TPL103"
    name = "generation-prompt-not-suffix"
    category = "generation-prompt"
    severity = Severity.WARNING
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% if not loop.last or not add_generation_prompt %}<|end|>"
            "{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}",
            says='the generation prompt does not only add to the prompt: at its end "<|end|>" becomes "<|assistant|>"',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        ),
        Bad(
            "{% if add_generation_prompt %}<|answer|>{% endif %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says='the generation prompt does not only add to the prompt: before it "<|answer|>" is inserted',
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% else %}{{ eos_token }}{% endif %}"
        ),
        Good("{{ messages[0].content }}{% if add_generation_prompt %} ->{% endif %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        plain = template.render("user").text
        prompted = template.render("user", generation_prompt=True).text
        if plain is None or prompted is None or prompted.startswith(plain):
            return
        removed, added, at_the_end = _change(plain, prompted)
        where = "at its end" if at_the_end else "before it"
        change = f"{quoted(removed)} becomes {quoted(added)}" if removed else f"{quoted(added)} is inserted"
        only_the_end = removed == template.tokens.get("eos_token")
        answered = template.render("user-assistant")
        goes_on = answered.limited or (answered.text or "").startswith(prompted)
        if only_the_end and goes_on:
            return
        yield Problem(
            f"the generation prompt does not only add to the prompt: {where} {change}",
            help="let add_generation_prompt only add text, after everything else",
            render=template.render("user", generation_prompt=True),
            shows=added,
        )


def _change(plain: str, prompted: str) -> tuple[str, str, bool]:
    """What stands in the one prompt and what in the other, and whether nothing that both share follows it."""
    start = common_prefix(plain, prompted)
    same = common_suffix(plain[start:], prompted[start:])
    return plain[start : len(plain) - same], prompted[start : len(prompted) - same], same == 0
