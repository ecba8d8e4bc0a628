"""What tpllint says about two versions of a model's templates: every conversation through both, and a verdict."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple

from tpllint.conversations import Conversation
from tpllint.conversations.variations import NO_PROBES, Probes
from tpllint.difference.anatomy import Change, changes, differences
from tpllint.difference.dialects import Aligned, Dialect, Said, agree, aligned, dialect, said, unaligned
from tpllint.difference.examples import Example, example, examples
from tpllint.difference.outcomes import Compared, Key, Outcomes, Status, compared
from tpllint.difference.passages import Effort
from tpllint.difference.shown import Shown
from tpllint.finding import Crash, Finding

SCHEMA = "tpllint-diff-v1"


class Verdict(StrEnum):
    """What a change of templates amounts to: cosmetic means that the sources differ and no prompt does."""

    IDENTICAL = "identical"
    COSMETIC = "cosmetic"
    BEHAVIOURAL = "behavioural"


class Structure(StrEnum):
    """How the prompts that two templates both render compare.

    DIALECT means that nothing differs once each one's own markers are written as what they are for. NONE means that there is no
    conversation that both render.
    """

    NONE = "none"
    SAME = "same"
    DIALECT = "dialect"
    DIFFERENT = "different"


BOTH_RENDER = (Status.SAME, Status.DIFFERENT)


@dataclass(frozen=True)
class Side:
    """One of two sides: whatever renders conversations.

    `sources` and `descriptions` (as `anatomy.by_name` gives them) are by the names of its templates. `engine` is what rendered
    the `outcomes`: two engines on one template are two sides. `probes` are what its templates ask for beside who says what.
    `undecided` are conversations that were made for it and of which a limit ended the render.
    """

    name: str
    sources: Mapping[str, str]
    outcomes: Outcomes
    descriptions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    crashes: tuple[Crash, ...] = ()
    probes: Probes = NO_PROBES
    undecided: tuple[str, ...] = ()
    engine: str = "transformers"


class Fits(NamedTuple):
    """How well one model's reference answers go with the prompts of each side, in nats per token: less fits better."""

    left: float
    right: float
    answers: int


