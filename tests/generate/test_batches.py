"""Where memory does not suffice for many prompts at once, fewer are taken, and none is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tpllint.generation.model_batches import MOST, in_batches
from tpllint.generation.model_refusal import RefusedError

ITEMS = list(range(2 * MOST + 3))


def room_for(most: int, tried: list[int]) -> Callable[[Sequence[int]], list[int]]:
    """Work for which there is memory up to so many items at once."""

    def work(items: Sequence[int]) -> list[int]:
        tried.append(len(items))
        if len(items) > most:
            raise MemoryError("too much")
        return [-item for item in items]

    return work


@pytest.mark.parametrize("most", [1, 3, MOST, 1000])
def test_every_item_is_worked_on_in_order(most: int) -> None:
    tried: list[int] = []
    assert list(in_batches(ITEMS, room_for(most, tried))) == [-item for item in ITEMS]
    assert tried[0] == MOST
    assert sum(size > most for size in tried) <= 5, "what was too much is not tried again"


def test_an_item_that_alone_is_too_much_is_refused() -> None:
    with pytest.raises(RefusedError) as caught:
        list(in_batches(ITEMS, room_for(0, [])))
    assert (caught.value.failure, caught.value.reason) == ("out-of-memory", "too much")


def test_another_error_is_not_taken_for_a_want_of_memory() -> None:
    def work(items: Sequence[int]) -> list[int]:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        list(in_batches(ITEMS, work))
