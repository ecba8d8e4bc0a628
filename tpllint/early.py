"""A worker that is started before the command line is even parsed: its imports take as long as the parent's."""

from __future__ import annotations

from tpllint.pool import Worker
from tpllint.registry import plugin_packs

_waiting: list[Worker] = []


def start() -> None:
    """Start a worker that `take` will hand over."""
    _waiting.append(Worker(plugin_packs()))


def take() -> Worker:
    """The worker that waits, or a new one."""
    return _waiting.pop() if _waiting else Worker(plugin_packs())


def discard() -> None:
    """End the worker that nobody took."""
    while _waiting:
        _waiting.pop().stop()
