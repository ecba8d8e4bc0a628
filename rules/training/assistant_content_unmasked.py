from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Rule, Severity, TaughtTurn, Template, quoted, taught_turns

WHAT = {"content": "the answer", "reasoning": "the reasoning", "argument": "the tool call"}


class AssistantContentUnmasked(Rule):
    """The assistant mask misses something that the assistant wrote.

    ## What it does
    Renders answers, reasoning and tool calls, and looks whether `{% generation %}` blocks hold all of their words that are
    in the prompt. That earlier answers are left out and the last one is not is information: some train on last answers only.
    So is text that the model has to write before its first word, such as a thinking marker, and that the mask leaves out.

    ## Why is this bad
    The model is not trained on what it should learn: the calls of an agent or the reasoning of a reasoning model are in the
    data and add nothing to the loss.

    ## References
    - [trl: chat templates for training](https://github.com/huggingface/trl/blob/main/trl/chat_templates/README.md)
    """

    code = "TPL605"
    name = "assistant-content-unmasked"
    category = "training"
    severity = Severity.ERROR
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% if m.tool_calls %}"
            "<call>{{ m.tool_calls[0].function | tojson }}</call>{% endif %}"
            "{% generation %}{{ m.content }}<|end|>{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}",
            says='the mask misses the tool call: "harbour-jasper"',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{% if m.tool_calls %}"
            "<call>{{ m.tool_calls[0].function | tojson }}</call>{% endif %}"
            "{{ m.content }}<|end|>{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% if m.reasoning_content %}"
            "<think>{{ m.reasoning_content }}</think>{% endif %}"
            "{% generation %}{{ m.content }}<|end|>{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}",
            says='the mask misses the reasoning: "thought-russet"',
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' and loop.last %}{% generation %}{{ m.content }}"
            "<|end|>{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}",
            says='the mask misses an earlier answer: "answer-birch"',
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}<think></think>"
            "{% generation %}{{ m.content }}<|end|>{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}",
            says='the mask begins after "<think></think>", which is not in the generation prompt: the model has to write it',
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|end|>"
            "{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}"
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        told: set[str] = set()
        turns = list(taught_turns(template))
        for turn in (*(turn for turn in turns if turn.final), *(turn for turn in turns if not turn.final)):
            for what, problem in _problems(turn):
                if what not in told:
                    told.add(what)
                    yield problem


def _problems(turn: TaughtTurn) -> Iterator[tuple[str, Problem]]:
    """What the mask misses of a turn, each with a word for its kind."""
    missed = [found for found in turn.found if not turn.masked(found.start, found.end)]
    for found in missed:
        earlier = not turn.final and found.kind != "argument"
        if earlier and found.kind == "reasoning":
            continue
        yield (
            found.kind,
            Problem(
                f"the mask misses {'an earlier answer' if earlier else WHAT[found.kind]}: "
                f"{quoted(turn.text[found.start : found.end])}",
                help="put {% generation %} around everything the assistant writes: reasoning, calls, text and the end of turn",
                severity=Severity.INFO if earlier else None,
                render=turn.render,
                shows=(found.start, found.end),
            ),
        )
    if not missed:
        yield from _late_begin(turn)


def _late_begin(turn: TaughtTurn) -> Iterator[tuple[str, Problem]]:
    """Text that the model has to write before the mask begins."""
    starts = [start for start, end in turn.render.spans if start <= turn.first_word < end]
    if turn.begins is None or not starts or min(starts) <= turn.begins:
        return
    left_out = turn.text[turn.begins : min(starts)]
    yield (
        "beginning" if left_out.strip() else "blanks",
        Problem(
            f"the mask begins after {quoted(left_out)}, which is not in the generation prompt: the model has to write it",
            help="begin the generation block where the generation prompt ends",
            severity=Severity.INFO,
            render=turn.render,
            shows=(turn.begins, min(starts)),
        ),
    )
