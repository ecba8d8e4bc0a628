from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from tpllint import Bad, Good, Growth, Problem, Rule, Severity, Template, growths


class NotPrefixPreserving(Rule):
    """Appending a message changes how the messages before it are rendered.

    ## What it does
    Renders a conversation as it was after each message: plain rounds, rounds with reasoning, loops of tool calls without and
    with it. Each of these texts has to begin with the one before. Where switches such as `enable_thinking` change
    the generation prompt, it tries them too. It names the first message whose text changes and how much of the shorter text
    is kept. A history that the template refuses, such as one that ends with an unanswered call, is left out.

    That reasoning is left out of the history is what many publishers want, so this is information, and a warning in the
    profile `training`.

    ## Why is this bad
    Training on conversations renders them step by step, to tell what each answer adds: loops of tool calls in reinforcement
    learning, masks by difference, packing with shared prefixes. Where the text changes behind them, tokens are counted for the
    wrong message, or the answer that was sampled is not the one that is trained.

    ## References
    - [trl: chat templates for training](https://github.com/huggingface/trl/blob/main/trl/chat_templates/README.md)
    - [trl issue 6363](https://github.com/huggingface/trl/pull/6363)
    """

    code = "TPL607"
    name = "not-prefix-preserving"
    category = "training"
    severity = Severity.INFO
    only_infos = True
    raised_by: ClassVar[Mapping[str, Severity]] = {"training": Severity.WARNING}
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content and loop.last %}"
            "<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}<|end|>{% endfor %}",
            says="a user message after it changes message 2 (assistant): "
            '"<think>thought-russet</think>" ... becomes "answer-birch<|end|><|user|>" ..., 46 % of the text before is kept',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>"
            "{% endif %}{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}</s>",
            says="an assistant message after it changes message 1 (user): "
            '"</s>" becomes "<|assistant|>answer-birch<|end|></s>", 87 % of the text before is kept',
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|><think>{% endif %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        yield from map(_problem, growths(template))


def _problem(growth: Growth) -> Problem:
    divergence = growth.divergence
    article = "an" if growth.appended[:1] in "aeio" else "a"
    return Problem(
        f"{growth.under}{article} {growth.appended} message after it changes "
        f"message {divergence.message + 1} ({growth.changed}): "
        f"{growth.taken_back}, {growth.kept} of the text before is kept",
        help="render a message by what it says and what came before it, never by what follows",
        render=divergence.earlier,
        shows=(divergence.at, divergence.at + len(divergence.before)),
    )
