"""The files of one model as rules see them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from tpllint.analysis.template import Template
from tpllint.job import Fact

DEFAULT = "default"


class View(NamedTuple):
    """What one of transformers' loaders, `tokenizer` or `processor`, makes of the model's files.

    `templates` are those it loads, `shadowed` those that stand where it looks and that it does not load. `named` tells whether
    callers choose between the templates by name. `error` is why it raises instead of loading. `certain` tells whether the files
    leave no doubt that the model has such a loader.
    """

    loader: str
    templates: tuple[Template, ...]
    shadowed: tuple[Template, ...] = ()
    named: bool = False
    error: str | None = None
    certain: bool = True

    @property
    def default(self) -> Template | None:
        """The one of a call that names none and passes no tools; None where that call raises."""
        return self.template(DEFAULT)

    def template(self, name: str) -> Template | None:
        """The one of this name that it loads."""
        return next((template for template in self.templates if template.name == name), None)


class Model(NamedTuple):
    """A target's templates, the facts that the parent found about its files, and what each loader makes of them.

    `templates` are those that rules look at one by one. There are no views where the user has chosen the template. `locked` are
    the labels of the templates that a lock has; None where nobody asks for that.
    """

    templates: tuple[Template, ...]
    storage: tuple[Fact, ...]
    views: tuple[View, ...] = ()
    locked: Collection[str] | None = None

    def facts(self, kind: str) -> Iterator[Fact]:
        """The facts of one kind."""
        return (fact for fact in self.storage if fact.kind == kind)

    def view(self, loader: str) -> View | None:
        """What this loader makes of the files; None where the model has no such thing."""
        return next((view for view in self.views if view.loader == loader), None)

    def copies(self) -> Iterator[Template]:
        """The templates that stand where a loader looks, that none loads and that say something else than those, each once."""
        told = {template.text for template in self.templates}
        for view in self.views:
            for copy in view.shadowed:
                if copy.text not in told:
                    told.add(copy.text)
                    yield copy

    def discarded(self) -> tuple[Template, ...]:
        """The templates whose names the tokenizer loses while it has a default one."""
        view = self.view("tokenizer")
        if view is None or view.default is None or not view.default.text.strip():
            return ()
        return tuple(copy for copy in view.shadowed if view.template(copy.name) is None)

    def passed_over(self) -> Iterator[tuple[Template, Template]]:
        """Each template that no loader takes, with the one of its name that is loaded instead.

        A file whose names are discarded is not among them, nor is a copy of what another loader takes.
        """
        loaded = {template for view in self.views if view.certain for template in view.templates}
        told = loaded | {copy for copy in self._copies() if copy.file in {lost.file for lost in self.discarded()}}
        known = {(template.name, template.text) for template in loaded}
        for copy in self._copies():
            winner = self._instead_of(copy)
            if winner is not None and copy not in told and (copy.name, copy.text) not in known:
                told.add(copy)
                yield copy, winner

    def _copies(self) -> Iterator[Template]:
        for view in self.views:
            yield from view.shadowed if view.certain else view.templates

    def _instead_of(self, copy: Template) -> Template | None:
        views = (view for view in self.views if view.certain)
        return next((winner for view in views if (winner := view.template(copy.name)) is not None), None)
