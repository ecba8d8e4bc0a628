"""Where a model's chat templates and special tokens live, and what transformers' loaders make of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from tpllint.job import Fact, Loaded, Variant, Vocabulary
from tpllint.sources.files import CONFIG, LEGACY_TEMPLATE, PROCESSOR, TOKENIZER, ModelFile, ModelFiles
from tpllint.storage.neighbours import vocabulary_of
from tpllint.storage.reader import Reader
from tpllint.storage.reading import Stored
from tpllint.storage.views import BASE_MODEL, View
from tpllint.tokens import SpecialTokens


class Resolved(NamedTuple):
    """What a model's files amount to.

    `templates` are those that are checked: what the tokenizer loads, and what only the processor loads. `views` tell which
    loader has which, `files` are those that a finding can point into.
    """

    templates: tuple[Stored, ...]
    tokens: SpecialTokens
    facts: tuple[Fact, ...]
    files: tuple[ModelFile, ...] = ()
    views: tuple[View, ...] = ()
    vocabulary: Vocabulary = Vocabulary()

    @property
    def stored(self) -> tuple[Stored, ...]:
        """Every template there is: those that are checked, and behind them the ones that no loader takes."""
        shadowed = (stored for view in self.views for stored in view.shadowed)
        loaded = (stored for view in self.views for stored in view.templates)
        return tuple({stored.place: stored for stored in (*self.templates, *loaded, *shadowed)}.values())


def resolve(model: ModelFiles) -> Resolved:
    """The templates and tokens of a model, and the facts about its files that rules speak of."""
    reader = Reader(model)
    views = tuple(_labelled(tuple(reader.views())))
    tokens = reader.tokens()
    reader.read_the_rest()
    templates = tuple(_checked(views))
    facts = [Fact("unread", file.shown, file.reason) for file in model.unread]
    facts += [*model.facts, *reader.facts, *reader.elsewhere(templates)]
    if model.focus:
        named = {file.shown for name, file in model.files.items() if name in model.focus}
        named |= {file.shown for file in model.unread if file.name in model.focus}
        facts = [fact for fact in facts if fact.file in named]
    elif not templates and not any(map(_explains_absence, facts)):
        facts += reader.absence()
    files = tuple(file for name, file in model.files.items() if name != TOKENIZER)
    return Resolved(templates, tokens, tuple(facts), files, views, vocabulary_of(model, tokens))


def view_of(model: ModelFiles, loader: str) -> View:
    """What one loader makes of a model's files, whether or not they tell that the model has it."""
    return Reader(model).view_of(loader)


def with_base_model(resolved: Resolved, base: Resolved) -> Resolved:
    """The same, with a view of what the tokenizer of the model loads that this one was made from."""
    tokenizer = base.views[0]

    def apart(stored: Stored) -> Stored:
        """Under the path that findings print, which no file of the model itself has."""
        shown = stored.file.shown
        return replace(stored, file=replace(stored.file, name=shown), label=f"{shown}:{stored.label}")

    view = tokenizer._replace(loader=BASE_MODEL, templates=tuple(map(apart, tokenizer.templates)), shadowed=())
    files = tuple(stored.file for stored in view.templates)
    return resolved._replace(views=(*resolved.views, view), files=(*resolved.files, *files))


def without_base_model(resolved: Resolved, reason: str) -> Resolved:
    """The same, with the reason why there is no such view."""
    return resolved._replace(facts=(*resolved.facts, Fact("no-base-model", None, reason)))


def _explains_absence(fact: Fact) -> bool:
    """Whether nothing needs to be said of a missing template beside this fact."""
    may_hold_one = fact.name in (CONFIG, LEGACY_TEMPLATE, PROCESSOR) or fact.name.endswith(".jinja")
    is_unread = fact.kind in ("unread", "unreadable") and may_hold_one
    return is_unread or fact.kind in ("misplaced", "damaged-gguf", "gguf-without-template")


def _checked(views: Iterable[View]) -> Iterator[Stored]:
    """What the tokenizer loads, and what the processor loads that says something else."""
    seen: set[tuple[str, str]] = set()
    for view in views:
        for stored in view.templates:
            if (stored.name, stored.source) not in seen:
                seen.add((stored.name, stored.source))
                yield stored


def variants(resolved: Resolved) -> tuple[Variant, ...]:
    """The templates as a job carries them."""
    checked = {stored.place for stored in resolved.templates}
    return tuple(
        Variant(
            stored.name,
            stored.source,
            stored.label,
            stored.file.name,
            checked=stored.place in checked,
            carriage_returns=stored.has_carriage_returns,
            lone_carriage_return=stored.lone_carriage_return,
        )
        for stored in resolved.stored
    )


def loaded(resolved: Resolved) -> tuple[Loaded, ...]:
    """What each loader has, as a job carries it: templates by their index among the variants."""
    index = {stored.place: number for number, stored in enumerate(resolved.stored)}

    def of(held: Iterable[Stored]) -> tuple[int, ...]:
        return tuple(index[stored.place] for stored in held)

    return tuple(
        Loaded(view.loader, of(view.templates), of(view.shadowed), view.named, view.error, view.certain)
        for view in resolved.views
    )


def _labelled(views: Sequence[View]) -> Iterator[View]:
    """The same, with a label for each template: its name for those of the first loader that has any, else its file in front."""
    first = next((view.templates for view in views if view.templates), ())
    own = {stored.place for stored in first}

    def label(held: Iterable[Stored]) -> tuple[Stored, ...]:
        return tuple(
            stored if stored.place in own else replace(stored, label=f"{stored.file.name}:{stored.label}") for stored in held
        )

    for view in views:
        yield view._replace(templates=label(view.templates), shadowed=label(view.shadowed))