@dataclass(frozen=True)
class Diff:
    """How two sides differ; `before` and `after` are the sides themselves, `left` and `right` their names.

    `known` are the conversations by their names, `own` the names of the user's; `untried` counts the settings and words for
    which no conversation was made, since there are too many. Every template that both sides have is compared in
    `conversations`. `shown` are the first of the `examples`, traced to the code behind them. `fits` is what a model says of
    both, where one was asked.
    """

    before: Side
    after: Side
    known: Mapping[str, Conversation] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    untried: int = 0
    shown: tuple[Shown, ...] = ()
    fits: Fits | None = None

    @property
    def left(self) -> str:
        """The name of the left side."""
        return self.before.name

    @property
    def right(self) -> str:
        """The name of the right side."""
        return self.after.name

    @property
    def source_changed(self) -> bool:
        """Whether any source is another one; the files that they stand in are not compared."""
        return self.before.sources != self.after.sources

    @property
    def templates_added(self) -> tuple[str, ...]:
        """The templates that only the right side has."""
        return _missing(self.after.sources, self.before.sources)

    @property
    def templates_removed(self) -> tuple[str, ...]:
        """The templates that only the left side has."""
        return _missing(self.before.sources, self.after.sources)

    @functools.cached_property
    def conversations(self) -> tuple[Compared, ...]:
        """Every conversation that both sides were given."""
        return tuple(compared(self.before.outcomes, self.after.outcomes))

    @functools.cached_property
    def changed(self) -> tuple[Compared, ...]:
        """The conversations of which a caller gets something else."""
        return tuple(each for each in self.conversations if each.changed)

    @property
    def verdict(self) -> Verdict:
        """What the change amounts to."""
        if self.templates_added or self.templates_removed or self.changed:
            return Verdict.BEHAVIOURAL
        return Verdict.COSMETIC if self.source_changed else Verdict.IDENTICAL

    @property
    def added(self) -> tuple[Finding, ...]:
        """The findings that only the right side has."""
        return unsaid(self.after.findings, self.before.findings)

    @property
    def removed(self) -> tuple[Finding, ...]:
        """The findings that only the left side has."""
        return unsaid(self.before.findings, self.after.findings)

    @property
    def crashes(self) -> tuple[Crash, ...]:
        """The rules that raised on either side."""
        return self.before.crashes + self.after.crashes

    @property
    def undecided(self) -> tuple[str, ...]:
        """The conversations that were made for the two sides and not compared: a limit ended their render on one of them."""
        return tuple(dict.fromkeys((*self.before.undecided, *self.after.undecided)))

    @functools.cached_property
    def anatomy(self) -> Mapping[str, Any]:
        """What differs between the descriptions of both sides, by template and path, as `differences` gives it."""
        return differences(self.before.descriptions, self.after.descriptions)

    def changes(self, template: str) -> tuple[Change, ...]:
        """What differs between the descriptions of a template that both sides have."""
        return changes(self.before.descriptions[template], self.after.descriptions[template])

    @functools.cached_property
    def structures(self) -> Mapping[str, Structure]:
        """For each template of both sides, how far its prompts differ."""
        return {name: self._structure(name) for name in self.before.sources if name in self.after.sources}

    @functools.cached_property
    def deeper(self) -> tuple[Compared, ...]:
        """The conversations in which more differs than how turns are marked."""
        return tuple(each for each in self.changed if not self._is_dialect(each))

    @functools.cached_property
    def examples(self) -> tuple[Example, ...]:
        """The conversations that together show everything that changed; beyond the dialect, where anything does.

        The user's own come first, and of the others those that show what most do.
        """
        if not self.deeper:
            return tuple(map(self.as_it_is, self.changed[:1]))
        found = examples(self.deeper, self.aligned_texts, self._effort)
        return tuple(sorted(found, key=lambda one: one.compared.name not in self.own))

    def every_example(self) -> tuple[Example, ...]:
        """Each conversation that changed, as the prompts are."""
        return tuple(map(self.as_it_is, self.changed))

    def as_it_is(self, each: Compared) -> Example:
        """A conversation with its prompts as they are."""
        return example(each, plain_texts, self._effort)

    @functools.cached_property
    def _effort(self) -> Effort:
        """What all comparisons of prompts may take."""
        return Effort()

    def with_shown(self, shown: Iterable[Shown]) -> Diff:
        """The same, with examples that are traced to the code behind them."""
        return self._with(shown=tuple(shown))

    def with_fits(self, fits: Fits) -> Diff:
        """The same, with what a model says of both sides."""
        return self._with(fits=fits)

    def _with(self, **fields: Any) -> Diff:
        """The same with these fields, and with all that was found out already."""
        made = replace(self, **fields)
        made.__dict__.update({name: value for name, value in self.__dict__.items() if name not in fields})
        return made

    def aligned_texts(self, each: Compared) -> tuple[Aligned, Aligned]:
        """The prompts of both sides; where the templates mark turns differently, markers are written as what they are for."""
        spoken = self._dialects.get(each.template)
        if spoken is None or each.status is not Status.DIFFERENT:
            return plain_texts(each)
        if each.key not in self._aligned:
            (one, other), texts = spoken, self._said(each.name)
            sides = aligned(each.left.text or "", texts, one, other), aligned(each.right.text or "", texts, other, one)
            self._aligned[each.key] = sides
        return self._aligned[each.key]

    @functools.cached_property
    def _aligned(self) -> dict[Key, tuple[Aligned, Aligned]]:
        """What was aligned before: every reader of a diff asks for it again."""
        return {}

    def _is_dialect(self, each: Compared) -> bool:
        left, right = self.aligned_texts(each)
        return each.status is Status.DIFFERENT and left.text == right.text

    @functools.cached_property
    def _dialects(self) -> Mapping[str, tuple[Dialect, Dialect]]:
        """How both sides mark turns, for each template of which they do so differently."""
        both = self.before.descriptions.keys() & self.after.descriptions.keys()
        pairs = {name: (dialect(self.before.descriptions[name]), dialect(self.after.descriptions[name])) for name in both}
        return {name: pair for name, pair in pairs.items() if not agree(*pair)}

    def _said(self, name: str) -> Sequence[Said]:
        conversation = self.known.get(name)
        return () if conversation is None else said(conversation)

    def _structure(self, name: str) -> Structure:
        def differs(found: Iterable[Compared]) -> bool:
            return any(each.template == name and each.status is Status.DIFFERENT for each in found)

        if not any(each.template == name and each.status in BOTH_RENDER for each in self.conversations):
            return Structure.NONE
        if not differs(self.changed):
            return Structure.SAME
        return Structure.DIFFERENT if differs(self.deeper) else Structure.DIALECT

    def as_json(self) -> dict[str, Any]:
        """The diff in the form of the JSON contract, `tpllint-diff-v1`."""
        return {
            "schema": SCHEMA,
            "left": self.left,
            "right": self.right,
            "verdict": str(self.verdict),
            "source_changed": self.source_changed,
            "templates": {"added": list(self.templates_added), "removed": list(self.templates_removed)},
            "structures": {name: str(structure) for name, structure in self.structures.items()},
            "conversations": [each.as_json() for each in self.conversations],
            "undecided": list(self.undecided),
            "untried": self.untried,
            "examples": [shown.as_json() for shown in self.shown],
            "anatomy": dict(self.anatomy),
            "findings": {
                "added": [finding.as_json() for finding in self.added],
                "removed": [finding.as_json() for finding in self.removed],
            },
            "fit": self.fits._asdict() if self.fits else None,
        }


def plain_texts(each: Compared) -> tuple[Aligned, Aligned]:
    """The prompts as they are, empty where a side raises."""
    return unaligned(each.left.text or ""), unaligned(each.right.text or "")


def _missing(names: Iterable[str], known: Container[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in known)


def unsaid(findings: Iterable[Finding], others: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that are not among the others, wherever either stand; of several alike, as many as there are more of."""
    known = Counter(map(_told, others))
    found = []
    for finding in findings:
        if known[_told(finding)]:
            known[_told(finding)] -= 1
        else:
            found.append(finding)
    return tuple(found)


def _told(finding: Finding) -> tuple[str, str, str | None]:
    return finding.rule, finding.message, finding.template
