from __future__ import annotations

import re
from collections.abc import Iterator

from tpllint import SENTINEL_TOKENS, Bad, Good, Problem, Rule, Severity, Template, quoted, sentinels

CONVERSATIONS = ("user", "user-assistant-user", "system-user")


class BosDuplicated(Rule):
    """The beginning of sequence is written more than once.

    ## What it does
    Looks for two at the start of the prompt (an error) and, as a warning, for one inside the conversation that does not follow
    an end of sequence. Formats that open every round anew after closing the last one (`</s><s>`), or that separate turns by
    nothing else, are fine.

    ## Why is this bad
    A second beginning of sequence resets what the model attends to; quality drops without any error.

    ## References
    - [DeepSeek-R1 issue 151](https://github.com/deepseek-ai/DeepSeek-R1/issues/151)
    - [llama-cpp-python issue 1501](https://github.com/abetlen/llama-cpp-python/issues/1501)
    """

    code = "TPL202"
    name = "bos-duplicated"
    category = "special-tokens"
    severity = Severity.ERROR
    examples = (
        Bad(
            "{{ bos_token }}{% for m in messages %}{% if loop.first %}{{ bos_token }}{% endif %}{{ m.content }}{% endfor %}",
            says="the prompt begins with the beginning of sequence bos_token twice",
            better="{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}{{ bos_token }}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says="the beginning of sequence bos_token is written again inside the conversation",
            better="{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Good(
            "{% for m in messages %}{% if m.role == 'user' %}{{ bos_token }}[INST] {{ m.content }} [/INST]{% else %}"
            "{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        bos = template.tokens.get("bos_token")
        if not bos:
            return
        called = quoted(bos) if template.tokens_known else "bos_token"
        for name in CONVERSATIONS:
            if _begins_twice(template, name, bos):
                yield Problem(
                    f"the prompt begins with the beginning of sequence {called} twice",
                    help="write it once, before the first message",
                    render=template.render(name),
                )
                return
        if _repeats_inside(template):
            yield Problem(
                f"the beginning of sequence {called} is written again inside the conversation",
                help="write it once, before the first message, or close the round before it with the end of sequence",
                severity=Severity.WARNING,
                render=template.render("user-assistant-user"),
            )


def _begins_twice(template: Template, name: str, bos: str) -> bool:
    sentinel = template.render_with_sentinel_tokens(name).text
    if _doubled(sentinel, SENTINEL_TOKENS["bos_token"]):
        return True
    unmistakable = template.tokens_known and bos != template.tokens.get("eos_token")
    return unmistakable and _doubled(template.render(name).text, bos)


def _doubled(text: str | None, token: str) -> bool:
    return text is not None and re.match(rf"\s*{re.escape(token)}\s*{re.escape(token)}", text) is not None


def _repeats_inside(template: Template) -> bool:
    conversation = template.conversation("user-assistant-user")
    text = template.render_with_sentinel_tokens("user-assistant-user").text or ""
    before = (part.rstrip() for part in text.split(SENTINEL_TOKENS["bos_token"])[1:-1])
    written_out = [template.tokens["eos_token"]] if template.tokens_known and template.tokens.get("eos_token") else []
    separates = (SENTINEL_TOKENS["eos_token"], *written_out, *sentinels(conversation))
    return any(not part.endswith(separates) for part in before)
