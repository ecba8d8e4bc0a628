"""What stands for a prompt or a source where two runs compare it: equal signatures, equal texts."""

from __future__ import annotations

import hashlib

LENGTH = 16
"""Hexadecimal digits."""


def signature(*parts: str) -> str:
    """The signature of some texts."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:LENGTH]
