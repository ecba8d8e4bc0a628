"""Work on many prompts at once, on fewer where the memory does not suffice."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from tpllint.generation.model_refusal import RefusedError, said_by

torch: Any = importlib.import_module("torch")

MOST = 16
"""Prompts in one batch."""

T = TypeVar("T")
R = TypeVar("R")


def in_batches(items: Sequence[T], work: Callable[[Sequence[T]], list[R]]) -> Iterator[R]:
    """What `work` makes of the items, in their order. Raises RefusedError where one alone is too much for the memory."""
    done, size = 0, MOST
    while done < len(items):
        try:
            results = work(items[done : done + size])
        except (RuntimeError, MemoryError) as error:
            if not _wants_memory(error):
                raise
            if size == 1:
                raise RefusedError("out-of-memory", said_by(error)) from error
            size = max(1, min(size, len(items) - done) // 2)
        else:
            yield from results
            done += len(results)
            continue
        _free_memory()  # only here has the error let go of what it held


def _wants_memory(error: Exception) -> bool:
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)


def _free_memory() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
