from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from tpllint import (
    BARE_MARKER,
    Bad,
    Good,
    Problem,
    Rule,
    Severity,
    TaughtTurn,
    Template,
    begins_with_marker,
    quoted,
    taught_turns,
)


class StopTokenNotMasked(Rule):
    """The assistant mask leaves out the token that ends an answer.

    ## What it does
    Looks at what follows the last word of an answer. The last marker in it, or the end of sequence, is where the model stops,
    and the mask must hold it. Where nothing ends an answer but the marker that opens the next turn (`<|user|>`), that one
    must be in the mask. No tokenizer is needed for this: the text tells. An end of sequence that stands unmasked behind the end
    of the last turn, which is masked, is information.

    Whether the model stops at what the mask ends with is another question, which
    [stop-token-not-declared](stop-token-not-declared.md) answers from the files.

    ## Why is this bad
    A model that is trained on the mask never learns to stop. The loss looks fine, and the first answer goes on until the
    limit.

    ## References
    - [trl issue 5988](https://github.com/huggingface/trl/pull/5988)
    - [renderers issue 66](https://github.com/PrimeIntellect-ai/renderers/pull/66)
    """

    code = "TPL604"
    name = "stop-token-not-masked"
    category = "training"
    severity = Severity.ERROR
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
            "{% endgeneration %}<|end|>{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}",
            says='the mask ends before "<|end|>", which ends the answer',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|end|>"
            "{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
            "{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}",
            says='the mask ends before "<|user|>", and nothing else ends the answer',
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|end|>"
            "{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}"
            "{% if not add_generation_prompt %}{{ eos_token }}{% endif %}",
            files={"tokenizer_config.json": '{"eos_token": "</s>"}'},
            says='the mask holds the end of the turn, and not the "</s>" behind it',
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|end|>"
            "{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}",
            files={"tokenizer_config.json": '{"eos_token": "</s>"}'},
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
            "{{ '<|user|>' if loop.last or messages[loop.index0 + 1].role == 'user' else '<|tool|>' }}{% endgeneration %}"
            "{% else %}{{ m.content }}{% endif %}{% endfor %}"
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|end|>"
            "{% endgeneration %}{{ '\\n' }}{% else %}{{ m.content }}<|end|>\n{% endif %}{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        eos = template.tokens.get("eos_token") if template.tokens_known else None
        turns = [turn for turn in taught_turns(template) if turn.masked(turn.last_word - 1, turn.last_word)]
        found = (problem for turn in turns if (problem := _unmasked(turn, eos)) is not None)
        yield from islice(found, 1)


def _unmasked(turn: TaughtTurn, eos: str | None) -> Problem | None:
    """What is wrong with the end of a turn whose last word is masked."""
    ends, severity = _ends(turn, eos), Severity.ERROR
    masked = [turn.masked(*span) for span in ends]
    if ends:
        start, end = ends[-1]
        ends_the_turn = turn.final and any(masked)  # so much is taught, and the model may stop there
        if masked[-1] or (ends_the_turn and turn.text[start:end] != eos):
            return None
        message = f"the mask ends before {quoted(turn.text[start:end])}, which ends the answer"
        if ends_the_turn:
            severity = Severity.INFO
            message = f"the mask holds the end of the turn, and not the {quoted(turn.text[start:end])} behind it"
    else:
        if turn.final or not begins_with_marker(turn.text[turn.ends :]):
            return None
        start, end = _first_marker(turn.text, turn.ends)
        if turn.masked(start, end):
            return None
        message = f"the mask ends before {quoted(turn.text[start:end])}, and nothing else ends the answer"
    help_text = "put the token that ends an answer into the generation block"
    return Problem(message, help=help_text, severity=severity, render=turn.render, shows=(start, end))


def _ends(turn: TaughtTurn, eos: str | None) -> list[tuple[int, int]]:
    """The markers after the last word of a turn, the end of sequence among them."""
    closer = turn.text[turn.last_word : turn.ends]
    found = {match.span() for match in BARE_MARKER.finditer(closer)}
    if eos and eos in closer:
        found.add((closer.rindex(eos), closer.rindex(eos) + len(eos)))
    return [(turn.last_word + start, turn.last_word + end) for start, end in sorted(found)]


def _first_marker(text: str, at: int) -> tuple[int, int]:
    found = BARE_MARKER.search(text, at)
    return found.span() if found else (at, at)
