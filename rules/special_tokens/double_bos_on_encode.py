from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from tpllint import Bad, Good, Problem, Rule, Severity, Template, quoted

TEMPLATE = "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"


class DoubleBosOnEncode(Rule):
    """The template writes the beginning of sequence, and so does the tokenizer when it encodes a text.

    ## What it does
    Compares the beginning of a prompt with what encoding puts before a text: the post-processor of tokenizer.json, or
    `add_bos_token` of tokenizer_config.json where there is no tokenizer.json.

    Many good models are like that, and within transformers nothing is wrong. So it is information, except in the profile
    `training`: programs that render first and encode afterwards are where the second one comes from.

    ## Why is this bad
    `tokenizer(prompt)` begins the text twice, and so do engines that add the token to every prompt; quality drops without any
    error. The template is right: without the token in it, `apply_chat_template(tokenize=True)` begins without.

    ## References
    - [vllm pull request 27517](https://github.com/vllm-project/vllm/pull/27517)
    - [llama-cpp-python issue 1501](https://github.com/abetlen/llama-cpp-python/issues/1501)
    """

    code = "TPL203"
    name = "double-bos-on-encode"
    category = "special-tokens"
    severity = Severity.INFO
    only_infos = True
    raised_by: ClassVar[Mapping[str, Severity]] = {"training": Severity.WARNING}
    examples = (
        Bad(
            TEMPLATE,
            files={"tokenizer_config.json": '{"bos_token": "<s>", "add_bos_token": true}'},
            says='the prompt begins with "<s>", and tokenizer(prompt) puts another before it',
            better_files={
                "chat_template.jinja": TEMPLATE,
                "tokenizer_config.json": '{"bos_token": "<s>", "add_bos_token": false}',
            },
        ),
        Good(TEMPLATE, files={"tokenizer_config.json": '{"bos_token": "<s>"}'}),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        bos = template.tokens.get("bos_token") if template.tokens_known else None
        render = template.render("user", generation_prompt=True)
        if not bos or not (render.text or "").lstrip().startswith(bos) or not template.tokenizer.adds_bos:
            return
        yield Problem(
            f"the prompt begins with {quoted(bos)}, and tokenizer(prompt) puts another before it",
            help="encode with apply_chat_template(tokenize=True), or pass add_special_tokens=False to tokenizer(prompt); "
            "in a GGUF file set tokenizer.ggml.add_bos_token to false; leave the token in the template",
            render=render,
            shows=bos,
        )
