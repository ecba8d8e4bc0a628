from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Reply, Rule, Severity, Template, quoted

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PROSE = "The capital of France is Paris. It lies on the Seine, and it has been the seat of kings since the tenth century, when"
FEWEST = 3
"""Answers of which none ends, before anything is said of answers that are only long."""
TINY, AMPLE = 16, 256
"""Tokens: less than TINY is no room for an answer, and AMPLE is enough for one to most questions."""


class CompletionNeverStops(Rule):
    """The model writes on until its limit.

    ## What it does
    Looks at answers that were cut off. One that holds the token that ends a turn, or the end of sequence, is an error: the
    model was done, and nothing stopped it. Where no answer ends, of three or more, and each could have been 256 tokens long,
    that is a warning; where they could not, information. Reasoning that is still open, answers that repeat themselves and
    those that open another turn do not count among the latter: other rules tell of them.

    ## Why is this bad
    Each answer takes the longest possible time, and what follows its end is made up: further questions, in the user's name.

    ## References
    - [stop-token-not-declared](stop-token-not-declared.md), which reads from the files why nothing stops the model
    - [vllm issue 4180](https://github.com/vllm-project/vllm/issues/4180)
    """

    code = "TPL952"
    name = "completion-never-stops"
    category = "generation"
    severity = Severity.WARNING
    judges_replies = True
    examples = (
        Bad(
            TEMPLATE,
            replies=(
                Reply(
                    "user",
                    "Paris<|im_end|>\n<|im_start|>user\nAnd of Spain?<|im_end|>\n<|im_start|>assistant\nMad",
                    None,
                    tokens=24,
                    limit=24,
                    control=("<|im_end|>", "<|im_start|>"),
                ),
            ),
            says='the model writes "<|im_end|>" where its answer ends, nothing stops it, and it goes on to its limit '
            "of 24 tokens",
        ),
        Bad(
            TEMPLATE,
            replies=tuple(
                Reply(name, PROSE, None, tokens=256, limit=256) for name in ("user", "system-user", "user-assistant-user")
            ),
            says=f"none of 3 answers ends within 256 tokens, such as {quoted(PROSE)}",
        ),
        Good(
            TEMPLATE,
            replies=(
                Reply("user", PROSE, None, tokens=256, limit=256),
                Reply("system-user", PROSE, None, tokens=256, limit=256),
                Reply("user-assistant-user", "Ada", "<|im_end|>", tokens=2, limit=256),
            ),
        ),
        Good(
            TEMPLATE,
            replies=tuple(
                Reply(name, f"<think>\n{PROSE}", None, tokens=256, limit=256)
                for name in ("user", "system-user", "user-assistant-user")
            ),
        ),
        Good(TEMPLATE, replies=tuple(Reply(name, "The", None, tokens=1, limit=1) for name in ("user", "user", "user"))),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        completions = template.completions
        endless = [one for one in completions.all if one.stop is None and one.passed]
        if endless:
            first = endless[0]
            yield Problem(
                f"the model writes {quoted(first.passed or '')} where its answer ends, nothing stops it, and it goes on to its "
                f"limit of {first.reply.limit} tokens{completions.among(endless)}",
                help="name this token under eos_token_id in generation_config.json",
                severity=Severity.ERROR,
                render=first.render,
            )
            return
        long = [one for one in completions.all if not (one.loop or one.another_turn or one.in_reasoning)]
        if len(long) < FEWEST or any(one.stop is not None for one in completions.all):
            return
        limit = min(one.reply.limit for one in long)
        if limit >= TINY:
            yield Problem(
                f"none of {len(long)} answers ends within {limit} tokens, such as {quoted(long[0].text)}",
                help="ask again with a larger --max-new-tokens; where that changes nothing, compare how turns end in the "
                "format that the model was trained on",
                severity=Severity.WARNING if limit >= AMPLE else Severity.INFO,
                render=long[0].render,
            )
