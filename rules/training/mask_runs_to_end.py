from __future__ import annotations

import json
from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Render, Rule, Severity, Template, masked_renders, quoted, tokenizer_json

CONVERSATIONS = ("user-assistant-user", "two-rounds", "tool-loop")
TURNS = (
    "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|end|>{{ ' ' }}"
    "{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}"
)
BLIND = {**json.loads(tokenizer_json("<|user|>", "<|assistant|>", "<|end|>")), "pre_tokenizer": {"type": "WhitespaceSplit"}}


class MaskRunsToEnd(Rule):
    """The assistant mask goes on to the end of the conversation, because no token holds its last character.

    ## What it does
    Where a span of the mask ends with a blank and something follows it, encodes the conversation with the model's tokenizer and
    looks which token holds the last character of the span. Where none does, since the tokenizer drops blanks, or where it
    is the first token of all, transformers masks every token up to the end. Version 5.24 looks for the end of a span in another
    way, and does not.

    This needs the library `tokenizers` and the model's tokenizer.json, and nothing of transformers itself: the offsets of the
    tokens decide. Without them the rule is skipped, and the report says so. A processor finds the end of a span otherwise, so
    that nothing is said of models that have one.

    ## Why is this bad
    Everything that users and tools say after the first answer is trained as if the model had said it.

    ## References
    - [transformers issue 47325](https://github.com/huggingface/transformers/issues/47325)
    """

    code = "TPL606"
    name = "mask-runs-to-end"
    category = "training"
    severity = Severity.ERROR
    examples = (
        Bad(
            TURNS,
            files={"tokenizer.json": json.dumps(BLIND)},
            says='up to transformers 5.23 the mask of "answer-birch<|end|> " runs on to the end of the conversation: '
            'no token holds its last character, " "',
            better=TURNS.replace("{{ ' ' }}", ""),
        ),
        Good(TURNS, files={"tokenizer.json": tokenizer_json("<|user|>", "<|assistant|>", "<|end|>", merges=[(" ", "x")])}),
        Good(TURNS),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.for_processor:
            return
        renders = [render for render in masked_renders(template) if _name(render) in CONVERSATIONS and _is_suspect(render)]
        tokens = {render.text: template.tokenizer.spans(render.text or "") for render in renders}
        for render in renders:
            endless = _endless(render, tokens[render.text])
            if endless is not None:
                start, end = endless
                written = (render.text or "")[start:end]
                yield Problem(
                    f"up to transformers 5.23 the mask of {quoted(written)} runs on to the end of the conversation: "
                    f"no token holds its last character, {quoted(written[-1:])}",
                    help="end the generation block with the token that ends the answer, and write blanks behind it",
                    render=render,
                    shows=(start, end),
                )
                return


def _is_suspect(render: Render) -> bool:
    """Whether a span ends, before the end of the prompt, on a character that tokenizers drop: a blank, or nothing visible."""
    text = render.text or ""
    return any(not text[end - 1].isprintable() or text[end - 1].isspace() for _, end in render.spans if 0 < end < len(text))


def _name(render: Render) -> str:
    return render.recipe.conversation.name if render.recipe else ""


def _endless(render: Render, tokens: tuple[tuple[int, int], ...] | None) -> tuple[int, int] | None:
    """The first span whose end transformers does not find, with tokens behind it; None also where nothing tells."""
    for start, end in render.spans if tokens else ():
        begins = _holds(start, tokens or ())
        if begins is None:
            return None  # transformers gives up on the whole mask
        if not _holds(end - 1, tokens or ()) and any(first >= end for first, _ in tokens or ()):
            return start, end
    return None


def _holds(character: int, tokens: tuple[tuple[int, int], ...]) -> int | None:
    return next((index for index, (start, end) in enumerate(tokens) if start <= character < end), None)
