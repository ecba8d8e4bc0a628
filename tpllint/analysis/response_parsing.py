"""A process that reads answers with transformers and a stranger's response_template: one template, then it ends."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from tpllint import wire
from tpllint.analysis import limits

MAX_MEMORY_BYTES = 2_000_000_000
LONGEST = 500


def main() -> None:
    """Read one request from standard input, and answer on standard output."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)  # transformers says there that it misses torch

    def send(**message: Any) -> None:
        answers.write(wire.encode(message))
        answers.flush()

    try:
        from transformers.utils.chat_parsing import parse_response
    except ImportError:
        send(kind="no-library")
        return
    limits.confine(MAX_MEMORY_BYTES)
    send(kind="ready")
    request = wire.read(requests, wire.MAX_JOB_BYTES)
    if request is None:
        return
    limits.renew_cpu()
    for prompt, answer, tools in request["asked"]:
        send(kind="parsed", outcome=_outcome(parse_response, request["response_template"], prompt, answer, tools))


def _outcome(parse: Callable[..., Any], template: Any, prompt: str, answer: str, tools: Any) -> dict[str, Any]:
    try:
        message = parse(answer, template, prefix=prompt, tools=tools)
        return {"message": json.loads(json.dumps(message))}
    except Exception as error:  # whatever a response_template provokes is data about it
        return {"error": f"{type(error).__name__}: {error}"[:LONGEST]}
