"""What decides on the words of a prompt beside who says what: the words themselves, lengths, counts, dates, names, chance.

A chat template should not interfere with natural language. Conversations of every structure are rendered while the outcome of
each predicate is noted; each outcome that none of them brings about is then forced, one at a time and, in code that is reached
only then, one after the other. Words that come out under force alone are what the predicate decides on.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tpllint.analysis.anatomy import sentinels
from tpllint.analysis.dependence import (
    CONTENT,
    CONVERSATION,
    COUNT,
    DATE,
    ENGINE,
    KIND,
    LENGTH,
    NAME,
    POSITION,
    RANDOM,
    ROLE,
    TOOLS,
)
from tpllint.analysis.forcing import Forcing
from tpllint.analysis.forcing import Run as ForcedRun
from tpllint.analysis.limits import LimitReached
from tpllint.analysis.markers import shared
from tpllint.analysis.phrases import SENTENCE, TOGETHER, Known, Run, runs, words_of
from tpllint.analysis.predicates import Predicate, predicate_of
from tpllint.analysis.renders import Render, context_of
from tpllint.conversations import Conversation, canonical
from tpllint.conversations.words import SECOND_ANSWER, SECOND_RESULT
from tpllint.severity import Severity
from tpllint.span import Place

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

STRUCTURES = (
    *("user", "user-assistant-user", "three-rounds", "system-user", "system-user-assistant-user", "system-in-the-middle"),
    *("user-parts", "all-parts", "image-and-text", "developer-user", "unknown-role", "two-users-in-a-row"),
    *("tools-declared", "tools-declared-with-system", "tools-every-kind-of-parameter", "tool-loop", "tool-loop-follow-up"),
    *("tool-loop-string-arguments", "two-calls-loop", "tool-loop-text-beside-call"),
    *("reasoning-last", "reasoning-old-and-last", "thinking-on", "thinking-off", "think-tags-old"),
)
"""Canonical conversations that differ in structure, not in words."""
UNPROMPTED = ("user-assistant", "user", "tool-call")
"""Those that are rendered without a generation prompt as well."""
DOCUMENT = {"title": SECOND_ANSWER, "text": SECOND_RESULT}
MOST_RUNS = 800
"""How many runs are forced; no published template takes a quarter of them."""
MOST_DEEP = 6
"""How many predicates are forced together to get at code within code."""
FORCING = "running code that no conversation reaches"
MOST_SECONDS = 1.0
"""How long a forced run may take: code that nobody is meant to reach may never end."""


class Base(NamedTuple):
    """A run with which a forced one is compared; `chain` are the predicates that were forced already to get there.

    `said` are the words of the conversation's data and `texts` what its messages say; `known` are the words of a forced base.
    """

    render: Render
    context: Mapping[str, Any]
    said: frozenset[str]
    texts: tuple[str, ...]
    text: str
    chain: Mapping[int, bool]
    known: Known


class Forced(NamedTuple):
    """A predicate and the outcome that it is to have in a run; `others` are bases to try where it changes nothing in this."""

    number: int
    outcome: bool
    base: Base
    others: tuple[Base, ...] = ()

    @property
    def chain(self) -> Mapping[int, bool]:
        """Everything that is forced in the run."""
        return {**self.base.chain, self.number: self.outcome}

    def elsewhere(self) -> Iterator[Forced]:
        """The same in the next of the other bases."""
        if self.others:
            yield Forced(self.number, self.outcome, self.others[0], self.others[1:])


class Influence(NamedTuple):
    """A predicate, its place, and the words that come into a prompt when it comes out as no ordinary conversation makes it.

    `usual` is the render without them, `render` the same conversation with them, `words` the longest run of them. `outcome` is
    how the predicate comes out then.
    """

    predicate: Predicate
    place: Place
    outcome: bool
    usual: Render
    render: Render
    words: str
    severity: Severity


class Interference:
    """What forcing a template's predicates brings out. Nothing where it does not compile or no chat renders."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._left = MOST_RUNS
        self._reached: dict[int, dict[bool, list[Base]]] = {}

    @functools.cached_property
    def influences(self) -> tuple[Influence, ...]:
        """Every predicate that decides on words and should not; each once."""
        forcing = self._forcing
        if forcing is None:
            return ()
        self._observe(forcing)
        found: dict[int, Influence] = {}
        for number, influence in self._forced(forcing):
            found.setdefault(number, influence)
        return tuple(found.values())

    @functools.cached_property
    def _forcing(self) -> Forcing | None:
        syntax = self._template.syntax
        if syntax is None or self._template.failure is not None:
            return None
        try:
            with self._template.running():
                return Forcing(syntax.tree)
        except (Exception, LimitReached):  # the plain compilation succeeded; what wrapping it breaks is not decided
            return None

    def _observe(self, forcing: Forcing) -> None:
        """Note how the predicates come out by themselves in each conversation."""
        for render in self._ordinary:
            base = self._base(render)
            run = self._run(forcing, base.context, {})
            if run is None or run.text != render.text:
                continue
            for number, outcome in run.asked:
                self._reached.setdefault(number, {}).setdefault(outcome, []).append(base)

    def _forced(self, forcing: Forcing) -> Iterator[tuple[int, Influence]]:
        """Force what never came about, and in code that is reached only then what comes about there no more than once."""
        waiting = deque(self._undecided())
        reached = set(self._reached)
        while waiting and self._left > 0:
            forced = waiting.popleft()
            self._left -= 1
            run = self._run(forcing, forced.base.context, forced.chain)
            if run is None:
                continue
            if run.text is None or run.text == forced.base.text:
                waiting.extend(forced.elsewhere())
            else:
                yield from self._influence(forcing, forced.chain, forced.base, run.text)
            fresh = [asked for asked in run.asked if asked[0] not in reached]
            if fresh and len(forced.chain) < MOST_DEEP:
                reached.update(found for found, _ in fresh)
                deeper = self._deeper(forced.base, forced.chain, run.text)
                waiting.extend(Forced(found, not natural, deeper) for found, natural in fresh)
        if waiting:
            self._template.exhausted.setdefault(FORCING, f"more than {MOST_RUNS} runs")

    def _undecided(self) -> Iterator[Forced]:
        for number, outcomes in self._reached.items():
            if len(outcomes) == 1:
                for outcome, bases in outcomes.items():
                    rendered = [base for base in bases if base.text] or bases[:1]
                    yield Forced(number, not outcome, rendered[0], tuple(rendered[1:][-1:]))

    def _deeper(self, base: Base, chain: Mapping[int, bool], text: str | None) -> Base:
        if text is None:
            return base._replace(chain=chain)
        known = Known()
        known.learn(runs(without(text, base.texts), base.said))
        return base._replace(chain=chain, text=text, known=known)

    def _influence(self, forcing: Forcing, chain: Mapping[int, bool], base: Base, text: str) -> Iterator[tuple[int, Influence]]:
        news = self._news(base, text)
        most = max((len(run.words) for run in news), default=0)
        for number in reversed(chain) if news else ():
            predicate = self._predicate(forcing, number)
            level = None if forcing.looks_for_keys(number) else judged(predicate, most)
            if level is not None:
                run = max(news, key=lambda run: len(run.words))
                words = text[run.start : run.end]
                forced = base.render._replace(text=text, error=None, blocks=())
                place = self._place(forcing, number)
                yield number, Influence(predicate, place, chain[number], base.render, forced, words, level)
                return

    def _news(self, base: Base, text: str) -> tuple[Run, ...]:
        """The runs of words that only a forced prompt has, looked for in the lines in which it differs."""
        start = shared(base.text, text)
        end = len(text) - shared(base.text[start:][::-1], text[start:][::-1])
        start, stop = text.rfind("\n", 0, start) + 1, text.find("\n", end)
        found = runs(without(text, base.texts), base.said, start, len(text) if stop < 0 else stop)
        return tuple(run for run in found if not (self._known.knows(run) or base.known.knows(run)))

    def _place(self, forcing: Forcing, number: int) -> Place:
        assert self._template.syntax is not None
        return self._template.syntax.expression(forcing.predicates[number])

    def _predicate(self, forcing: Forcing, number: int) -> Predicate:
        assert self._template.syntax is not None
        assert self._template.dependence is not None
        return predicate_of(forcing.predicates[number], self._template.syntax, self._template.dependence)

    @functools.cached_property
    def _ordinary(self) -> tuple[Render, ...]:
        template = self._template
        prompted = (template.render(name, generation_prompt=True) for name in STRUCTURES)
        documented = replace(template.conversation("user"), documents=[DOCUMENT])
        rest = (template.render(name) for name in UNPROMPTED)
        return (*prompted, *rest, template.render_conversation(documented, generation_prompt=True))

    @functools.cached_property
    def _known(self) -> Known:
        """The words of the ordinary prompts."""
        known = Known()
        for render in self._ordinary:
            if render.text is not None and render.recipe is not None:
                conversation = render.recipe.conversation
                known.learn(runs(without(render.text, _texts(conversation)), _said(conversation.name)))
        return known

    def news(self, render: Render, usual: Render) -> str:
        """The longest run of words that a prompt has and that neither another one nor any ordinary one has; empty without."""
        if render.text is None or usual.text is None or render.recipe is None or _is_alike(render, usual):
            return ""
        conversation = render.recipe.conversation
        said = words_of([conversation.messages, conversation.tools])
        base = Base(usual, {}, said, _texts(conversation), usual.text, {}, Known())
        found = self._news(base, render.text)
        run = max(found, key=lambda run: len(run.words), default=None)
        return render.text[run.start : run.end] if run else ""

    def _base(self, render: Render) -> Base:
        assert render.recipe is not None
        conversation = render.recipe.conversation
        context = context_of(self._template.inputs(conversation), generation_prompt=render.recipe.generation_prompt)
        return Base(render, context, _said(conversation.name), _texts(conversation), render.text or "", {}, Known())

    def _run(self, forcing: Forcing, context: Mapping[str, Any], forced: Mapping[int, bool]) -> ForcedRun | None:
        try:
            with self._template.running(most=MOST_SECONDS):
                return forcing.run(context, forced)
        except LimitReached:
            if not self._template.costs:  # else it is known what runs without end there
                self._template.exhausted.setdefault(FORCING, f"a run of more than {MOST_SECONDS:g} seconds")
            return None


