"""What the process of a model cannot do, for the parent to put into words."""

from __future__ import annotations


class RefusedError(Exception):
    """`failure` is one of the kinds in `tpllint.generation.failures`."""

    def __init__(self, failure: str, reason: str = "") -> None:
        super().__init__(failure, reason)
        self.failure = failure
        self.reason = reason


def said_by(error: BaseException) -> str:
    """What an error of a library says, in one line: the first one that says something, since hints come after it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
