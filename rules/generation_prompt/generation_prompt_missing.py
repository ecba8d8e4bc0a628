from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tpllint import (
    Anatomy,
    Bad,
    Edit,
    Good,
    Place,
    Problem,
    Related,
    Rewrite,
    Rule,
    Severity,
    Template,
    before_thinking,
    common_suffix,
    quoted,
)

LEAKED = re.compile(r"^[ \t]{2,}")
"""Indentation of the source, and no part of the header."""
ASSISTANT = "assistant"


class GenerationPromptMissing(Rule):
    """add_generation_prompt changes nothing, and the model must write the assistant's header itself.

    ## What it does
    Renders a user message with and without the generation prompt. If both are the same, and an answer in the history is
    introduced by text that neither holds, that text is missing. Formats in which the answer follows the user turn directly
    (`[INST] ... [/INST] answer`) need no generation prompt and are fine, and nothing is said of a header that stands before the
    user's messages too: it does not tell who speaks. That the flag works only after a user's message is information.

    Of a template that fails on a plain chat the source decides: where every message opens with its own role, nothing names the
    assistant and add_generation_prompt is never read, the header is missing from every prompt that a repair could bring about.

    ## Why is this bad
    A model that is asked to continue after a finished user turn may go on writing the user's text, open any role, or stop at
    once.

    ## References
    - [transformers: what are generation prompts?](https://huggingface.co/docs/transformers/chat_templating)
    - [instructlab issue 233](https://github.com/instructlab/instructlab/issues/233)
    - [unsloth issue 1404](https://github.com/unslothai/unsloth/issues/1404)
    """

    code = "TPL101"
    name = "generation-prompt-missing"
    category = "generation-prompt"
    severity = Severity.ERROR
    examples = (
        Bad(
            "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}",
            says="add_generation_prompt adds nothing, so the model has to write "
            r'"<|im_start|>assistant\n" itself',
            better="{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\n"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
        ),
        Bad(
            "{% set seen = [] %}{% for m in messages %}{% set _ = seen.append(m.role) %}<|{{ m.role }}|>{{ m.content }}"
            "{% endfor %}",
            says="add_generation_prompt is never read although every message opens with its role, so the model has to write "
            "the header of its answer itself",
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        ),
        Good(
            "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %}"
            " {{ m.content }}</s>{% endif %}{% endfor %}"
        ),
        Good("{% for m in messages %}<start>{{ m.content }}<end>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        anatomy = template.anatomy
        user_end, prompted = anatomy.user_end, anatomy.prompted_end
        if user_end is None or prompted is None:
            yield from _decided_by_the_source(template)
            return
        if user_end != prompted and prompted.strip():
            yield from _ignored_after_an_answer(template)
            return
        missing = before_thinking(_missing(anatomy, prompted))
        header = LEAKED.sub("", missing).rstrip(" ")
        block = f"{{% if add_generation_prompt %}}{{{{ {_literal(header)} }}}}{{% endif %}}"
        if missing.strip() and not (anatomy.beginning or "").endswith(missing):
            yield Problem(
                f"add_generation_prompt adds nothing, so the model has to write {quoted(missing)} itself",
                help=f"end the template with {block}",
                render=template.render("user", generation_prompt=True),
                related=(_header(template, missing),),
                fix=Rewrite((_appended(template.text, block),), gains=header),
            )


def _literal(text: str) -> str:
    """The text as Jinja and Python write it in single quotes, which JSON need not escape."""
    escaped = json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"'{escaped}'"


def _appended(text: str, block: str) -> Edit:
    """The block behind a template's last line, whose blanks would go with it; behind another one, in a line of its own."""
    before = text.rpartition("\n")[2]
    if before and not before.strip(" \t"):
        block = block.replace("{%", "{%+", 1)
    elif "\n" in text and before.endswith("%}"):
        block = f"\n{block}"
    return Edit(Place(len(text), len(text)), block)


def _header(template: Template, missing: str) -> Related:
    """Where the header of an answer in the history is written."""
    _, (start, opening), _ = template.anatomy.placed_gaps("user-assistant") or ()
    begin = start + opening.index(missing)
    span = (begin, begin + len(missing))
    return Related("answers in the history open here", render=template.render("user-assistant"), shows=span)


def _missing(anatomy: Anatomy, user_end: str) -> str:
    """What stands before an answer in the history and after nothing else; empty where the header is always there."""
    opening, end = anatomy.assistant_opening or "", anatomy.assistant_end or ""
    always_there = common_suffix(end, user_end) > 0 and not (anatomy.between_rounds or "").startswith(end.rstrip())
    return "" if always_there or not opening.startswith(user_end) else opening.removeprefix(user_end)


def _ignored_after_an_answer(template: Template) -> Iterator[Problem]:
    """A flag that counts only where the user spoke last."""
    plain, prompted = template.render("user-assistant"), template.render("user-assistant", generation_prompt=True)
    if plain.text is not None and plain.text == prompted.text:
        yield Problem(
            "add_generation_prompt adds something after a user's message, and nothing after an answer",
            help="let add_generation_prompt depend on nothing but its own value",
            severity=Severity.INFO,
            render=prompted,
        )


def _decided_by_the_source(template: Template) -> Iterator[Problem]:
    """Where a plain chat fails: what is missing whatever becomes of the failure."""
    error = template.render("user").error
    if template.syntax is None or error is None or error.kind not in ("error", "sandbox"):
        return
    if "add_generation_prompt" in template.text or ASSISTANT in template.text.casefold():
        return
    written = (node for output in template.syntax.find("Output") for node in _values(output))
    role = next((node for node in written if _asked(node) == "role"), None)
    if role is None:
        return
    yield Problem(
        "add_generation_prompt is never read although every message opens with its role, so the model has to write the header "
        "of its answer itself",
        help="end the template with {% if add_generation_prompt %}, the header of an answer and {% endif %}",
        place=template.syntax.expression(role),
    )


def _values(node: Any) -> Iterator[Any]:
    """The parts of an expression whose values are written, and not only asked about or handed to a function."""
    if type(node).__name__ in ("Output", "Concat", "Add", "Getattr", "Getitem"):
        yield node
    if type(node).__name__ in ("Output", "Concat", "Add"):
        for child in node.iter_child_nodes():
            yield from _values(child)


def _asked(node: Any) -> Any:
    """The attribute or key that an expression reads."""
    return getattr(node, "attr", None) or getattr(getattr(node, "arg", None), "value", None)
