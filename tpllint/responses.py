"""Answers as transformers' `parse_response` reads them with a model's `response_template`, in a bounded process of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tpllint import wire
from tpllint.confined import confined
from tpllint.errors import RepairableError

SECONDS = 10.0
"""Wall time for all answers of a model; the expressions of its response_template are a stranger's."""
NO_LIBRARY = "transformers 5.13 or later is not installed (pip install transformers)"
_PARSER = "tpllint.analysis.response_parsing"


def parse(response_template: Mapping[str, Any], asked: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """What becomes of each answer, by the question: a `message`, or the `error` that it raises. Raises RepairableError.

    A question is JSON: the prompt, the answer and the tools.
    """
    request = {"response_template": dict(response_template), "asked": [json.loads(text) for text in asked]}
    with confined(_PARSER, SECONDS, _refusal) as parser:
        _expect(parser.message(), "ready")
        parser.ask(request)
        return {text: dict(_expect(parser.message(), "parsed")["outcome"]) for text in asked}


def _refusal(reason: str) -> RepairableError:
    hint = "check response_template in tokenizer_config.json"
    return RepairableError("unusable-response-template", f"response_template cannot be used: {reason}", hint)


def _expect(message: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    if message["kind"] == "no-library":
        raise RepairableError("no-library", NO_LIBRARY, "install it beside tpllint")
    if message["kind"] != kind:
        raise wire.WireError("a message out of order")
    return message
