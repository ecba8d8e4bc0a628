from __future__ import annotations

import re
from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template, fails_alike, quoted

CASES = {
    "user": "a plain chat",
    "user-assistant-user": "a plain chat",
    "system-user": "a chat with a system message",
    "tools-declared": "a chat with tools",
}
CHOSEN_FOR = {"tools-declared": "tool_use", "user": "", "user-assistant-user": "", "system-user": ""}
UNKNOWN_NAME = re.compile(r"No (?:filter|test) named '(.*)'")


class TemplateRenderError(Rule):
    """A plain chat makes the template fail.

    ## What it does
    Renders one user message, a user, assistant, user chat, a system message before a user's, and a user message with a tool
    declared; content is text or, where the template reads only that, lists of parts. When one fails, and not because the
    template refuses with `raise_exception`, Jinja's error and its place are reported. A template that is not the default is
    judged only where transformers picks it: `tool_use` with tools. A conversation given with `--conversation` has to render
    in any case.

    Where nothing is missing but a text that the caller may pass, such as `guideline`, the message names it. Nothing is said of
    templates that ask for no role of a chat (`role-rejected`).

    ## Why is this bad
    The model cannot be talked to: the simplest request raises.

    ## References
    - [transformers: chat templates](https://huggingface.co/docs/transformers/chat_templating)
    """

    code = "TPL016"
    name = "template-render-error"
    category = "syntax"
    severity = Severity.ERROR
    judges_failures = True
    examples = (
        Bad(
            "{% for tool in tools %}{{ tool.name }}{% endfor %}{% for message in messages %}{{ message.content }}{% endfor %}",
            says="a plain chat does not render: 'NoneType' object is not iterable",
            better="{% for tool in tools or [] %}{{ tool.name }}{% endfor %}"
            "{% for message in messages %}{{ message.content }}{% endfor %}",
        ),
        Bad(
            "{% for message in messages %}{{ prefix[message.role] + message.content }}{% endfor %}",
            says="a plain chat does not render: 'prefix' is undefined",
            better="{% set prefix = {'user': 'U: ', 'assistant': 'A: '} %}"
            "{% for message in messages %}{{ prefix.get(message.role, '') + message.content }}{% endfor %}",
        ),
        Bad(
            "{% for message in messages %}{{ guideline + '\\n' + message.content }}{% endfor %}",
            says='a plain chat does not render unless the caller passes "guideline"',
            better="{% for message in messages %}{{ guideline | default('') }}\n{{ message.content }}{% endfor %}",
        ),
        Good("{% for message in messages %}{{ raise_exception('not today') }}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.failure is not None:
            return
        if not template.anatomy.foreign_roles:
            yield from _plain(template)
        yield from _own(template)


def _plain(template: Template) -> Iterator[Problem]:
    """The first plain chat that fails."""
    for name, what in CASES.items():
        if template.name not in ("default", CHOSEN_FOR[name]):
            continue  # transformers picks it only where it is asked for
        render = template.render(name, generation_prompt=True)
        error = render.error
        if error is None or error.kind != "error" or _is_told_elsewhere(template, error.message):
            continue
        required = template.required_variables if name == "user" else ()
        if required:
            yield Problem(
                f"{what} does not render unless the caller passes {' and '.join(map(quoted, required))}",
                help="give it a default: {{ x | default(...) }}",
                render=render,
            )
            return
        yield Problem(
            f"{what} does not render: {error.message}",
            help="check the name, and test what may be absent before it is used: without tools, tools is none",
            render=render,
            holds=fails_alike(render),
        )
        return


def _is_told_elsewhere(template: Template, message: str) -> bool:
    """Whether a static rule names the cause: a loader statement, or a filter or test that is written out."""
    unknown = UNKNOWN_NAME.match(message)
    if unknown is None or template.syntax is None:
        return message.startswith("no loader for this environment")
    nodes = template.syntax.find("Filter", "Test")
    return any(unknown[1] in (node.name, *(getattr(value, "value", None) for value in node.args or ())) for node in nodes)


def _own(template: Template) -> Iterator[Problem]:
    """Conversations that the user brought have to render; there a refusal is a failure too."""
    for conversation in template.own_conversations:
        render = template.render_conversation(conversation, generation_prompt=True)
        if render.error is not None and render.error.kind != "limit":
            yield Problem(
                f"the conversation does not render: {render.error.message}",
                help="change the template, or what is sent to it",
                render=render,
                holds=fails_alike(render),
            )
