from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Completion, Good, Problem, Reply, Rule, Severity, Template, quoted

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TINY = 16
"""Tokens: an answer that could not be longer tells nothing by being cut off."""


class CompletionEmpty(Rule):
    """The model has nothing to say to a prompt.

    ## What it does
    Looks for answers with nothing in them but blanks, or blanks and reasoning that was opened and closed at once. An answer
    that the conversation itself has begun may be at its end already, and is not looked at; nor is one that was cut off after
    a few tokens.

    ## Why is this bad
    Most often the prompt already ends as an answer ends: the generation prompt is missing, or what stands in its place closes a
    turn. The model stops at once, and callers get an empty text without an error.

    ## References
    - [transformers: generation prompts](https://huggingface.co/docs/transformers/chat_templating)
    """

    code = "TPL951"
    name = "completion-empty"
    category = "generation"
    severity = Severity.ERROR
    judges_replies = True
    examples = (
        Bad(
            TEMPLATE,
            replies=(Reply("user", "\n", "<|im_end|>", tokens=2, limit=64),),
            says='the model answers with nothing: "\\n", and then "<|im_end|>"',
        ),
        Bad(
            TEMPLATE,
            replies=(
                Reply("user", "\n" * 64, None, tokens=64, limit=64),
                Reply("system-user", "PARIS", "<|im_end|>", tokens=2, limit=64),
            ),
            says="the model answers with nothing: blanks up to its limit of 64 tokens, in 1 of 2 answers",
        ),
        Good(TEMPLATE, replies=(Reply("user", "5", "<|im_end|>", tokens=2, limit=64),)),
        Good(TEMPLATE, replies=(Reply("user-assistant", "", "<|im_end|>", tokens=1, limit=64),)),
        Good(TEMPLATE, replies=(Reply("user", "\n\n", None, tokens=2, limit=2),)),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        completions = template.completions
        empty = [one for one in completions.all if not one.continues and _is_empty(one)]
        if empty:
            first = empty[0]
            yield Problem(
                f"the model answers with nothing: {_told(first)}{completions.among(empty)}",
                severity=None if 2 * len(empty) > len(completions.all) else Severity.WARNING,
                help="compare what this prompt ends with and how answers open in the format that the model was trained on",
                render=first.render,
            )


def _is_empty(completion: Completion) -> bool:
    cut_off = completion.stop is None and completion.reply.limit < TINY
    return not cut_off and not completion.without_reasoning_tags.strip() and not completion.in_reasoning


def _told(completion: Completion) -> str:
    if completion.stop is None:
        return f"blanks up to its limit of {completion.reply.limit} tokens"
    return f"{quoted(completion.text)}, and then {quoted(completion.stop)}"
