"""The files of one model as rules see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tpllint.analysis.template import Template
from tpllint.job import Fact


@dataclass(frozen=True)
class View:
    """What one of transformers' loaders, `tokenizer` or `processor`, makes of the model's files.

    `templates` are those it loads, `shadowed` those that stand where it looks and that it does not load. `named` tells whether
    callers choose between the templates by name. `error` is why it raises instead of loading.
    """

    loader: str
    templates: tuple[Template, ...]
    shadowed: tuple[Template, ...] = ()
    named: bool = False
    error: str | None = None

    def template(self, name: str) -> Template | None:
        """The one of this name that it loads."""
        return next((template for template in self.templates if template.name == name), None)


@dataclass(frozen=True)
class Model:
    """A target's templates, the facts that the parent found about its files, and what each loader makes of them.

    `templates` are those that rules look at one by one. There are no views where the user has chosen the template.
    """

    templates: tuple[Template, ...]
    storage: tuple[Fact, ...]
    views: tuple[View, ...] = ()

    def facts(self, kind: str) -> Iterator[Fact]:
        """The facts of one kind."""
        return (fact for fact in self.storage if fact.kind == kind)

    def view(self, loader: str) -> View | None:
        """What this loader makes of the files; None where the model has no such thing."""
        return next((view for view in self.views if view.loader == loader), None)
