"""The two forms that every answer of the Hub's API has: JSON, and a refusal."""

from __future__ import annotations

import json

from tests.local_hub.connection import Answer


class RefusedError(Exception):
    """The answer to a request that the Hub refuses; `code` goes by the name of X-Error-Code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
        self.answer = Answer(status, json.dumps({"error": message}).encode(), headers)


def as_json(told: object) -> Answer:
    return Answer(200, json.dumps(told).encode(), {"Content-Type": "application/json"})
