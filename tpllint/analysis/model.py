"""The files of one model as rules see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tpllint.analysis.template import Template
from tpllint.job import Fact


@dataclass(frozen=True)
class Model:
    """A target's templates and the facts that the parent found about its files."""

    templates: tuple[Template, ...]
    storage: tuple[Fact, ...]

    def facts(self, kind: str) -> Iterator[Fact]:
        """The facts of one kind."""
        return (fact for fact in self.storage if fact.kind == kind)
