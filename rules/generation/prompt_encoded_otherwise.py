from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Reply, Rule, Severity, Template

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class PromptEncodedOtherwise(Rule):
    """The model reads other ids than those of the prompt's text.

    ## What it does
    Encodes the text of each prompt, with no special token added, and compares the ids with those that
    `apply_chat_template(tokenize=True)` gives.

    ## Why is this bad
    Some engines render a text and encode it, others take the ids. With such a tokenizer they ask the model different questions,
    and what is seen in the text is not what the model reads.

    ## References
    - [transformers: templates and tokenization](https://huggingface.co/docs/transformers/chat_templating)
    """

    code = "TPL958"
    name = "prompt-encoded-otherwise"
    category = "generation"
    severity = Severity.ERROR
    judges_replies = True
    examples = (
        Bad(
            TEMPLATE,
            replies=(
                Reply("user", "Paris", "<|im_end|>", tokens=2, limit=64, encoded_otherwise=True),
                Reply("system-user", "PARIS", "<|im_end|>", tokens=2, limit=64, encoded_otherwise=True),
            ),
            says="apply_chat_template(tokenize=True) gives other ids than the prompt's text has, in 2 of 2 prompts",
        ),
        Good(TEMPLATE, replies=(Reply("user", "Paris", "<|im_end|>", tokens=2, limit=64),)),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        completions = template.completions
        found = [one for one in completions.all if one.reply.encoded_otherwise]
        if found:
            yield Problem(
                "apply_chat_template(tokenize=True) gives other ids than the prompt's text has"
                f"{completions.among(found, 'prompts')}",
                help="compare the ids of both; a tokenizer with a chat template or an encoding of its own in code does this",
                render=found[0].render,
            )
