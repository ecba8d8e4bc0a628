from __future__ import annotations

from collections.abc import Iterator

from tpllint import SENTINEL_TOKENS, Bad, Good, Problem, Rule, Severity, Template, quoted, sentinels

CONVERSATIONS = ("user-assistant-user", "system-user", "system-user-assistant-user")
LONGEST = 60


class TextOutsideTurn(Rule):
    """Text stands before the beginning of sequence.

    ## What it does
    Renders plain chats with a sentinel for the beginning of sequence. Where the template writes it, nothing but blanks and
    the end of sequence may stand before the first one. Where a whole round stands before it, it parts the rounds, and the
    tokenizer writes the first: nothing is said.

    ## Why is this bad
    Usually the beginning of sequence is written with the first user message, and a system message that comes earlier ends up
    outside of everything the model was trained on. Tokenizers that add the token themselves then write it twice.

    ## References
    - [transformers: chat templates](https://huggingface.co/docs/transformers/chat_templating)
    """

    code = "TPL320"
    name = "text-outside-turn"
    category = "content"
    severity = Severity.WARNING
    examples = (
        Bad(
            "{% for m in messages %}{% if m.role == 'system' %}<<{{ m.content }}>>{% elif m.role == 'user' %}"
            "{{ bos_token }}[INST] {{ m.content }} [/INST]{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}",
            says='"<<instruction-cedar>>" stands before the beginning of sequence bos_token',
            better="{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}<<{{ m.content }}>>"
            "{% elif m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %} {{ m.content }}{{ eos_token }}{% endif %}"
            "{% endfor %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
        Good(
            "{% for m in messages %}{% if m.role == 'user' %}{{ '' if loop.index0 < 2 else bos_token }}[INST] {{ m.content }} "
            "[/INST]{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        bos = template.tokens.get("bos_token")
        if not bos:
            return
        called = quoted(bos) if template.tokens_known else "bos_token"
        for name in CONVERSATIONS:
            text = template.render_with_sentinel_tokens(name).text or ""
            before, found, _ = text.partition(SENTINEL_TOKENS["bos_token"])
            before = before.replace(SENTINEL_TOKENS["eos_token"], "").replace(bos, "").strip()
            begun = name != "system-user" and sentinels(template.conversation(name))[-2] in before
            if found and before and not begun:
                yield Problem(
                    f"{quoted(before[:LONGEST])} stands before the beginning of sequence {called}",
                    help="write the beginning of sequence before the loop over the messages",
                    render=(render := template.render(name)),
                    shows=(at, at + len(before)) if (at := (render.text or "").find(before)) >= 0 else before,
                )
                return
