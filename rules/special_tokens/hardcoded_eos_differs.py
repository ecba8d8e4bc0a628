from __future__ import annotations

from collections.abc import Iterator

from tpllint import BARE_MARKER, Bad, Good, Problem, Rule, Severity, Template, quoted, tokenizer_json

FILES = {"tokenizer_config.json": '{"eos_token": "<|end|>"}', "tokenizer.json": tokenizer_json("<|user|>", "<|end|>")}
TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}"


class HardcodedEosDiffers(Rule):
    """Answers end with a written-out marker that is another model's end of sequence: here it is plain text.

    ## What it does
    Takes the marker that the template writes out behind a final answer. Where the tokenizer declares another end of sequence,
    the marker is no added token, and the `tokenizers` library encodes it to several tokens, it cannot end anything.

    ## Why is this bad
    A template that was copied from another model ends turns with that model's token. This model reads it as characters, and
    what is learnt from it is to write these characters and to go on.

    ## References
    - [fms-hf-tuning issue 470](https://github.com/foundation-model-stack/fms-hf-tuning/issues/470)
    """

    code = "TPL209"
    name = "hardcoded-eos-differs"
    category = "special-tokens"
    severity = Severity.INFO
    only_infos = True
    examples = (
        Bad(
            TEMPLATE,
            files=FILES,
            says='answers end with "</s>", which is 4 tokens in this model; its end of sequence is "<|end|>"',
            better=TEMPLATE.replace("</s>", "{{ eos_token }}"),
        ),
        Good(
            TEMPLATE.replace("</s>", "<|user|>"),
            files=FILES,
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        eos = template.tokens.get("eos_token") if template.tokens_known else None
        end = (template.anatomy.assistant_end or "").strip()
        if not eos or not BARE_MARKER.fullmatch(end) or end in template.tokens.values():
            return
        added = template.tokenizer.added
        if added is None or end in added:
            return
        ids = template.tokenizer.encoded(end)
        if ids is not None and len(ids) > 1:
            yield Problem(
                f"answers end with {quoted(end)}, which is {len(ids)} tokens in this model; "
                f"its end of sequence is {quoted(eos)}",
                help="write {{ eos_token }}, or the token that ends this model's turns",
                render=template.render("user-assistant"),
                shows=end,
            )