def judged(predicate: Predicate, words: int) -> Severity | None:
    """How bad it is that a predicate decides on so many words in a row; None where that is no news of it."""
    if predicate.shape:
        return None
    sources = predicate.sources
    if sources & {CONTENT, LENGTH}:
        if predicate.is_a_command:
            return Severity.INFO if words >= SENTENCE else None
        spoken = not predicate.words or any(letter.isalpha() for word in predicate.words for letter in word)
        return Severity.ERROR if words >= (1 if spoken else TOGETHER) else None
    if sources & {DATE, RANDOM, ENGINE, NAME, COUNT, POSITION}:
        return Severity.ERROR if words >= TOGETHER else None
    if sources & {CONVERSATION, TOOLS} and KIND not in sources and predicate.words:
        return Severity.ERROR if words >= SENTENCE else None
    if ROLE in sources and not (predicate.asks_for_a_usual_role or predicate.speaks):
        odd = any(not word.replace("_", "").replace("-", "").isalnum() for word in predicate.words)
        return Severity.ERROR if words >= (1 if odd else TOGETHER) else None
    return None


@functools.cache
def _said(name: str) -> frozenset[str]:
    """The words of a canonical conversation beside what its messages say: its tools and data, and the keys that hold them."""
    return _data(canonical()[name])


def _data(conversation: Conversation) -> frozenset[str]:
    data = [{key: value for key, value in message.items() if key != "content"} for message in conversation.messages]
    return words_of([data, conversation.tools, list(DOCUMENT)])


def _texts(conversation: Conversation) -> tuple[str, ...]:
    """What messages and documents say, letter by letter."""
    return (*sentinels(conversation), *DOCUMENT.values())


def _is_alike(one: Render, other: Render) -> bool:
    """Whether two prompts are the same apart from what their messages say."""
    return _bare(one) == _bare(other)


def _bare(render: Render) -> str:
    text = render.text or ""
    for said in sentinels(render.recipe.conversation) if render.recipe else ():
        text = text.replace(said, "")
    return text


def without(text: str, texts: Sequence[str]) -> str:
    """A prompt with blanks between line ends in place of what the messages say, at the same offsets."""
    for said in texts:
        if len(said) > 1:
            text = text.replace(said, f"\n{' ' * (len(said) - 2)}\n")
    return text
