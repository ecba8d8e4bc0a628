"""What a model can be promised to do: the words of `--expect`."""

from __future__ import annotations

from collections.abc import Iterable

from tpllint.names import unknown

CAPABILITIES = (
    "system",
    "developer",
    "tools",
    "tool-calls",
    "tool-results",
    "parallel-calls",
    "reasoning",
    "thinking-toggle",
    "generation-prompt",
    "generation-markers",
    "images",
    "parts",
)


def require_known(words: Iterable[str], where: str = "") -> None:
    """Raise RepairableError for a word that is no capability; `where` says who wrote it."""
    for word in words:
        if word not in CAPABILITIES:
            raise unknown("unknown-capability", "capability", word, CAPABILITIES, where)
