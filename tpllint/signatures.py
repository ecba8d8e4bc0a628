"""What stands for a prompt or a source where two runs compare it: equal signatures, equal texts."""

from __future__ import annotations

import hashlib
import re

LENGTH = 16
"""Hexadecimal digits."""


ADDRESS = re.compile(
    r"(<(?:(?:function|bound method|built-in method|generator object) [^<>\n]{1,200}|[\w.]{1,200} object) at 0x)"
    r"[0-9a-f]{6,16}(?=>)"
)
"""Where Python shows a function or an object that a template prints by mistake; it is at another address in each run."""


def steady(text: str) -> str:
    """A prompt without what is another in each run of the same template."""
    return ADDRESS.sub(r"\1", text) if " at 0x" in text else text


def signature(*parts: str) -> str:
    """The signature of some texts."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:LENGTH]
