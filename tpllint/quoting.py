"""Values in messages, the way a user would have to write them."""

from __future__ import annotations

import json
from collections.abc import Sequence

LONGEST = 120
MOST = 12
"""So many words are listed."""


def quoted(text: str) -> str:
    r"""The text in double quotes with `\n` for a line end; of a long text, its beginning and its end."""
    if len(text) > LONGEST:
        half = LONGEST // 2
        return f"{json.dumps(text[:half], ensure_ascii=False)} ... {json.dumps(text[-half:], ensure_ascii=False)}"
    return json.dumps(text, ensure_ascii=False)


def listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them: `a, b and c`; of very many, the first and how many others there are."""
    if len(words) > MOST:
        words = [*words[: MOST - 2], f"{len(words) - MOST + 2} others"]
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
