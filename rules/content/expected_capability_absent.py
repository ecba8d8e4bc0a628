from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tpllint import Bad, Good, Problem, Rule, Severity, Template


class Promise(NamedTuple):
    """What a template that lacks a capability does, and the canonical conversation that shows it."""

    lack: str
    conversation: str | None
    help: str


WRITE_IT = "write it into the prompt, or expect it no longer"
PROMISES = {
    "system": Promise("does not render a system message", "system-user", WRITE_IT),
    "developer": Promise("does not render a developer message", "developer-user", WRITE_IT),
    "tools": Promise("does not render declared tools", "tools-declared", WRITE_IT),
    "tool-calls": Promise("does not render the assistant's tool calls", "tool-call", WRITE_IT),
    "tool-results": Promise("does not render tool results", "tool-result", WRITE_IT),
    "parallel-calls": Promise("does not render two calls of one turn", "two-calls", WRITE_IT),
    "reasoning": Promise("does not render reasoning", "reasoning-in-tool-loop", WRITE_IT),
    "thinking-toggle": Promise(
        "has no variable that turns thinking on and off", "user", "read enable_thinking, or expect it no longer"
    ),
    "generation-prompt": Promise("does not write a generation prompt", "user", WRITE_IT),
    "generation-markers": Promise(
        "does not mark what the assistant wrote", None, "put answers into {% generation %} blocks, or expect it no longer"
    ),
    "images": Promise("does not render images", "image-and-text", WRITE_IT),
    "parts": Promise("does not read content given as a list of parts", "user-parts", WRITE_IT),
}


class ExpectedCapabilityAbsent(Rule):
    """The model promises something that its template cannot do.

    ## What it does
    Compares what you told tpllint to expect, with `--expect` or in the configuration, with what the renders show. Without an
    expectation it says nothing. What no render can tell is left undecided.

    ## Why is this bad
    Whoever relies on the promise gets prompts in which tools, a system message or images are missing, and no error.

    ## References
    - [transformers: tool use](https://huggingface.co/docs/transformers/chat_extras)
    """

    code = "TPL321"
    name = "expected-capability-absent"
    category = "content"
    severity = Severity.ERROR
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}",
            expect=("system", "tools"),
            says="the template does not render declared tools, although it is expected to",
            better="{% if tools %}<|tools|>{{ tools | tojson }}<|end|>{% endif %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        ),
        Bad(
            "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system message') }}{% endif %}"
            "<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            expect=("system",),
            says="the template does not render a system message, although it is expected to",
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}",
            expect=("generation-markers",),
            says="the template does not mark what the assistant wrote, although it is expected to",
            better="{% for m in messages %}<|{{ m.role }}|>"
            "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|end|>{% endgeneration %}"
            "{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
        Good(
            "{% if messages | length > 1 %}{{ messages[0].content.text }}{{ 1 + messages[0].content }}{% endif %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            expect=("reasoning",),
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        for name, promise in PROMISES.items():
            if name in template.expected and template.description.capabilities.get(name) is False:
                to_do = "" if promise.lack.startswith("has") else " to"
                yield Problem(
                    f"the template {promise.lack}, although it is expected{to_do}",
                    help=promise.help,
                    render=template.render(promise.conversation, generation_prompt=True) if promise.conversation else None,
                )
