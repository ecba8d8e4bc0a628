from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tpllint import ANSWER, SECOND_ANSWER, THOUGHT, Bad, Good, Problem, Rule, Severity, Template


class Case(NamedTuple):
    """A conversation whose last answer is continued: the answer's last words, and its reasoning."""

    conversation: str
    what: str
    ends: str
    reasoning: str | None = None


CASES = (
    Case("user-assistant", "an answer", ANSWER),
    Case("content-many-lines", "an answer of several paragraphs", SECOND_ANSWER),
    Case("think-tags-last", "an answer that begins with its reasoning", ANSWER, THOUGHT),
)
RAISES = "the template changes or drops a part of the last message, and continue_final_message raises"
REFUSAL = "ValueError"
"""What transformers raises where it cannot find the last message in the prompt."""


class ContinueFinalMessageBroken(Rule):
    """An answer that was begun cannot be continued.

    ## What it does
    Renders a last answer as `continue_final_message=True` does: one line, several paragraphs, and reasoning between the
    template's own think tags followed by words. It is reported where transformers then raises because the template changed or
    dropped the answer, and where the prompt does not end with it. It is information where only an answer with its reasoning
    in it is concerned: some models are made to hide it, and few callers continue such an answer.

    Nothing is said of a template that merely sets the reasoning in other blanks, since the model's own way to write it may
    well survive, of one that shows no answers at all (`role-dropped`), and of trimmed blanks (`content-whitespace-changed`).

    ## Why is this bad
    Prefilled answers, the button that continues a reply that was cut off, and scoring of completions raise, or go on from
    another text than the one that was sent.

    ## References
    - [transformers: continuing a final message](https://huggingface.co/docs/transformers/chat_templating)
    """

    code = "TPL312"
    name = "continue-final-message-broken"
    category = "content"
    severity = Severity.WARNING
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content.split('</think>')[-1] }}<|end|>{% endfor %}",
            says="an answer that begins with its reasoning cannot be continued: "
            "the template changes or drops a part of the last message, and continue_final_message raises",
            better="{% for m in messages %}<|{{ m.role }}|>"
            "{{ m.content if loop.last else m.content.split('</think>')[-1] }}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}{{ m.role | upper }}: {{ m.content.replace('\\n\\n', '\\n') }}\n\n{% endfor %}",
            says="an answer of several paragraphs cannot be continued: "
            "the template changes or drops a part of the last message, and continue_final_message raises",
            better="{% for m in messages %}{{ m.role | upper }}: {{ m.content }}\n\n{% endfor %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if ANSWER not in (template.render("user-assistant-user").text or ""):
            return
        for case in CASES:
            why = _why_broken(template, case)
            if why is not None:
                yield Problem(
                    f"{case.what} cannot be continued: {why}",
                    help="write the content of the last message as it was sent",
                    severity=Severity.INFO if case.reasoning else None,
                    render=template.reasoning.render(case.conversation),
                    shows=case.ends,
                )
                return


def _why_broken(template: Template, case: Case) -> str | None:
    """What happens to the answer; None where it can be continued and where there is no verdict."""
    plain = template.reasoning.render(case.conversation).text
    if plain is None or (case.reasoning is not None and case.reasoning in plain):
        return None
    if case.conversation == "content-many-lines" and template.anatomy.reads_parts_only:
        return None
    continued = template.continued(template.reasoning.conversation(case.conversation))
    if continued.text is None:
        return RAISES if continued.error is not None and continued.error.type == REFUSAL else None
    return None if continued.text.rstrip().endswith(case.ends) else "the prompt does not end with it"
