from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

from tpllint import Bad, Good, Problem, Related, Render, Rule, Severity, Template, quoted, spoken

CONVERSATIONS = (
    "user-assistant-user",
    "three-rounds",
    "two-users-in-a-row",
    "two-assistants-in-a-row",
    "tool-loop-follow-up",
    "tool-loop-text-beside-call",
    "two-calls-loop",
    "two-loops-in-a-row",
    "system-user-assistant-user",
    "system-in-the-middle",
    "system-developer-user",
)
INSTRUCTIONS = ("system", "developer")


class Said(NamedTuple):
    """One message's text and where the prompt has it."""

    role: str
    text: str
    start: int

    @property
    def span(self) -> tuple[int, int]:
        """Its offsets in the prompt."""
        return self.start, self.start + len(self.text)


class MessageOrderChanged(Rule):
    """Messages stand in the prompt in another order than in the conversation.

    ## What it does
    Renders conversations whose every text is unique, and compares the order of the texts. A system or developer message that
    is moved, to the front or to the last user message, is information: formats differ in where they want it, and published
    ones do both. Results of several tools may be put into the order of their calls. Reasoning and tool calls are not looked
    at, and neither is a text that the prompt has twice.

    ## Why is this bad
    The model reads an answer before the question, or what was said before a tool was called after its result.

    ## References
    - [transformers: chat templates](https://huggingface.co/docs/transformers/chat_templating)
    """

    code = "TPL303"
    name = "message-order-changed"
    category = "content"
    severity = Severity.WARNING
    vets = True
    examples = (
        Bad(
            "{% for m in messages if m.role == 'user' %}<|user|>{{ m.content }}<|end|>{% endfor %}"
            "{% for m in messages if m.role == 'assistant' %}<|assistant|>{{ m.content }}<|end|>{% endfor %}",
            says='the user message "question-coral" stands before the assistant message "answer-birch", which comes first',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages if m.role == 'system' %}<|system|>{{ m.content }}<|end|>{% endfor %}"
            "{% for m in messages if m.role != 'system' %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says='the system message "instruction-cedar" stands before the user message "question-amber", which comes first',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}"
            "{% for call in m.tool_calls or [] %}{{ call.function | tojson }}{% endfor %}<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        told: set[Severity] = set()
        for name in CONVERSATIONS:
            render = template.render(name, generation_prompt=True)
            for early, late in _swapped(render):
                moved = any(said.role in INSTRUCTIONS for said in (early, late))
                severity = Severity.INFO if moved else self.severity
                if severity not in told:
                    told.add(severity)
                    yield _problem(render, early, late, severity)


def _swapped(render: Render) -> Iterator[tuple[Said, Said]]:
    """Pairs of texts of which the second one comes first in the conversation, and not in the prompt."""
    if render.text is None or render.recipe is None:
        return
    texts = spoken(render.recipe.conversation)
    said = [Said(role, text, render.text.index(text)) for role, text in texts if render.text.count(text) == 1]
    for first, second in combinations(said, 2):
        if second.start < first.start and not first.role == second.role == "tool":
            yield second, first


def _problem(render: Render, early: Said, late: Said, severity: Severity) -> Problem:
    return Problem(
        f"the {early.role} message {quoted(early.text)} stands before the {late.role} message {quoted(late.text)},"
        " which comes first",
        help="write the messages in the order in which they are given",
        severity=severity,
        render=render,
        shows=early.span,
        related=(Related(f"the {late.role} message is written here", render=render, shows=late.span),),
    )
