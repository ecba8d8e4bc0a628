from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Render, Rule, Severity, Template, quoted

CASES = {
    "two-users-in-a-row": "two user messages in a row",
    "two-assistants-in-a-row": "two answers in a row",
}


class StrictAlternation(Rule):
    """The template refuses consecutive messages of the same role.

    ## What it does
    Renders two user messages in a row, and two answers in a row, where an ordinary chat renders, and tells what raises. This
    is information: some models were trained on nothing else.

    ## Why is this bad
    Group chats, agents that write twice, few-shot examples and a user who sends a second message get an error, and each
    caller has to merge messages.

    ## References
    - [llama_index issue 11731](https://github.com/run-llama/llama_index/issues/11731)
    """

    code = "TPL314"
    name = "strict-alternation"
    category = "content"
    severity = Severity.INFO
    only_infos = True
    examples = (
        Bad(
            "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
            "{{ raise_exception('roles must alternate') }}{% endif %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says='the template refuses two user messages in a row and two answers in a row: "roles must alternate"',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Good(
            "{% for m in messages %}{% if m.role not in ['user', 'assistant'] %}{{ raise_exception('no such role') }}"
            "{% endif %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.render("user-assistant-user").text is None:
            return
        refused = [name for name in CASES if _is_refused(template.render(name))]
        for name in refused[:1]:
            render = template.render(name)
            yield Problem(
                f"the template refuses {' and '.join(CASES[name] for name in refused)}: "
                f"{quoted(render.error.message if render.error else '')}",
                help="render every message as a turn of its own, or merge the messages of one role",
                render=render,
            )


def _is_refused(render: Render) -> bool:
    """Whether the template itself ends the render; bounds and the sandbox are no answer of its own."""
    return render.error is not None and render.error.kind in ("raised", "error")
