from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from tpllint import REASONING_FIELDS, Bad, Good, Problem, Render, Rule, Severity, Template, quoted

CONVERSATIONS = (("user-assistant", 2), ("reasoning-last", 2), ("tool-loop", 2), ("tool-loop-text-beside-call", 2))
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def _config(close: str) -> dict[str, str]:
    template = {
        "defaults": {"role": "assistant"},
        "start_anchor": "<|im_start|>assistant\n",
        "fields": {"content": {"close": close}},
    }
    return {"tokenizer_config.json": json.dumps({"eos_token": "<|im_end|>", "response_template": template})}


class ResponseTemplateRoundtrip(Rule):
    """What the model's response_template reads in an answer is not what the chat template wrote.

    ## What it does
    For a model with a `response_template` in tokenizer_config.json: takes what the chat template writes for an answer, for one
    with reasoning and for tool calls, after the prompt that the model gets, and has transformers' `parse_response` read it.
    Content, reasoning and the names and arguments of calls have to come back. What the chat template leaves out is not asked
    for.

    This needs transformers 5.13 or later, which runs in a bounded process of its own and takes seconds to start. So answers
    are read only where the rule is asked for: selected by its name, its code or ALL, given a severity, or in the profiles
    `training` and `all`. Otherwise, and without transformers, the rule is skipped, and the report says so.

    ## Why is this bad
    Servers and agents read the model's answers with it. What comes back is appended to the history and rendered again: a call
    that is not recognised is never made, and a control token in the content is shown to the user.

    ## References
    - [transformers: response templates](https://github.com/huggingface/transformers/tree/main/src/transformers/utils/chat_parsing)
    """

    code = "TPL608"
    name = "response-template-roundtrip"
    category = "training"
    severity = Severity.WARNING
    slow = True
    raised_by: ClassVar[Mapping[str, Severity]] = {"training": Severity.WARNING}
    examples = (
        Bad(
            CHATML,
            files=_config("<|end|>"),
            says='parse_response reads the content "answer-birch<|im_end|>" where "answer-birch" was written',
            better_files=_config("<|im_end|>"),
            better=CHATML,
        ),
        Good(CHATML, files=_config("<|im_end|>")),
        Good(CHATML),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if not template.tokenizer.parses_answers:
            return
        told: set[str] = set()
        for render, begins, read in _readings(template):
            for field, message in _losses(render, begins, read):
                if field not in told:
                    told.add(field)
                    yield Problem(
                        message,
                        help="make response_template in tokenizer_config.json read what the chat template writes",
                        render=render,
                        shows=(begins, len(render.text or "")),
                    )


def _readings(template: Template) -> Iterator[tuple[Render, int, Mapping[str, Any]]]:
    """Finished prompts, where the answer in each begins, and what it is read as."""
    asked = []
    for name, count in CONVERSATIONS:
        conversation = template.conversation(name).first(count)
        prompt = template.render_conversation(conversation.first(count - 1), generation_prompt=True).text
        render = template.render_conversation(conversation)
        if prompt is not None and render.text is not None and render.text.startswith(prompt):
            answer = render.text[len(prompt) :].rstrip()  # a model stops with its last token, and blanks follow it
            asked.append((render, len(prompt), template.tokenizer.parsed(prompt, answer, conversation.tools)))
    yield from ((render, begins, read) for render, begins, read in asked if read is not None)


def _losses(render: Render, begins: int, read: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is read otherwise than it was written, each with its field."""
    if "error" in read:
        yield "error", f"parse_response raises {quoted(str(read['error']))}"
        return
    assert render.recipe is not None
    conversation, answer = render.recipe.conversation, (render.text or "")[begins:]
    message = read.get("message")
    found = _fields(message if isinstance(message, dict) else {})
    for field, written in _fields(conversation.messages[-1]).items():
        if found[field] != written and all(word in answer for word in _words(written)):
            yield field, f"parse_response reads {_named(field, found[field])} where {_shown(written)} was written"


def _fields(message: Mapping[str, Any]) -> dict[str, Any]:
    """What has to come back of a message."""
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    return {
        "content": "".join(text for text in texts if isinstance(text, str)),
        "reasoning": next((message[key] for key in REASONING_FIELDS if message.get(key)), ""),
        "tool calls": [_call(call) for call in message.get("tool_calls") or ()],
    }


def _call(call: Any) -> Any:
    function = call.get("function", call) if isinstance(call, dict) else {}
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        with contextlib.suppress(ValueError):
            arguments = json.loads(arguments)
    return [function.get("name"), arguments]


def _words(value: Any) -> Iterator[str]:
    """The texts in a value, all of which the answer has to hold for it to be read there."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _words(item)


def _named(field: str, value: Any) -> str:
    return f"the {field} {_shown(value)}" if value else f"no {field}"


def _shown(value: Any) -> str:
    if not value:
        return "none"
    return quoted(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
