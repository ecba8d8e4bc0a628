"""Answers that were given before: what many targets hold alike is analysed once, also where they are far apart."""

from __future__ import annotations

from collections import OrderedDict

from tpllint.pool import Answers

MAX_SIZE = 16_000_000
"""Of all answers that are kept, in characters; as objects they take a few times as much."""
LEAST = 500
"""What an answer counts for that says nothing."""


class Remembered:
    """Answers by the job that they are to; those that were asked for longest ago make room."""

    def __init__(self, max_size: int = MAX_SIZE) -> None:
        self._max_size = max_size
        self._size = 0
        self._kept: OrderedDict[bytes, tuple[Answers, int]] = OrderedDict()

    def get(self, key: str) -> Answers | None:
        """The answers to a job, by the text that tells it from all others; None where they are not known."""
        if not self._kept:
            return None
        digest = _digest(key)
        if digest not in self._kept:
            return None
        self._kept.move_to_end(digest)
        return self._kept[digest][0]

    def keep(self, key: str, answers: Answers) -> None:
        """Remember the answers to a job that is not known, unless they would take the room of all others."""
        size = LEAST + len(repr(answers.messages))
        if size > self._max_size:
            return
        self._kept[_digest(key)] = answers, size
        self._size += size
        while self._size > self._max_size:
            _, (_, freed) = self._kept.popitem(last=False)
            self._size -= freed


def _digest(key: str) -> bytes:
    import hashlib  # loads OpenSSL, which takes longer than most of a run

    return hashlib.sha256(key.encode("ascii")).digest()
