from __future__ import annotations

from collections.abc import Iterator

from tpllint import QUESTION, RESULT, SECOND_RESULT, Bad, Good, Problem, Rule, Severity, Template, quoted

RESULTS = (RESULT, SECOND_RESULT)
OTHER_ROLES = ("ipython", "function", "observation", "tool_response", "tool_result")
TOOLS = "{% if tools %}<|tools|>{{ tools | tojson }}<|end|>{% endif %}"


class ToolResultDropped(Rule):
    """A tool's result vanishes from the history.

    ## What it does
    Renders a call and its result, and two calls and theirs, in the form in which the template takes calls, and looks for the
    text of the results. A loss is an error where the template renders tools or calls, else information. Where the text shows
    under another role than `tool`, the message names it.

    Results as lists of parts are `typed-tool-result-repr`. A template that refuses the role drops nothing.

    ## Why is this bad
    The model called a tool and never learns what came back. It calls again, or makes up the result.

    ## References
    - [transformers: tool use](https://huggingface.co/docs/transformers/chat_extras)
    """

    code = "TPL403"
    name = "tool-result-dropped"
    category = "tools"
    severity = Severity.ERROR
    examples = (
        Bad(
            TOOLS + "{% for m in messages %}{% if m.role in ['user', 'assistant'] %}<|{{ m.role }}|>{{ m.content or '' }}"
            "{{ (m.tool_calls or '') | tojson }}<|end|>{% endif %}{% endfor %}",
            says='a tool\'s result "result-iris" vanishes from the prompt without an error',
            better=TOOLS + "{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}"
            "{{ (m.tool_calls or '') | tojson }}<|end|>{% endfor %}",
        ),
        Bad(
            TOOLS + "{% for m in messages %}{% if m.role in ['user', 'assistant', 'ipython'] %}<|{{ m.role }}|>"
            "{{ m.content or '' }}{{ (m.tool_calls or '') | tojson }}<|end|>{% endif %}{% endfor %}",
            says='a tool\'s result "result-iris" vanishes from the prompt without an error; the role "ipython" shows it',
        ),
        Good(
            TOOLS + "{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no results') }}{% endif %}"
            "<|{{ m.role }}|>{{ m.content or '' }}<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if not template.text.strip():
            return  # empty-template-shadows tells that nothing is rendered
        histories = template.tool_histories
        found = histories.history("tool-result", *RESULTS[:1])
        if found.status == "dropped":
            found = histories.history("tool-loop", *RESULTS[:1])
        elif histories.usual:
            found = histories.history("two-calls-two-results", *RESULTS)
        if found.lost is None or (histories.in_use and QUESTION not in (found.render.text or "")):
            return  # the loss of every message is role-dropped's to tell
        other = _other_role(template)
        yield Problem(
            f"a tool's result {quoted(found.lost)} vanishes from the prompt without an error"
            + (f"; the role {quoted(other)} shows it" if other else ""),
            help="write the messages of the role tool, or refuse them with raise_exception",
            severity=Severity.ERROR if histories.in_use else Severity.INFO,
            render=found.render,
            lost=found.lost,
        )


def _other_role(template: Template) -> str | None:
    """The role under which the template shows a result, if it is not `tool`."""
    loop = template.tool_histories.conversation("tool-result")
    for role in OTHER_ROLES:
        if f"'{role}'" not in template.text and f'"{role}"' not in template.text:
            continue
        text = template.render_conversation(loop.with_message(2, role=role), generation_prompt=True).text
        if RESULTS[0] in (text or ""):
            return role
    return None
