"""What stands for a prompt or a source where two runs compare it: equal signatures, equal texts."""

from __future__ import annotations

import hashlib
import re

LENGTH = 16
"""Hexadecimal digits."""


ADDRESS = re.compile(r"(?<= at 0x)[0-9a-f]+(?=>)")
"""Where Python shows a function that a template prints by mistake; it is another one in each run."""


def steady(text: str) -> str:
    """A prompt without what is another in each run of the same template."""
    return ADDRESS.sub("", text) if " at 0x" in text else text


def signature(*parts: str) -> str:
    """The signature of some texts."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:LENGTH]
