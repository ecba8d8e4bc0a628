"""What a user can repair: one message and one hint, never a traceback."""

from __future__ import annotations

LONGEST = 2000
"""Of a message in characters; it quotes what somebody wrote, who may have written a megabyte."""

CUT = " ... "


class RepairableError(Exception):
    """Something the user named and tpllint cannot get or use at all; the command ends with exit code 2.

    `kind` is a stable identifier for machines (`no-such-path`, `gated-repository`), `message` is the sentence, lower
    case and without a final stop, `hint` says in the imperative what to do next.
    """

    def __init__(self, kind: str, message: str, hint: str) -> None:
        message, hint = _cut(message), _cut(hint)
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.hint = hint


def _cut(text: str) -> str:
    half = (LONGEST - len(CUT)) // 2
    return text if len(text) <= LONGEST else f"{text[:half]}{CUT}{text[-half:]}"
