from __future__ import annotations

import re
from collections.abc import Iterator

from tpllint import SENTINEL_TOKENS, Bad, Good, Problem, Related, Render, Rule, Severity, Template, quoted, sentinels

INSIDE = "user-assistant-user"
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
            twice = _begins_twice(template, name, bos)
            if twice is not None:
                yield Problem(
                    f"the prompt begins with the beginning of sequence {called} twice",
                    help="write it once, before the first message",
                    place=template.place_of(*twice[1]),
                    render=template.render(name),
                    shows=(0, 0),
                    related=(Related("the first is written here", place=template.place_of(*twice[0])),),
                )
                return
        again = _repeated(template)
        if again is not None:
            yield Problem(
                f"the beginning of sequence {called} is written again inside the conversation",
                help="write it once, before the first message, or close the round before it with the end of sequence",
                severity=Severity.WARNING,
                place=template.place_of(template.render_with_sentinel_tokens(INSIDE), again),
                render=template.render(INSIDE),
            )


Part = tuple[Render, tuple[int, int]]
"""A prompt, and from where to where in it."""


def _begins_twice(template: Template, name: str, bos: str) -> tuple[Part, Part] | None:
    found = _doubled(template.render_with_sentinel_tokens(name), SENTINEL_TOKENS["bos_token"])
    if found is None and template.tokens_known and bos != template.tokens.get("eos_token"):
        found = _doubled(template.render(name), bos)
    return found


def _doubled(render: Render, token: str) -> tuple[Part, Part] | None:
    found = re.match(rf"\s*({re.escape(token)})\s*({re.escape(token)})", render.text or "")
    return ((render, found.span(1)), (render, found.span(2))) if found else None


def _repeated(template: Template) -> tuple[int, int] | None:
    """Where, with sentinels for tokens, a beginning of sequence follows anything but an end of sequence or a message's text."""
    text = template.render_with_sentinel_tokens(INSIDE).text or ""
    written_out = [template.tokens["eos_token"]] if template.tokens_known and template.tokens.get("eos_token") else []
    separates = (SENTINEL_TOKENS["eos_token"], *written_out, *sentinels(template.conversation(INSIDE)))
    found = list(re.finditer(re.escape(SENTINEL_TOKENS["bos_token"]), text))[1:]
    return next((each.span() for each in found if not text[: each.start()].rstrip().endswith(separates)), None)
