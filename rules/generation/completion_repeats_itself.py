from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Completion, Good, Problem, Reply, Rule, Severity, Template, quoted

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MANY = 8
"""Times that an answer says the same which comes to an end all the same."""


class CompletionRepeatsItself(Rule):
    """The model says the same words over and over.

    ## What it does
    Looks for answers that end with the same words, letter by letter, at least four times in a row where they were cut off, and
    at least eight times where they came to an end: in both cases over forty characters or more, which are half of the answer.
    Repeated words without a letter or a digit, such as the rules of a table, do not count, nor do words that the conversation
    itself repeats.

    ## Why is this bad
    A model that is asked in the format that it knows rarely loops, even when it always takes the likeliest token. One that is
    asked in another does.

    ## References
    - [The Curious Case of Neural Text Degeneration](https://arxiv.org/abs/1904.09751)
    """

    code = "TPL955"
    name = "completion-repeats-itself"
    category = "generation"
    severity = Severity.WARNING
    judges_replies = True
    examples = (
        Bad(
            TEMPLATE,
            replies=(Reply("user", "Paris is " + "the capital of " * 15 + "the", None, tokens=64, limit=64),),
            says='the model writes "the capital of" 15 times in a row at the end of its answer',
        ),
        Bad(
            TEMPLATE,
            replies=(
                Reply("user", "user\n" * 32, None, tokens=64, limit=64),
                Reply("system-user", "user\n" * 32, None, tokens=64, limit=64),
                Reply("user-assistant-user", "Ada", "<|im_end|>", tokens=2, limit=64),
            ),
            says='the model writes "user" 32 times in a row at the end of its answer, in 2 of 3 answers',
        ),
        Good(TEMPLATE, replies=(Reply("user", "no, " * 12 + "never", "<|im_end|>", tokens=30, limit=64),)),
        Good(TEMPLATE, replies=(Reply("user", "| a | b |\n" + "|---|---|" * 12, None, tokens=64, limit=64),)),
        Good(TEMPLATE, replies=(Reply("user", "lantern " * 6, "<|im_end|>", tokens=7, limit=64),)),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        completions = template.completions
        found = [one for one in completions.all if not one.passed and _repeats(one)]
        if found:
            loop = found[0].loop
            assert loop is not None
            yield Problem(
                f"the model writes {quoted(loop.words.strip())} {loop.times} times in a row at the end of its answer"
                f"{completions.among(found)}",
                help="compare this prompt with the format that the model was trained on",
                render=found[0].render,
            )


def _repeats(completion: Completion) -> bool:
    loop = completion.loop
    if loop is None or loop.words * 2 in completion.said_before or 2 * loop.length < len(completion.text):
        return False
    return completion.stop is None or loop.times >= MANY
