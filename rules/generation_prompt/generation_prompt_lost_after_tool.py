from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Related, Rule, Severity, Template, before_thinking, quoted


class GenerationPromptLostAfterTool(Rule):
    """The generation prompt is added after a user message, but not after a tool's result.

    ## What it does
    Renders a tool call and its result with and without the generation prompt. If both are the same, although the flag works
    after a user message, and the answer to a tool result is introduced by text that neither holds, agents are affected.
    Formats in which the model goes on inside its own turn after a result are fine.

    ## Why is this bad
    Every agent loop asks for an answer after a tool result. The model then has to write its own header.

    ## References
    - [transformers: tool use](https://huggingface.co/docs/transformers/chat_extras)
    """

    code = "TPL106"
    name = "generation-prompt-lost-after-tool"
    category = "generation-prompt"
    severity = Severity.ERROR
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ m.tool_calls or '' }}\n{% endfor %}"
            "{% if add_generation_prompt and messages[-1].role == 'user' %}<|assistant|>{% endif %}",
            says='after a tool result add_generation_prompt adds nothing, so the model has to write "<|assistant|>" itself',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ m.tool_calls or '' }}\n{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        ),
        Good("{{ messages[0].content }}{% if add_generation_prompt %} ->{% endif %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        anatomy = template.anatomy
        if anatomy.user_end is None or anatomy.user_end == anatomy.prompted_end:
            return
        plain, prompted = anatomy.gaps("tool-result"), anatomy.gaps("tool-result", generation_prompt=True)
        answered = anatomy.gaps("tool-loop")
        if plain is None or answered is None or plain != prompted or not answered[2].startswith(plain[2]):
            return
        missing = before_thinking(answered[2].removeprefix(plain[2]))
        if missing.strip():
            yield Problem(
                f"after a tool result add_generation_prompt adds nothing, so the model has to write {quoted(missing)} itself",
                help="let add_generation_prompt depend on nothing but its own value",
                render=template.render("tool-result", generation_prompt=True),
                related=(
                    Related(
                        "after a user message it is added here",
                        render=template.render("user", generation_prompt=True),
                        shows=anatomy.generation_prompt,
                    ),
                ),
            )
