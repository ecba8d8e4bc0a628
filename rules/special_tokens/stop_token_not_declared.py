from __future__ import annotations

from collections.abc import Iterator

from tpllint import BARE_MARKER, Bad, Good, Problem, Rule, Severity, Template, Tokenizer, listed, quoted

TEMPLATE = (
    "{% for m in messages %}<|turn|>{{ m.role }}\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|turn|>assistant\\n' }}{% endif %}"
)
TOKENS = '{"eos_token": "<|stop|>", "added_tokens_decoder": {"7": {"content": "<|stop|>"}, "9": {"content": "<|end|>"}}}'


class StopTokenNotDeclared(Rule):
    """The model is not told to stop at the token that ends its turns.

    ## What it does
    Takes the token that follows a final answer, and looks for its id among those at which the model stops: `eos_token_id` of
    generation_config.json, or where that names none, of config.json. The `eos_token` of the tokenizer counts as one of them.
    Nothing is said where neither file is at hand, where the id is unknown, where several tokens end an answer, or where the
    model also stops at words (`stop_strings`).

    ## Why is this bad
    The model writes the token that ends its turn, nothing stops it, and it goes on with a turn of its own, up to the limit.

    ## References
    - [vllm issue 4180](https://github.com/vllm-project/vllm/issues/4180)
    - [lighteval issue 1278](https://github.com/huggingface/lighteval/issues/1278)
    """

    code = "TPL206"
    name = "stop-token-not-declared"
    category = "special-tokens"
    severity = Severity.ERROR
    examples = (
        Bad(
            TEMPLATE,
            files={"tokenizer_config.json": TOKENS, "generation_config.json": '{"eos_token_id": 7}'},
            says='turns end with "<|end|>", token 9, and generation_config.json stops only at 7 "<|stop|>"',
            better_files={
                "chat_template.jinja": TEMPLATE,
                "tokenizer_config.json": TOKENS,
                "generation_config.json": '{"eos_token_id": [7, 9]}',
            },
        ),
        Bad(
            TEMPLATE,
            files={"tokenizer_config.json": TOKENS, "config.json": '{"text_config": {"eos_token_id": 7}}'},
            says='turns end with "<|end|>", token 9, and config.json stops only at 7 "<|stop|>"',
        ),
        Good(TEMPLATE, files={"tokenizer_config.json": TOKENS}),
        Good(
            TEMPLATE,
            files={
                "tokenizer_config.json": TOKENS,
                "generation_config.json": '{"eos_token_id": 7, "stop_strings": ["<|end|>"]}',
            },
        ),
        Good(
            TEMPLATE,
            files={
                "tokenizer_config.json": TOKENS.replace('"<|stop|>", "added', '"<|end|>", "added'),
                "generation_config.json": '{"eos_token_id": 7}',
            },
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        tokenizer, terminator = template.tokenizer, _terminator(template)
        if terminator is None or tokenizer.stops is None:
            return
        number = tokenizer.id_of(terminator)
        if number is None or _stops_elsewhere(template, tokenizer):
            return
        stops = [_called(stop, tokenizer) for stop in tokenizer.stops]
        where = f"{tokenizer.stops_in} stops {f'only at {listed(stops)}' if stops else 'at no token'}"
        declared = ", ".join(map(str, (*tokenizer.stops, number)))
        yield Problem(
            f"turns end with {quoted(terminator)}, token {number}, and {where}",
            help=f'write "eos_token_id": [{declared}] in generation_config.json',
            render=template.render("user-assistant"),
            shows=terminator,
        )


def _terminator(template: Template) -> str | None:
    """The one marker that follows a final answer, where it is not the end of sequence that the tokenizer declares."""
    end = (template.anatomy.assistant_end or "").strip()
    return end if BARE_MARKER.fullmatch(end) and end != template.tokens.get("eos_token") else None


def _stops_elsewhere(template: Template, tokenizer: Tokenizer) -> bool:
    """Whether a token at which the model stops ends an answer here or in the middle of a chat."""
    ends = (template.anatomy.assistant_end or "") + (template.anatomy.assistant_closer or "")
    written = {tokenizer.id_of(marker) for marker in BARE_MARKER.findall(ends)}
    eos = template.tokens.get("eos_token") or ""
    return bool(written & {*(tokenizer.stops or ())}) or (bool(eos) and eos in ends)


def _called(stop: int, tokenizer: Tokenizer) -> str:
    name = tokenizer.name_of(stop)
    return f"{stop} {quoted(name)}" if name else str(stop)
