"""Which conversations show all that changed: a change of one blank can run through a hundred prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from tpllint.difference.dialects import Aligned
from tpllint.difference.outcomes import Compared, Status
from tpllint.difference.passages import Passage, passages


@dataclass(frozen=True)
class Example:
    """A conversation that shows a change which none before it shows, and the number of those that show no more than it.

    `left` and `right` are the prompts as they are held against each other, empty where a side raises; `passages` are where
    they part.
    """

    compared: Compared
    left: Aligned
    right: Aligned
    passages: tuple[Passage, ...]
    alike: int = 0

    @property
    def is_aligned(self) -> bool:
        """Whether markers are written as what they are for."""
        return any(own != shown for side in (self.left, self.right) for own, shown in side.pieces)


Change = tuple[str, str]
"""What stands on the two sides of a passage."""


def examples(changed: Iterable[Compared], texts: Callable[[Compared], tuple[Aligned, Aligned] | None]) -> list[Example]:
    """The conversations that show something new, the first one for each change.

    `texts` gives the prompts that are compared, None for those in which nothing but the dialect differs.
    """
    found: dict[frozenset[Change], Example] = {}
    alike: Counter[frozenset[Change]] = Counter()
    shown_by: dict[Change, frozenset[Change]] = {}
    for compared in changed:
        pair = texts(compared)
        if pair is None:
            continue
        parts = passages(pair[0].text, pair[1].text) if compared.status is Status.DIFFERENT else ()
        changes = _changes(compared, pair, parts)
        if changes <= shown_by.keys():
            alike[shown_by[min(changes)]] += 1
            continue
        shown_by |= {change: changes for change in changes if change not in shown_by}
        found[changes] = Example(compared, *pair, parts)
    return [replace(example, alike=alike[changes]) for changes, example in found.items()]


def _changes(compared: Compared, pair: tuple[Aligned, Aligned], parts: Iterable[Passage]) -> frozenset[Change]:
    """What changes: the words on both sides of each passage, or who raises what."""
    if compared.status is not Status.DIFFERENT:
        return frozenset({(str(compared.status), compared.left.error or compared.right.error or "")})
    left, right = (side.text for side in pair)
    return frozenset((left[slice(*part.left)], right[slice(*part.right)]) for part in parts)
