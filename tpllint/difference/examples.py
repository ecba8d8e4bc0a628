"""Which conversations show all that changed: a change of one blank can run through a hundred prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from tpllint.difference.dialects import Aligned
from tpllint.difference.outcomes import Compared, Status
from tpllint.difference.passages import Effort, Passage, passages


@dataclass(frozen=True)
class Example:
    """A conversation that shows a change which none before it shows, and the number of others that show just the same.

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
Texts = Callable[[Compared], tuple[Aligned, Aligned]]
"""The prompts of both sides as they are held against each other."""


def example(compared: Compared, texts: Texts, effort: Effort | None = None) -> Example:
    """A conversation and where its prompts part, as far as the effort goes."""
    left, right = texts(compared)
    parts = passages(left.text, right.text, effort) if compared.status is Status.DIFFERENT else ()
    return Example(compared, left, right, parts)


def examples(changed: Iterable[Compared], texts: Texts, effort: Effort | None = None) -> list[Example]:
    """The conversations that show something new, the first one for each change; what shows most often comes first."""
    found: dict[frozenset[Change], Example] = {}
    alike: Counter[frozenset[Change]] = Counter()
    known: set[Change] = set()
    for compared in changed:
        one = example(compared, texts, effort)
        changes = _changes(one)
        alike[changes] += 1
        if not changes <= known:
            known |= changes
            found[changes] = one
    told = [replace(one, alike=alike[changes] - 1) for changes, one in found.items()]
    return sorted(told, key=lambda one: -one.alike)


def _changes(one: Example) -> frozenset[Change]:
    """What changes: the words on both sides of each passage, or who raises what."""
    compared = one.compared
    if compared.status is not Status.DIFFERENT:
        return frozenset({(str(compared.status), compared.left.error or compared.right.error or "")})
    left, right = one.left.text, one.right.text
    return frozenset((left[slice(*part.left)], right[slice(*part.right)]) for part in one.passages)
