from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template, common_prefix, marker_start, quoted


class GenerationPromptNotSuffix(Rule):
    """Asking for the generation prompt changes text that comes before it.

    ## What it does
    Compares the prompts of one user message with and without the generation prompt: the first must begin with the whole of
    the second.

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
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% else %}{{ eos_token }}{% endif %}",
            says='the generation prompt does not come after the prompt but replaces "</s>" at its end',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        ),
        Good("{{ messages[0].content }}{% if add_generation_prompt %} ->{% endif %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        plain = template.render("user").text
        prompted = template.render("user", generation_prompt=True).text
        if plain is None or prompted is None or prompted.startswith(plain):
            return
        replaced = plain[marker_start(plain, common_prefix(plain, prompted)) :]
        yield Problem(
            f"the generation prompt does not come after the prompt but replaces {quoted(replaced)} at its end",
            help="let add_generation_prompt only add text, after everything else",
            conversation="user",
            excerpt=prompted,
        )
