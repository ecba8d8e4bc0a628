from __future__ import annotations

import re
from collections.abc import Iterator

from tpllint import ANSWER, QUESTION, Bad, Good, Problem, ReasoningTags, Render, Rule, Severity, Template, quoted

PAST = "user-assistant-user"


class EmptyThinkInHistory(Rule):
    """An empty reasoning block is printed for a past answer that had no reasoning.

    ## What it does
    Learns the markers around reasoning from what stands around it in the prompt, renders an earlier answer without reasoning
    and looks for both markers with nothing between them. Each variable about reasoning is tried with each of its values.
    Nothing is said where the generation prompt writes the same empty block in the same case, or says nothing of reasoning
    there but writes that block to turn it off: then the history shows what such an answer follows. Where it opens reasoning,
    and writes the block only to turn it off, or where a variable has to be passed, it is information.

    ## Why is this bad
    The model sees turn by turn that answers come without reasoning, and learns from its own history to leave it out; and where
    such blocks come and go as the chat grows, the prompt's beginning changes and the server computes it all again.

    ## References
    - [Qwen3.8 issue 131](https://github.com/QwenLM/Qwen3.8/issues/131)
    """

    code = "TPL504"
    name = "empty-think-in-history"
    category = "thinking"
    severity = Severity.WARNING
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}<think>{{ m.reasoning_content }}</think>"
            "{% endif %}{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}",
            says='a past answer without reasoning is rendered with an empty block, "<think></think>"',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>"
            "{% endif %}{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}",
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}<think>{{ m.reasoning_content }}</think>"
            "{% endif %}{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|><think></think>{% endif %}"
        ),
        Good(
            "Reason between <think> </think>.{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|><think>{% endif %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        reasoning = template.reasoning
        tags = reasoning.tags
        prefills = [reasoning.prefill(state) for state in reasoning.states] if tags else []
        written = tags is not None and any(tags.block.search(prefill) for prefill in prefills)
        for state, prefill in zip(reasoning.states if tags else (), prefills, strict=True):
            found = _block(reasoning.render(PAST, state), tags)
            if found is None or (written and not reasoning.opens(state)) or (tags and tags.block.search(prefill)):
                continue
            yield Problem(
                f"a past answer without reasoning is rendered with an empty block, {quoted(found[0])}",
                help="write the block only where there is reasoning to put into it",
                severity=Severity.INFO if written or state else None,
                render=reasoning.render(PAST, state),
                shows=found.span(),
            )
            return


def _block(render: Render, tags: ReasoningTags | None) -> re.Match[str] | None:
    """The empty block between the question and the answer; a prompt may speak of the tags before."""
    text = render.text or ""
    return None if tags is None else tags.block.search(text, max(text.find(QUESTION), 0), max(text.find(ANSWER), 0))
