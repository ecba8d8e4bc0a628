"""JSON that every reader takes, and that no reader of a log takes for a command."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_ODD = re.compile(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|\\ud[89a-f][0-9a-f]{2}|\\.|##(?=[A-Za-z]*\[)")
_REPLACED = r"\ufffd"


def json_text(value: Any, **form: Any) -> str:
    r"""The value as ASCII.

    Half a surrogate pair, of which strict readers refuse the whole text, becomes U+FFFD. `##[` and `##vso[` command runners
    of GitHub and Azure wherever they stand in a line; their second sign is written as an escape, which reads the same. What
    is no finite number is null: JSON has no word for it.
    """
    try:
        text = json.dumps(value, allow_nan=False, **form)
    except ValueError:
        text = json.dumps(_finite(value), **form)
    return _ODD.sub(_told, text) if "\\ud" in text or "##" in text else text


def _told(found: re.Match[str]) -> str:
    if found[0] == "##":
        return r"#\u0023"
    return _REPLACED if found[0].startswith(r"\ud") and len(found[0]) == 6 else found[0]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
