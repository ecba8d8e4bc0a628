from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tpllint import CLOSING_MARKER, Bad, Good, Problem, Rule, Severity, Template, common_suffix, quoted

FLAG = "add_generation_prompt"


class GenerationPromptUnconditional(Rule):
    """The assistant's header is appended even when no generation prompt is asked for.

    ## What it does
    Renders a finished conversation, the last word being the assistant's, without the generation prompt. If its end is the
    header that introduces an answer, and that is not how an answer ends when another message follows, the header is appended
    unconditionally. An assignment of true to `add_generation_prompt` inside the template is the same defect. It is a warning
    where the header comes after every user message, whatever the flag says, and formats in which nothing but the closer of
    the user's turn stands before an answer (`[INST] ... [/INST] answer`) are fine.

    ## Why is this bad
    Training text ends every sample with the start of an answer that is not there, and a conversation that is continued or
    scored ends in the wrong place.

    ## References
    - [transformers issue 30893](https://github.com/huggingface/transformers/issues/30893)
    """

    code = "TPL102"
    name = "generation-prompt-unconditional"
    category = "generation-prompt"
    severity = Severity.ERROR
    examples = (
        Bad(
            "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            "{{ '<|im_start|>assistant\\n' }}",
            says=r'"<|im_start|>assistant\n" is appended although no generation prompt was asked for',
            better="{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
        ),
        Bad(
            "{% set add_generation_prompt = true %}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}"
            "{% if add_generation_prompt and messages[-1].role == 'user' %}<|assistant|>{% endif %}",
            says=r'"\n<|assistant|>" is appended because the template sets add_generation_prompt to true itself',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% if m.role == 'user' %}<|assistant|>{% endif %}"
            "{% endfor %}",
            says='"<|assistant|>" is appended after every user message, asked for or not',
        ),
        Good("<chat>{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}</chat>"),
        Good(
            "{% if add_generation_prompt is not defined %}{% set add_generation_prompt = true %}{% endif %}"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}"
        ),
        Good(
            "{% for m in messages %}{% if m.role == 'user' %}Q: {{ m.content }}\nA:{% else %}"
            " {{ m.content }}</s>\n{% endif %}{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        anatomy = template.anatomy
        user_end, opening, end, between = (
            anatomy.user_end,
            anatomy.assistant_opening,
            anatomy.assistant_end,
            anatomy.between_rounds,
        )
        if user_end is None or opening is None or end is None or between is None or user_end != anatomy.prompted_end:
            return
        header = _header(end, user_end, anatomy.assistant_closer or "")
        after_the_closer = _after_the_closer(user_end, anatomy.assistant_closer)
        if _opens(header, opening) and not between.startswith(end.rstrip()):
            yield _problem(template, header, "although no generation prompt was asked for")
        elif (switch := _switched_on(template)) and not CLOSING_MARKER.match(user_end.strip()):
            yield _problem(template, user_end, "because the template sets add_generation_prompt to true itself")._replace(
                place=template.syntax.place(switch) if template.syntax else None,
            )
        elif _opens(after_the_closer, opening):
            where = "after every user message, asked for or not"
            yield _problem(template, after_the_closer, where, Severity.WARNING, "user")


def _problem(
    template: Template, header: str, why: str, severity: Severity | None = None, conversation: str = "user-assistant"
) -> Problem:
    return Problem(
        f"{quoted(header)} is appended {why}",
        help="put it inside {% if add_generation_prompt %} ... {% endif %}, after the loop over the messages",
        severity=severity,
        render=template.render(conversation),
        shows=header.lstrip(),
    )


def _header(end: str, user_end: str, closer: str) -> str:
    """What an answer ends with as a user's turn does, less what closes an answer that another message follows."""
    alike = end[len(end) - common_suffix(end, user_end) :]
    return min(alike.removeprefix(closer), end.removeprefix(closer), key=len)


def _opens(text: str, opening: str) -> bool:
    """Whether a text is, as far as its first line tells, the header that introduces an answer in the history."""
    return bool(text.strip()) and text.strip().split("\n")[0] in opening


def _after_the_closer(user_end: str, closer: str | None) -> str:
    """What follows the end-of-turn marker of a user's turn, where user and assistant turns end alike."""
    return user_end.removeprefix(closer) if closer and closer.strip() and user_end.startswith(closer) else ""


def _switched_on(template: Template) -> Any:
    """Where the template sets the flag to true, other than as a default for callers that do not pass it; None elsewhere."""
    if template.syntax is None:
        return None
    defaults = [node for node in template.syntax.find("If") if _mentions_the_flag(node.test)]
    guarded = {id(node) for branch in defaults for part in branch.body for node in [part, *part.find_all(type(part))]}
    settings = (node for node in template.syntax.find("Assign") if getattr(node.target, "name", None) == FLAG)
    return next((node for node in settings if getattr(node.node, "value", None) is True and id(node) not in guarded), None)


def _mentions_the_flag(test: Any) -> bool:
    names = [test, *getattr(test, "nodes", ()), getattr(test, "node", None), getattr(getattr(test, "node", None), "node", None)]
    return any(getattr(name, "name", None) == FLAG for name in names)
