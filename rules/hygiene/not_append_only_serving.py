from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Growth, Problem, Rule, Severity, Template, growths


class NotAppendOnlyServing(Rule):
    """The prompt of the next request does not begin with the prompt of the last one.

    ## What it does
    Renders the requests that a server gets in the course of a conversation, each with the generation prompt: plain rounds,
    rounds with reasoning, loops of tool calls without and with it. Each prompt has to begin with the one before, generation
    prompt included. Where switches such as `enable_thinking` change the generation prompt, it tries them too. It names the
    first message at which the prompts part, and the share of the last prompt that can be used again.

    ## Why is this bad
    A server keeps what it has computed for a prompt as long as the next one goes on from there. Everything from the first
    changed character on is computed again, in each round: in long chats and loops of tool calls that is most of the waiting.

    ## References
    - [Qwen3 issue 1826](https://github.com/QwenLM/Qwen3/issues/1826)
    - [mlx-lm issue 903](https://github.com/ml-explore/mlx-lm/issues/903)
    """

    code = "TPL903"
    name = "not-append-only-serving"
    category = "hygiene"
    severity = Severity.INFO
    only_infos = True
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|><think></think>{% endif %}",
            says='the next request changes the prompt at message 2 (assistant): "<think></think>" becomes '
            '"answer-birch<|end|><|user|>" ..., 73 % of the last one can be used again',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}<think></think>{% endif %}"
            "{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|><think></think>{% endif %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% if not enable_thinking | default(true) %}<think></think>{% endif %}"
            "{% endif %}",
            says="with enable_thinking=false, the next request changes the prompt at message 2 (assistant): "
            '"<think></think>" becomes "answer-birch<|end|><|user|>" ..., 73 % of the last one can be used again',
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        yield from map(_problem, growths(template, serving=True))


def _problem(growth: Growth) -> Problem:
    divergence = growth.divergence
    return Problem(
        f"{growth.under}the next request changes the prompt at message {divergence.message + 1} ({growth.changed}): "
        f"{growth.taken_back}, {growth.kept} of the last one can be used again",
        help="write in the history what the generation prompt and the model wrote, so that prompts only grow",
        render=divergence.earlier,
        shows=(divergence.at, divergence.at + len(divergence.before)),
    )
