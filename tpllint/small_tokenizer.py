"""A tokenizer.json that fits into the example of a rule: characters are tokens, and so is whatever is added or merged."""

from __future__ import annotations

import json
from collections.abc import Sequence

UNKNOWN = "?"


def tokenizer_json(*added: str, merges: Sequence[tuple[str, str]] = ()) -> str:
    """A tokenizer.json in which each of `added` is one special token, and each pair of `merges` becomes one token."""
    pieces = dict.fromkeys((UNKNOWN, *(piece for left, right in merges for piece in (left, right, left + right))))
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [{"id": number, "content": token, **plain} for number, token in enumerate(added, len(pieces))],
        "post_processor": None,
        "model": {
            "type": "BPE",
            "unk_token": UNKNOWN,
            "vocab": {piece: number for number, piece in enumerate(pieces)},
            "merges": [list(pair) for pair in merges],
        },
    }
    return json.dumps(tokenizer)
