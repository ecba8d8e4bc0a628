from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tpllint import SENTINEL_TOKENS, Bad, Good, Place, Problem, Related, Render, Rule, Severity, Template, quoted, sentinels

CONVERSATIONS = ("user-assistant", "user-assistant-user", "two-rounds")


class EosDuplicated(Rule):
    """A turn is ended twice.

    ## What it does
    Renders finished and unfinished chats, with the model's own tokens and with sentinels in their place, and looks for one
    end of sequence directly after another, blanks aside, and for `eos_token` after the marker that already closed a user's
    turn (a warning). Where the beginning and the end of sequence are the same token, only what the template writes by way of
    `eos_token` counts.

    ## Why is this bad
    The model learns to end twice, and a prompt that ends twice is text it has never seen before an answer.

    ## References
    - [transformers: chat templates and special tokens](https://huggingface.co/docs/transformers/chat_templating)
    """

    code = "TPL201"
    name = "eos-duplicated"
    category = "special-tokens"
    severity = Severity.ERROR
    examples = (
        Bad(
            "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}"
            "{% if not add_generation_prompt %}{{ eos_token }}{% endif %}",
            says="the end of sequence eos_token stands twice in a row",
            better="{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}",
        ),
        Bad(
            files={
                "tokenizer_config.json": '{"eos_token": "<|end|>"}',
                "chat_template.jinja": "{% for m in messages %}{{ m.content }}<|end|>{{ eos_token }}{% endfor %}",
            },
            says='the end of sequence "<|end|>" stands twice in a row',
        ),
        Bad(
            "{% for m in messages %}<turn>{{ m.role }}\n{{ m.content }}</turn>{{ eos_token }}\n{% endfor %}",
            says='a user turn ends with "</turn>", and the end of sequence eos_token follows it at once',
            better="{% for m in messages %}<turn>{{ m.role }}\n{{ m.content }}</turn>\n{% endfor %}",
        ),
        Good("{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}\n{% endfor %}{{ bos_token }}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        eos = template.tokens.get("eos_token")
        if not eos:
            return
        called = quoted(eos) if template.tokens_known else "eos_token"
        for name in CONVERSATIONS:
            for flag in (False, True):
                doubled = _doubled(template, name, flag, eos)
                if doubled is not None:
                    yield Problem(
                        f"the end of sequence {called} stands twice in a row",
                        help="write it once, where the turn ends",
                        place=doubled.second,
                        render=template.render(name, generation_prompt=flag),
                        related=(Related("the first is written here", place=doubled.first),),
                    )
                    return
        closer = _closer_before_eos(template)
        if closer:
            yield Problem(
                f"a user turn ends with {quoted(closer)}, and the end of sequence {called} follows it at once",
                help="end a turn with one of the two; the end of sequence belongs after the last answer, if anywhere",
                severity=Severity.WARNING,
                render=template.render("user-assistant-user"),
                shows=closer,
            )


def _closer_before_eos(template: Template) -> str | None:
    """The marker that closes a user turn, where the end of sequence comes directly after it."""
    conversation = template.conversation("user-assistant-user")
    text = template.render_with_sentinel_tokens("user-assistant-user").text or ""
    after_the_user = text.partition(sentinels(conversation)[0])[2]
    found = re.match(rf"\s*(<[^<>\s]+>)\s*{re.escape(SENTINEL_TOKENS['eos_token'])}", after_the_user)
    return found[1] if found else None


class Doubled(NamedTuple):
    """The code that writes the first end of sequence, and the code that writes the second."""

    first: Place | None
    second: Place | None


def _doubled(template: Template, name: str, flag: bool, eos: str) -> Doubled | None:
    through_variable = template.render_with_sentinel_tokens(name, generation_prompt=flag)
    found = _adjacent(template, through_variable, SENTINEL_TOKENS["eos_token"])
    if found is None and template.tokens_known and eos != template.tokens.get("bos_token"):
        found = _adjacent(template, template.render(name, generation_prompt=flag), eos)
    return found


def _adjacent(template: Template, render: Render, token: str) -> Doubled | None:
    found = re.search(rf"({re.escape(token)})\s*({re.escape(token)})", render.text or "")
    return Doubled(template.place_of(render, found.span(1)), template.place_of(render, found.span(2))) if found else None
