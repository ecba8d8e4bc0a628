"""A process that reads answers with transformers and a stranger's response_template: one template, then it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tpllint.analysis.errand import answering, confined_request

LONGEST = 500


def main() -> None:
    """Read one request from standard input, and answer on standard output."""
    send = answering()  # transformers says on standard error that it misses torch
    try:
        from transformers.utils.chat_parsing import parse_response
    except ImportError:
        send(kind="no-library")
        return
    request = confined_request(send)
    if request is None:
        return
    for prompt, answer, tools in request["asked"]:
        send(kind="parsed", outcome=_outcome(parse_response, request["response_template"], prompt, answer, tools))


def _outcome(parse: Callable[..., Any], template: Any, prompt: str, answer: str, tools: Any) -> dict[str, Any]:
    try:
        message = parse(answer, template, prefix=prompt, tools=tools)
        return {"message": json.loads(json.dumps(message))}
    except Exception as error:  # whatever a response_template provokes is data about it
        return {"error": f"{type(error).__name__}: {error}"[:LONGEST]}
