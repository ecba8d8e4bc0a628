from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tpllint import BARE_MARKER, TOOL, Bad, Completion, Good, Problem, Reply, Rule, Severity, Template, listed, quoted

TEMPLATE = (
    "{% if tools %}<|im_start|>system\n{{ tools | tojson }}<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}{% for call in m.tool_calls %}<tool_call>\n"
    "{{ call.function | tojson }}\n</tool_call>{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
DECODER = json.JSONDecoder(strict=False)
UNREADABLE = (ValueError, RecursionError)
"""What json raises for a text that it does not read."""


class Brackets(NamedTuple):
    """What stands before and after the JSON of a call; `close` is None where nothing does."""

    open: str
    close: str | None


class ToolCallDoesNotParse(Rule):
    """The model calls a tool in a way that nobody can read.

    ## What it does
    Learns from a call in the history between which markers the template writes it, and reads what the model writes between the
    same. It is reported where that is no JSON, and where it names none of the tools that were declared. Only templates that
    write a call as JSON with its name, behind a marker, are looked at; a call that was cut off by the limit is not, nor what
    the model writes after its answer has ended.

    ## Why is this bad
    Servers that parse calls hand this one to the caller as text, or fail. Often the template shows calls of the history in
    another form than the one that the model learned.

    ## References
    - [transformers: tool use](https://huggingface.co/docs/transformers/chat_extras)
    """

    code = "TPL959"
    name = "tool-call-does-not-parse"
    category = "generation"
    severity = Severity.WARNING
    judges_replies = True
    examples = (
        Bad(
            TEMPLATE,
            replies=(
                Reply(
                    "tools-declared",
                    "<tool_call>\n{'name': 'lookup_kelp'}\n</tool_call>",
                    "<|im_end|>",
                    tokens=14,
                    limit=64,
                ),
            ),
            says="the model's call is no JSON: \"{'name': 'lookup_kelp'}\"",
        ),
        Bad(
            TEMPLATE,
            replies=(
                Reply(
                    "tools-declared",
                    '<tool_call>\n{"name": "find_moss", "arguments": {}}\n</tool_call>',
                    "<|im_end|>",
                    tokens=16,
                    limit=64,
                ),
            ),
            says='the model\'s call names none of the tools that were declared (lookup_kelp): "{\\"name\\": \\"find_moss\\", '
            '\\"arguments\\": {}}"',
        ),
        Good(
            TEMPLATE,
            replies=(
                Reply(
                    "tools-declared",
                    'Let me see.\n<tool_call>\n{"name": "lookup_kelp", "arguments": {"place": "Oslo"}}\n</tool_call>',
                    "<|im_end|>",
                    tokens=20,
                    limit=64,
                ),
            ),
        ),
        Good(
            TEMPLATE,
            replies=(Reply("tools-declared", '<tool_call>\n{"name": "lookup_k', None, tokens=8, limit=8),),
        ),
        Good(
            TEMPLATE,
            replies=(
                Reply(
                    "tools-declared",
                    'No.<|im_end|>\n<|im_start|>assistant\n<tool_call>\n{"name": "find_moss"}\n</tool_call>',
                    None,
                    tokens=64,
                    limit=64,
                    control=("<|im_end|>", "<|im_start|>"),
                ),
            ),
        ),
        Good(
            TEMPLATE,
            replies=(Reply("user", "<tool_call>\n{}\n</tool_call>", "<|im_end|>", tokens=8, limit=64),),
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        brackets = _brackets(template)
        if brackets is None:
            return
        told: dict[str, None] = {}
        for completion in template.completions.all:
            names = _names(completion.conversation.tools or ())
            for body in _bodies(completion, brackets) if names else ():
                reason = _reason(body, brackets, names)
                if reason and reason not in told:
                    told[reason] = None
                    yield Problem(
                        f"the model's call {reason}: {quoted(body)}",
                        help="compare how the template declares tools and writes calls with what the model was trained on",
                        render=completion.render,
                    )


def _brackets(template: Template) -> Brackets | None:
    """What stands around a call where that is JSON, its name inside; None where it is anything else."""
    call = template.payloads.plain
    if call is None or template.payloads.format != "JSON":
        return None
    markers = list(BARE_MARKER.finditer(call.text, 0, max(call.text.find(TOOL), 0)))
    if not markers or markers[-1][0] in (template.anatomy.generation_prompt or ""):
        return None
    rest = call.text[markers[-1].end() :].lstrip()
    try:
        value, end = DECODER.raw_decode(rest)
    except UNREADABLE:
        return None
    closer = BARE_MARKER.match(rest[end:].lstrip())
    is_of_call = closer is not None and closer[0] not in template.completions.ends
    return Brackets(markers[-1][0], closer[0] if closer and is_of_call else None) if TOOL in _texts(value) else None


def _bodies(completion: Completion, brackets: Brackets) -> Iterator[str]:
    """What the model wrote between the marks of a call, without what was cut off."""
    if completion.in_reasoning:
        return
    for part in completion.answer.split(brackets.open)[1:]:
        body, closed, _ = part.partition(brackets.close or brackets.open)
        if closed or completion.passed or completion.stop is not None:
            yield body.strip()


def _reason(body: str, brackets: Brackets, names: Sequence[str]) -> str | None:
    """What is wrong with a call."""
    try:
        value = DECODER.decode(body) if brackets.close else DECODER.raw_decode(body)[0]
    except UNREADABLE:
        return "is no JSON"
    known = set(names).isdisjoint(_texts(value))
    return f"names none of the tools that were declared ({listed(names)})" if known else None


def _names(tools: Sequence[Any]) -> list[str]:
    functions = (tool.get("function", tool) for tool in tools if isinstance(tool, dict))
    return [str(function["name"]) for function in functions if isinstance(function, dict) and "name" in function]


def _texts(value: Any) -> set[str]:
    """Every text in a value that was read from JSON."""
    level, texts = [value], set()
    while level:
        texts |= {part for part in level if isinstance(part, str)}
        level = [inner for part in level for inner in _inside(part)]
    return texts


def _inside(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
