from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tpllint import Bad, Good, Problem, Rule, Severity, Template, quoted

CASES = {
    "user": "a plain chat",
    "system-user": "a system message",
    "system-only": "a system message on its own",
    "system-in-the-middle": "a system message in the middle",
    "system-twice": "two system messages",
    "developer-user": "a developer message",
    "unknown-role": "an unknown role",
    "assistant-first": "an assistant message before any user message",
    "tool-loop": "a tool call and its result",
}


class RoleRejected(Rule):
    """The template refuses a role or an order of roles.

    ## What it does
    Records which conversations raise, and with which words. This is information: to refuse is
    better than to drop. It is a warning where a plain chat is refused, and where the template has a branch for the system
    role and yet refuses a leading system message for another reason.

    ## Why is this bad
    Callers that send such a conversation get an error. If the words do not name the reason, they search in the wrong place.

    ## References
    - [llama.cpp issue 20733](https://github.com/ggml-org/llama.cpp/issues/20733)
    - [lm-evaluation-harness issue 2069](https://github.com/EleutherAI/lm-evaluation-harness/issues/2069)
    """

    code = "TPL302"
    name = "role-rejected"
    category = "content"
    severity = Severity.INFO
    judges_failures = True
    examples = (
        Bad(
            "{% for m in messages %}{% if m.role not in ['user', 'assistant'] %}"
            "{{ raise_exception('only user and assistant') }}{% endif %}{{ m.content }}<|end|>{% endfor %}",
            says='the template refuses a developer message: "only user and assistant"',
        ),
        Bad(
            "{% if messages[0].role == 'system' %}{{ messages[0].content }}{% endif %}{% for m in messages %}"
            "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
            "{{ m.content }}<|end|>{% endfor %}",
            says='the template refuses a system message, for which it has a branch: "roles must alternate"',
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.failure is not None:
            return
        for name, what in CASES.items():
            render = template.render(name, generation_prompt=True)
            error = render.error
            if error is None or error.kind not in ("raised", "error"):
                continue
            if name in ("user", "system-user") and error.kind == "error":
                continue  # template-render-error says it
            if name == "tool-loop" and template.tool_histories.strings_only:
                continue  # dict-arguments-crash says it
            severity = _severity(template, name, error.message)
            branch = ", for which it has a branch" if name != "user" and severity is Severity.WARNING else ""
            verb = "refuses" if error.kind == "raised" else "fails on"
            yield Problem(
                f"the template {verb} {what}{branch}: {quoted(error.message)}",
                help="render the role, or refuse it with words that name it",
                severity=severity,
                render=render,
            )
            if name == "user":
                return


def _severity(template: Template, name: str, message: str) -> Severity | None:
    contradicts_itself = name == "system-user" and "system" not in message.lower() and _has_system_branch(template)
    refuses_all = name == "user" and template.name == "default"
    return Severity.WARNING if refuses_all or contradicts_itself else None


def _has_system_branch(template: Template) -> bool:
    """Whether some condition asks for the system role and then does something else than to refuse it."""
    if template.syntax is None:
        return False
    branches = (node for node in template.syntax.find("If", "CondExpr") if _asks_for_system(node.test))
    return any(not _refuses(node) for node in branches)


def _asks_for_system(test: Any) -> bool:
    compared = (operand.expr for node in _below(test, "Compare") for operand in node.ops if operand.op == "eq")
    return any(getattr(value, "value", None) == "system" for value in compared)


def _refuses(branch: Any) -> bool:
    body = branch.body if isinstance(branch.body, list) else []
    return any(getattr(call.node, "name", None) == "raise_exception" for part in body for call in _below(part, "Call"))


def _below(node: Any, kind: str) -> Iterator[Any]:
    if type(node).__name__ == kind:
        yield node
    for child in node.iter_child_nodes():
        yield from _below(child, kind)
