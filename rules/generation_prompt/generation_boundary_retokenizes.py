from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template, quoted, tokenizer_json

HEADED = (
    "{% for m in messages %}<|{{ m.role }}|>to {{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>to{{ ' ' }}{% endif %}"
)


class GenerationBoundaryRetokenizes(Rule):
    """The end of the generation prompt is encoded otherwise once the answer follows it.

    ## What it does
    Encodes a prompt that ends with the generation prompt, and the same chat with the answer in it, with the `tokenizers`
    library. Where the second text begins with the first, its tokens have to begin with those of the first.

    ## Why is this bad
    The model answers after tokens that it never saw before an answer: when it was trained on whole chats, the last characters
    of the header were one token with the first ones of the answer. A cache of the prompt does not fit the next round either.

    ## References
    - [renderers](https://github.com/PrimeIntellect-ai/renderers)
    """

    code = "TPL107"
    name = "generation-boundary-retokenizes"
    category = "generation-prompt"
    severity = Severity.INFO
    only_infos = True
    examples = (
        Bad(
            HEADED,
            files={"tokenizer.json": tokenizer_json("<|assistant|>", merges=[(" ", "a")])},
            says='the end of the generation prompt "<|assistant|>to " is encoded otherwise once an answer follows',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        ),
        Good(HEADED, files={"tokenizer.json": tokenizer_json("<|assistant|>")}),
        Good(HEADED),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        asked, answered = template.render("user", generation_prompt=True), template.render("user-assistant")
        prompt, chat = asked.text, answered.text
        if not prompt or not chat or len(chat) <= len(prompt) or not chat.startswith(prompt):
            return
        if not template.anatomy.generation_prompt:
            return
        before, whole = template.tokenizer.encoded(prompt), template.tokenizer.encoded(chat)
        if before is None or whole is None or whole[: len(before)] == before:
            return
        yield Problem(
            f"the end of the generation prompt {quoted(template.anatomy.generation_prompt)} "
            "is encoded otherwise once an answer follows",
            help="end the generation prompt with a token that merges with nothing, such as a special token or a line end",
            render=asked,
        )
