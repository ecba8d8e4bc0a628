from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Completion, Good, Problem, Reply, Rule, Severity, Template, listed, quoted

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
OTHER = TEMPLATE.replace("<|im_end|>", "</s>")
TOOLS = "{% if tools %}<|im_start|>system\n{{ tools | tojson }}<|im_end|>\n{% endif %}" + TEMPLATE


class CompletionStopsElsewhere(Rule):
    """The model ends its answers with another token than the template.

    ## What it does
    Compares the token at which each answer stops with those that follow a final answer in the template. Where at least one
    answer stops as the template has it, the model knows that end, and others do not count; nor do answers in chats with tools,
    since calls may end in their own way, nor tokens that the template writes inside of answers. It is an error where an answer
    holds the template's own end and goes on to another one.

    ## Why is this bad
    The history of a chat ends each answer in another way than the model did: it reads a format that it did not learn.
    Engines that stop where the template says never stop.

    ## References
    - [stop-token-not-declared](stop-token-not-declared.md), which reads the same from the files
    - [lighteval issue 1278](https://github.com/huggingface/lighteval/issues/1278)
    """

    code = "TPL953"
    name = "completion-stops-elsewhere"
    category = "generation"
    severity = Severity.WARNING
    judges_replies = True
    examples = (
        Bad(
            TEMPLATE,
            replies=(
                Reply("user", "Paris", "</s>", tokens=2, limit=64),
                Reply("user-assistant-user", "Ada", "</s>", tokens=2, limit=64),
            ),
            says='the model ends "Paris" with "</s>", and the template ends answers with "<|im_end|>", in 2 of 2 answers',
            better=OTHER,
        ),
        Bad(
            TEMPLATE,
            replies=(
                Reply(
                    "user",
                    "Paris<|im_end|>\n<|im_start|>user\nAnd of Spain?",
                    "</s>",
                    tokens=12,
                    limit=64,
                    control=("<|im_end|>", "<|im_start|>"),
                ),
            ),
            says='the model writes "<|im_end|>" where its answer ends, and goes on to "</s>"',
        ),
        Good(TEMPLATE, replies=(Reply("user", "Paris", "<|im_end|>", tokens=2, limit=64),)),
        Good(
            TEMPLATE,
            replies=(
                Reply("user", "Paris", "<|im_end|>", tokens=2, limit=64),
                Reply("user-assistant-user", "Ada", "</s>", tokens=2, limit=64),
            ),
        ),
        Good(TOOLS, replies=(Reply("tools-declared", '{"name": "lookup_kelp"}', "<|eom|>", tokens=9, limit=64),)),
        Good(
            TEMPLATE.replace("<|im_end|>\n{% endfor %}", "{{ '<|return|>' if loop.last else '<|im_end|>' }}\n{% endfor %}"),
            replies=(Reply("user", "Paris", "<|return|>", tokens=2, limit=64),),
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        completions = template.completions
        if not completions.ends:
            return
        passing = [one for one in completions.all if one.stop is not None and one.goes_on]
        if passing:
            first = passing[0]
            yield Problem(
                f"the model writes {quoted(first.passed or '')} where its answer ends, and goes on to "
                f"{quoted(first.stop or '')}{completions.among(passing)}",
                help="name the token that ends an answer under eos_token_id in generation_config.json",
                severity=Severity.ERROR,
                render=first.render,
            )
            return
        stopped = [one for one in completions.all if one.stop is not None and not one.conversation.tools]
        if any(_is_at_home(template, one) for one in stopped):
            return
        for stop in dict.fromkeys(one.stop for one in stopped):
            found = [one for one in stopped if one.stop == stop]
            yield Problem(
                f"the model ends {quoted(found[0].text)} with {quoted(stop or '')}, and the template ends answers with "
                f"{listed([quoted(end) for end in completions.ends])}{completions.among(found)}",
                help="end turns in the template with the token that the model was trained to end them with",
                render=found[0].render,
            )


def _is_at_home(template: Template, completion: Completion) -> bool:
    return completion.stop in template.completions.ends or completion.stop in template.completions.own_markers
