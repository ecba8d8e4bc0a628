from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template, quoted


class GenerationPromptLiteralPlaceholder(Rule):
    """The generation prompt holds a placeholder that nobody filled in.

    ## What it does
    Looks for `{role}`, `{{ role }}`, `%(role)s` or `${role}` in what the generation prompt adds.

    ## Why is this bad
    The model reads the braces: a format string was copied from documentation, or a variable is quoted instead of evaluated.

    ## References
    - [llama.cpp issue 12213](https://github.com/ggml-org/llama.cpp/issues/12213)
    """

    code = "TPL105"
    name = "generation-prompt-literal-placeholder"
    category = "generation-prompt"
    severity = Severity.ERROR
    examples = (
        Bad(
            "{% for m in messages %}<|start|>{{ m.role }}<|end|>{{ m.content }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|start|>{role}<|end|>' }}{% endif %}",
            says='the generation prompt holds the unfilled placeholder "{role}"',
            better="{% for m in messages %}<|start|>{{ m.role }}<|end|>{{ m.content }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|start|>assistant<|end|>' }}{% endif %}",
        ),
        Good("{{ messages[0].content }}{% if add_generation_prompt %}{{ '{' }}{% endif %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        placeholder = template.anatomy.unfilled_placeholder
        if placeholder is not None:
            yield Problem(
                f"the generation prompt holds the unfilled placeholder {quoted(placeholder)}",
                help="write the assistant's role itself",
                render=template.render("user", generation_prompt=True),
                shows=placeholder,
            )
