from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Related, Render, Rule, Severity, Template, quoted, spoken

CONVERSATIONS = (
    "user",
    "user-assistant-user",
    "system-user",
    "system-user-assistant-user",
    "two-users-in-a-row",
    "two-assistants-in-a-row",
    "system-in-the-middle",
    "tools-declared-with-system",
    "tool-loop-follow-up",
    "tool-loop-text-beside-call",
    "two-calls-loop",
    "reasoning-last",
    "reasoning-old",
)


class ContentDuplicated(Rule):
    """A message stands in the prompt twice.

    ## What it does
    Renders conversations whose every text is unique, and counts each text, and each piece of reasoning, in the prompt. The
    first message that stands there more than once is reported. Conversations that the user brought are not looked at: their
    texts may be part of each other.

    ## Why is this bad
    The model reads the same words as two messages, and they are paid for twice. Usually the first message is written before
    the loop, and the loop writes it again.

    ## References
    - [transformers: chat templates](https://huggingface.co/docs/transformers/chat_templating)
    """

    code = "TPL304"
    name = "content-duplicated"
    category = "content"
    severity = Severity.WARNING
    vets = True
    examples = (
        Bad(
            "{% if messages[0].role == 'system' %}<|system|>{{ messages[0].content }}<|end|>{% endif %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says='the system message "instruction-cedar" stands in the prompt twice',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>"
            "{% endif %}{% if m.thinking %}<think>{{ m.thinking }}</think>{% endif %}{{ m.content }}<|end|>{% endfor %}",
            says='the reasoning "thought-russet" stands in the prompt twice',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>"
            "{% endif %}{{ m.content }}<|end|>{% endfor %}",
        ),
        Good(
            "{% if messages[0].role == 'system' %}<|system|>{{ messages[0].content }}<|end|>{% endif %}"
            "{% for m in messages if not (loop.first and m.role == 'system') %}"
            "{% if m.role != 'system' %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endif %}{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        told: set[str] = set()
        for name in CONVERSATIONS:
            render = template.render(name, generation_prompt=True)
            for what, text in _texts(render):
                if what not in told and (render.text or "").count(text) > 1:
                    told.add(what)
                    yield _problem(render, what, text)


def _texts(render: Render) -> Iterator[tuple[str, str]]:
    """What a message is called, and its text."""
    if render.recipe is None:
        return
    for role, text in spoken(render.recipe.conversation):
        yield f"{role} message", text
    for message in render.recipe.conversation.messages:
        if message.get("reasoning_content"):
            yield "reasoning", message["reasoning_content"]


def _said(render: Render) -> tuple[str, ...]:
    return tuple(text for _, text in _texts(render))


def _problem(render: Render, what: str, text: str) -> Problem:
    prompt = render.text or ""
    first = prompt.index(text)
    again = prompt.index(text, first + len(text))
    times = prompt.count(text)
    return Problem(
        f"the {what} {quoted(text)} stands in the prompt {'twice' if times == 2 else f'{times} times'}",
        help="write every message once",
        render=render,
        shows=(again, again + len(text)),
        holds=lambda other: (other.text or "").count(text) > 1 and text in _said(other),
        related=(Related("it is written here already", render=render, shows=(first, first + len(text))),),
    )
