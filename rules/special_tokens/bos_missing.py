from __future__ import annotations

from collections.abc import Iterator

from tpllint import SENTINEL_TOKENS, Bad, Good, Problem, Rule, Severity, Template, quoted

CONVERSATIONS = (
    "user",
    "user-assistant",
    "user-assistant-user",
    "system-user",
    "system-user-assistant-user",
    "tools-declared",
    "tools-declared-with-system",
    "tool-loop",
)
TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"


class BosMissing(Rule):
    """The tokenizer begins every text with the beginning of sequence, and the template never writes it.

    ## What it does
    Looks for the tokens that encoding a text puts before it: the post-processor of tokenizer.json, or `add_bos_token` of
    tokenizer_config.json where there is no tokenizer.json. Where the beginning of sequence is one of them and no prompt holds
    it, it is lost. Where the files contradict each other, nothing is said. Nor is anything said about a model with a processor:
    when a processor encodes a prompt that does not begin with this token, it adds it.

    ## Why is this bad
    `apply_chat_template(tokenize=True)` encodes without adding special tokens: what the template does not write is not there.
    The model was trained on texts that begin with this token, and some models answer with noise without it.

    ## References
    - [unsloth pull request 10312](https://github.com/unslothai/unsloth/pull/10312)
    - [lm-evaluation-harness pull request 1465](https://github.com/EleutherAI/lm-evaluation-harness/pull/1465)
    """

    code = "TPL204"
    name = "bos-missing"
    category = "special-tokens"
    severity = Severity.WARNING
    examples = (
        Bad(
            TEMPLATE,
            files={"tokenizer_config.json": '{"bos_token": "<s>", "add_bos_token": true}'},
            says='the tokenizer begins a text with "<s>", and the template never writes it',
            better=f"{{{{ bos_token }}}}{TEMPLATE}",
        ),
        Good(TEMPLATE, files={"tokenizer_config.json": '{"bos_token": "<s>", "add_bos_token": false}'}),
        Good(TEMPLATE, files={"tokenizer_config.json": '{"bos_token": "<s>"}'}),
        Good(
            TEMPLATE,
            files={"tokenizer_config.json": '{"bos_token": "<s>", "add_bos_token": true}', "processor_config.json": "{}"},
        ),
        Good(
            files={
                "tokenizer_config.json": '{"bos_token": "<s>", "add_bos_token": true}',
                "chat_template.json": f'{{"chat_template": "{TEMPLATE}"}}',
            }
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        bos = template.tokens.get("bos_token") if template.tokens_known else None
        if template.for_processor or not bos or _writes(template, bos) or not template.tokenizer.adds_bos:
            return
        yield Problem(
            f"the tokenizer begins a text with {quoted(bos)}, and the template never writes it",
            help="begin the template with {{ bos_token }}: apply_chat_template encodes a prompt without adding special tokens",
            render=template.render("user", generation_prompt=True),
            shows=(0, 0),
        )


def _writes(template: Template, bos: str) -> bool:
    """Whether a prompt holds the beginning of sequence, by its name or written out."""
    for name in CONVERSATIONS:
        for flag in (False, True):
            by_name = template.render_with_sentinel_tokens(name, generation_prompt=flag).text or ""
            if SENTINEL_TOKENS["bos_token"] in by_name or bos in (template.render(name, generation_prompt=flag).text or ""):
                return True
    return False
