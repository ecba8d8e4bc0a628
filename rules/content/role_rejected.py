from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, RenderError, Rule, Severity, Template, quoted

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

    Nothing is said where the role has no part in it: where a plain chat fails as well (`template-render-error`), or where tools
    fail without any call or a call renders in another form (`dict-arguments-crash`). Of a template that renders no plain chat
    and asks for no role of a chat, as those that score documents do, only that is told.

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
        Bad(
            "{{ (messages | selectattr('role', 'eq', 'query') | first).content }}: "
            "{{ (messages | selectattr('role', 'eq', 'document') | first).content }}",
            says='the template takes no chat: it reads no roles but "query" and "document"',
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for call in m.tool_calls or [] %}"
            "{{ '<call>' + call.function.arguments }}{% endfor %}<|end|>{% endfor %}"
        ),
        Good("{% for m in messages %}{{ prefix.role + m.role + m.content }}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.failure is not None:
            return
        if (foreign := template.anatomy.foreign_roles) and template.anatomy.user_end is None:
            yield Problem(
                f"the template takes no chat: it reads no roles but {' and '.join(map(quoted, foreign))}",
                help="nothing, if that is what callers send",
                render=template.render("user"),
            )
            return
        for name, what in CASES.items():
            render = template.render(name, generation_prompt=True)
            error = render.error
            if error is None or error.kind not in ("raised", "error"):
                continue
            if name == "user" and error.kind == "error":
                return  # template-render-error says it, and no role has a part in it
            if error.kind == "error" and (name == "system-user" or _is_of_something_else(template, name, error)):
                continue
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


def _is_of_something_else(template: Template, name: str, error: RenderError) -> bool:
    """Whether tools fail without a call as well, or a call renders in another form: other rules say it."""
    if name != "tool-loop":
        return False
    declared = template.render("tools-declared", generation_prompt=True).error
    return template.tool_histories.usual is not None or (declared is not None and declared.message == error.message)


def _severity(template: Template, name: str, message: str) -> Severity | None:
    contradicts_itself = name == "system-user" and "system" not in message.lower() and template.anatomy.has_system_branch
    refuses_all = name == "user" and template.name == "default"
    return Severity.WARNING if refuses_all or contradicts_itself else None
