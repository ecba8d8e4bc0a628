from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from tpllint import THINKING, Bad, Good, Problem, Render, Rule, Severity, Template, quoted, spoken


class Case(NamedTuple):
    """A conversation in which a message of a role must show, how bad it is if it does not, and how to name it."""

    conversation: str
    role: str
    severity: Severity
    what: str


CASES = (
    Case("user", "user", Severity.ERROR, "the user's message"),
    Case("user-assistant-user", "user", Severity.ERROR, "a user message"),
    Case("user-assistant-user", "assistant", Severity.ERROR, "the assistant's earlier answer"),
    Case("system-user", "system", Severity.ERROR, "the system message"),
    Case("system-user-assistant-user", "system", Severity.ERROR, "the system message of a longer chat"),
    Case("system-only", "system", Severity.INFO, "a system message on its own"),
    Case("system-in-the-middle", "system", Severity.INFO, "a system message in the middle"),
    Case("developer-user", "developer", Severity.INFO, "a developer message"),
    Case("unknown-role", "moderator", Severity.INFO, "a message of an unknown role"),
)


SPEAKERS = ("system", "user", "assistant")


class RoleDropped(Rule):
    """A message vanishes without an error.

    ## What it does
    Renders conversations whose every text is unique, and looks for each text in the prompt. A loss of the system message, of a
    user message or of an earlier answer is an error; of a developer message, a later system message or an unknown role,
    information. A template that refuses with `raise_exception` drops nothing. Tool calls and their results have rules of
    their own, `tool-calls-dropped` and `tool-result-dropped`.

    A chat that fails because content is text is asked for with content in parts.

    ## Why is this bad
    The model answers without having read what it was told, and nobody is told.

    ## References
    - [chat_templates issue 25](https://github.com/chujiezheng/chat_templates/issues/25)
    - [sglang issue 40082](https://github.com/sgl-project/sglang/issues/40082)
    """

    code = "TPL301"
    name = "role-dropped"
    category = "content"
    severity = Severity.ERROR
    vets = True
    examples = (
        Bad(
            "{% for m in messages %}{% if m.role != 'system' %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endif %}{% endfor %}",
            says='the system message "instruction-cedar" vanishes from the prompt without an error',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ content }}<|end|>{% endfor %}",
            says='the user\'s message "question-amber" vanishes from the prompt without an error',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% if messages[0].role == 'system' %}{% set system = messages[0].content[0].text + '\\n' %}"
            "{% set rest = messages[1:] %}{% else %}{% set system, rest = '', messages %}{% endif %}"
            "{% for m in rest %}{{ system }}<|{{ m.role }}|>{{ m.content }}<|end|>{% set system = '' %}{% endfor %}",
            says='a system message on its own "instruction-cedar" vanishes from the prompt without an error',
        ),
        Good(
            "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system message, please') }}{% endif %}"
            "{{ m.content }}<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if not template.text.strip() or template.anatomy.foreign_roles:
            return  # that it is empty says it all, and role-rejected tells of those that take no chat
        told: set[str] = set()
        for case in CASES:
            lost = None if case.role in told and case.severity is not Severity.INFO else _lost(template, case)
            if lost is None:
                continue
            told.add(case.role)
            yield Problem(
                f"{case.what} {quoted(lost)} vanishes from the prompt without an error",
                help="render it, or refuse it with raise_exception so that the caller knows",
                severity=case.severity,
                render=(render := _render(template, case)),
                place=template.place_of_loss(render, lost),
            )
            if case.conversation == "user":
                break  # then nothing else shows either
        yield from _lost_of_own(template)


def _shows(text: str, word: str) -> bool:
    """Whether a text is in the prompt, also in other letters: to rewrite is not to drop."""
    return word in text or word.casefold() in text.casefold()


def _lost_of_own(template: Template) -> Iterator[Problem]:
    """Conversations that the user brought: what the system, the user or the assistant says there has to show.

    Templates take an answer with reasoning in it apart on purpose.
    """
    for conversation in template.own_conversations:
        render = template.render_conversation(conversation, generation_prompt=True)
        text = render.text
        for role, word in spoken(conversation):
            if text is not None and role in SPEAKERS and not (_shows(text, word) or THINKING.search(word)):
                yield Problem(
                    f"a message of the role {role}, {quoted(word)}, vanishes from the prompt without an error",
                    help="render it, or refuse it with raise_exception so that the caller knows",
                    render=render,
                    place=template.place_of_loss(render, word),
                    holds=partial(_loses, role, word),
                )


def _loses(role: str, word: str, render: Render) -> bool:
    """Whether a prompt does not show what somebody says in the conversation."""
    if render.text is None or render.recipe is None or _shows(render.text, word):
        return False
    return (role, word) in spoken(render.recipe.conversation)


def _render(template: Template, case: Case) -> Render:
    """The conversation through the template or, where it fails on content that is text, with content in parts."""
    render = template.render(case.conversation, generation_prompt=True)
    if render.error is None or render.error.kind != "error":
        return render
    parts = template.render_conversation(template.conversation(case.conversation).in_parts(), generation_prompt=True)
    return render if parts.text is None else parts


def _lost(template: Template, case: Case) -> str | None:
    """The first text of the role that is not in the prompt; None where all are there or the render raises."""
    conversation = template.conversation(case.conversation)
    text = _render(template, case).text
    if text is None:
        return None
    return next((word for role, word in spoken(conversation) if role == case.role and not _shows(text, word)), None)
