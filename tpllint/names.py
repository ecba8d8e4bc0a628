"""Names that a user writes: which known one was meant by one that nobody knows."""

from __future__ import annotations

from collections.abc import Sequence

from tpllint.errors import RepairableError


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known name that looks most like a word, None where none does."""
    import difflib  # only who mistyped waits for it

    return next(iter(difflib.get_close_matches(word, known, n=1)), None)


def unknown(kind: str, what: str, word: str, known: Sequence[str], where: str = "") -> RepairableError:
    """The error about a name that is none of the known ones: it lists them, the nearest first."""
    near = nearest(word, known)
    guess = f'did you mean "{near}"? ' if near else ""
    listed = f"known are {', '.join(known)}" if known else "none is known"
    return RepairableError(kind, f'{where}unknown {what} "{word}"', f"{guess}{listed}")
