from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, Template, quoted


class TurnTerminatorMissing(Rule):
    """Nothing ends an assistant turn.

    ## What it does
    Looks at what follows an answer: in a finished conversation, and before the next user message, less the text that opens
    the user's turn. If both are blank, no token ever tells where an answer ends.

    ## Why is this bad
    A model trained on such text never learns to stop, and one that was trained with a terminator is shown a history in which
    answers run into the next turn.

    ## References
    - [trl issue 1623](https://github.com/huggingface/trl/issues/1623)
    - [unsloth issue 416](https://github.com/unslothai/unsloth/issues/416)
    """

    code = "TPL205"
    name = "turn-terminator-missing"
    category = "special-tokens"
    severity = Severity.ERROR
    examples = (
        Bad(
            "{% for m in messages %}### {{ m.role }}:\n{{ m.content }}\n\n{% endfor %}"
            "{% if add_generation_prompt %}### assistant:\n{% endif %}",
            says=r'only "\n\n" follows an answer: no token tells the model where to stop',
            better="{% for m in messages %}### {{ m.role }}:\n{{ m.content }}"
            "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}\n\n{% endfor %}"
            "{% if add_generation_prompt %}### assistant:\n{% endif %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        anatomy = template.anatomy
        end, closer = anatomy.assistant_end, anatomy.assistant_closer
        if end is None or closer is None or end.strip() or closer.strip():
            return
        follows = f"only {quoted(end)} follows" if end else "nothing follows"
        yield Problem(
            f"{follows} an answer: no token tells the model where to stop",
            help="write the end-of-turn token, or eos_token, after each answer",
            conversation="user-assistant",
            excerpt=template.render("user-assistant").text,
        )
