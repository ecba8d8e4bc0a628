"""What decides on the words of a prompt beside who says what: the words themselves, lengths, counts, dates, names, chance.

A chat template should not interfere with natural language. Conversations of every structure are rendered while the outcome of
each predicate is noted; each outcome that none of them brings about is then forced, one at a time and, in code that is reached
only then, one after the other. Words that come out under force alone are what the predicate decides on.
"""

from __future__ import annotations

import functools
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tpllint.analysis.anatomy import sentinels, spoken
from tpllint.analysis.limits import LimitReached, TimeIsUp
from tpllint.analysis.renders import Render, context_of
from tpllint.analysis.syntax import asks_for
from tpllint.analysis.vetting.dependence import (
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
)
from tpllint.analysis.vetting.forcing import Forcing
from tpllint.analysis.vetting.forcing import Run as ForcedRun
from tpllint.analysis.vetting.phrases import SENTENCE, TOGETHER, Known, Run, runs, words_of
from tpllint.analysis.vetting.predicates import Predicate, predicate_of, speaks
from tpllint.conversations import Conversation, canonical
from tpllint.conversations.words import SECOND_ANSWER, SECOND_RESULT
from tpllint.markers import shared
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
MOST_RUNS = 1500
"""How many runs are forced; no published template takes a quarter of them."""
MOST_DEEP = 12
"""How many predicates are forced together to get at code within code."""
FORCING = "running code that no conversation reaches"
MOST_SECONDS = 1.0
"""How long a forced run may take: code that nobody is meant to reach may never end."""
ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
"""Of an object in memory: another one in every run."""
SWITCH = re.compile(r"think|thought|reason", re.IGNORECASE)
"""In a sentence that switches reasoning on or off."""
GRAVE = frozenset((CONTENT, LENGTH, DATE, RANDOM))
"""What may decide on nothing at all."""
LIGHT = frozenset((NAME, ENGINE, COUNT, POSITION))
"""What good templates look at, though not to choose sentences by."""
SPEAKERS = ("user", "system")
"""Whose messages have to be in the prompt, whatever comes out how; answers are taken apart around their reasoning."""


class Base(NamedTuple):
    """A run with which a forced one is compared; `chain` are the predicates that were forced already to get there.

    `said` are the words of the conversation's data and `texts` what its messages say.
    """

    render: Render
    context: Mapping[str, Any]
    said: frozenset[str]
    texts: tuple[str, ...]
    text: str
    chain: Mapping[int, bool] = {}

    @property
    def spoken(self) -> Iterator[str]:
        """What the user and the operator say."""
        conversation = self.render.recipe.conversation if self.render.recipe else None
        return (said for role, said in spoken(conversation) if role in SPEAKERS) if conversation else iter(())

    @property
    def roles(self) -> frozenset[str]:
        """Who speaks in the conversation."""
        messages = self.render.recipe.conversation.messages if self.render.recipe else ()
        return frozenset(str(message.get("role")) for message in messages)


class Forced(NamedTuple):
    """A predicate and the outcome that it is to have in a run; `others` are bases to try where it changes nothing in this one.

    `both`: conversations bring both outcomes about, so that only what differs between the two counts.
    """

    number: int
    outcome: bool
    base: Base
    others: tuple[Base, ...] = ()
    both: bool = False

    @property
    def chain(self) -> Mapping[int, bool]:
        """Everything that is forced in the run."""
        return {**self.base.chain, self.number: self.outcome}

    def elsewhere(self) -> Iterator[Forced]:
        """The same in the next of the other bases."""
        if self.others:
            yield self._replace(base=self.others[0], others=self.others[1:])


class Influence(NamedTuple):
    """A predicate, its place, and what becomes of a prompt when it comes out otherwise.

    `usual` is the render of a conversation as it comes out by itself, `render` the same while the predicate is forced to be
    `outcome`. `words` is the longest run of words that come in, `lost` what a message says that is missing then; where there is
    neither, the prompt is built in another way.
    """

    predicate: Predicate
    place: Place
    outcome: bool
    usual: Render
    render: Render
    words: str
    lost: str
    severity: Severity


class Interference:
    """What forcing a template's predicates brings out. Nothing where it does not compile or no chat renders."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._left = MOST_RUNS
        self._reached: dict[int, dict[bool, list[Base]]] = {}
        self._predicates: dict[int, Predicate] = {}
        self._words: dict[tuple[str, frozenset[str]], Known] = {}

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
                pass
            return Forcing(syntax.tree)  # without an alarm: it must not ring while the tree is wrapped
        except (Exception, LimitReached) as error:  # the plain compilation succeeded: what wrapping it breaks is not decided
            self._undecided(f"its conditions cannot be followed: {str(error) or type(error).__name__}")
            return None

    def _undecided(self, why: str) -> None:
        if not self._template.costs:  # else it is known already what runs without end there
            self._template.exhausted.setdefault(FORCING, why)

    def _observe(self, forcing: Forcing) -> None:
        """Note how the predicates come out by themselves in each conversation."""
        for render in self._ordinary:
            base = self._base(render)
            run = None if render.limited else self._run(forcing, base.context, {})
            if run is None:
                continue
            raised = render.error.type if render.error else None
            if run.raised != raised or (run.whole and not _is_same(run.written, base.text)):
                self._undecided("its prompt is another one each time")
                continue
            for number, outcome in run.asked:
                self._reached.setdefault(number, {}).setdefault(outcome, []).append(base)

    def _forced(self, forcing: Forcing) -> Iterator[tuple[int, Influence]]:
        """Force what never came about, and in code that is reached only then what comes about there no more than once."""
        waiting = deque(self._to_force(forcing))
        reached = set(self._reached)
        while waiting and self._left > 0:
            forced = waiting.popleft()
            self._left -= 1
            run = self._run(forcing, forced.base.context, forced.chain)
            if run is None:
                continue
            if forced.base.text.startswith(run.written):
                waiting.extend(forced.elsewhere())
            else:
                yield from self._influence(forcing, forced, run)
            fresh = [asked for asked in run.asked if asked[0] not in reached]
            if fresh and len(forced.chain) == MOST_DEEP:
                self._undecided(f"conditions within conditions, more than {MOST_DEEP} deep")
            elif fresh:
                reached.update(found for found, _ in fresh)
                deeper = self._deeper(forced, run)
                waiting.extend(Forced(found, not natural, deeper) for found, natural in fresh)
        if waiting:
            self._undecided(f"more than {MOST_RUNS} runs")

    def _to_force(self, forcing: Forcing) -> Iterator[Forced]:
        for number, outcomes in self._reached.items():
            grave = self._is_grave(forcing, number)
            for outcome, bases in outcomes.items():
                rendered = [base for base in bases if base.text] or bases[:1]
                others = _of_other_roles(rendered) if grave else rendered[1:][-1:]
                if len(outcomes) == 1:
                    yield Forced(number, not outcome, rendered[0], tuple(others))
                elif grave:
                    yield Forced(number, not outcome, rendered[0], both=True)

    def _is_grave(self, forcing: Forcing, number: int) -> bool:
        """Whether nothing at all may depend on a predicate, whatever conversations bring about."""
        predicate = self._predicate(forcing, number)
        is_free = predicate.shape or predicate.is_a_command or forcing.looks_for_keys(number)
        return bool(predicate.sources & GRAVE) and not is_free

    def _deeper(self, forced: Forced, run: ForcedRun) -> Base:
        return forced.base._replace(chain=forced.chain, text=run.written if run.whole else forced.base.text)

    def _influence(self, forcing: Forcing, forced: Forced, run: ForcedRun) -> Iterator[tuple[int, Influence]]:
        """What a run tells of the predicates that were forced in it: of the last one that may not decide on it."""
        base, text = forced.base, run.written
        news = self._news(base, text, both=forced.both)
        longest = max(news, key=lambda run: len(run.words), default=None)
        lost = next((said for said in base.spoken if said in base.text and said not in text), "") if run.whole else ""
        for number in reversed(forced.chain):
            most, alone = len(longest.words) if longest else 0, len(forced.chain) == 1
            level = self._level(forcing, number, most, lost, alone=alone)
            if level is not None:
                words = text[longest.start : longest.end] if longest else ""
                place, render = self._place(forcing, number), _as_forced(base.render, text)
                predicate, outcome = self._predicate(forcing, number), forced.chain[number]
                yield number, Influence(predicate, place, outcome, base.render, render, words, lost, level)
                return

    def _level(self, forcing: Forcing, number: int, words: int, lost: str, *, alone: bool) -> Severity | None:
        """How bad it is what a predicate decides on, `alone` or with others that are forced; None where it may."""
        predicate = self._predicate(forcing, number)
        if forcing.looks_for_keys(number) or predicate.shape or predicate.asks_for_a_usual_role:
            return None
        if lost and predicate.sources & (GRAVE | {COUNT}) and not (predicate.is_a_command or self._names_a_key(predicate)):
            return Severity.ERROR
        if not words:
            may_not = alone and self._is_grave(forcing, number) and self._may_change_nothing(predicate)
            return Severity.WARNING if may_not and not forcing.has_looked_for_keys(number) else None
        level = judged(predicate, words)
        if level is not None and ROLE in predicate.sources and not predicate.sources & GRAVE and self._speaks(forcing, number):
            return None
        return level

    def _may_change_nothing(self, predicate: Predicate) -> bool:
        """Whether a predicate looks for natural language, so that not even the form of a prompt may depend on it.

        Publishers document sentences that switch reasoning on and off.
        """
        is_spoken = any(letter.isalpha() for word in predicate.words for letter in word)
        switches = any(map(SWITCH.search, predicate.words))
        return CONTENT in predicate.sources and is_spoken and not switches and not self._names_a_key(predicate)

    def _names_a_key(self, predicate: Predicate) -> bool:
        """Whether the template takes entries by the words that a predicate looks for, so that it may look for a key."""
        syntax = self._template.syntax
        return bool(predicate.words) and syntax is not None and asks_for(syntax.tree, frozenset(predicate.words))

    def _speaks(self, forcing: Forcing, number: int) -> bool:
        assert self._template.syntax is not None
        assert self._template.dependence is not None
        return speaks(forcing.predicates[number], self._template.syntax, self._template.dependence)

    def _news(self, base: Base, text: str, *, both: bool = False) -> tuple[Run, ...]:
        """The runs of words that only a forced prompt has, looked for in the lines in which it differs.

        Where conversations bring both outcomes about, ordinary prompts hold them as well, and do not count.
        """
        start = shared(base.text, text)
        end = len(text) - shared(base.text[start:][::-1], text[start:][::-1])
        start, stop = text.rfind("\n", 0, start) + 1, text.find("\n", end)
        found = runs(without(text, base.texts), base.said, start, len(text) if stop < 0 else stop)
        fresh = [run for run in found if both or not self._known.knows(run)]
        known = self._words_of(base) if fresh else Known()
        return tuple(
            run for run in fresh if not (known.knows(run) or any(text[run.start : run.end] in one for one in base.texts))
        )

    def _words_of(self, base: Base) -> Known:
        """The words of a base itself; most bases are never asked for them."""
        key = (base.text, base.said)
        if key not in self._words:
            self._words[key] = Known()
            self._words[key].learn(runs(without(base.text, base.texts), base.said))
        return self._words[key]

    def _place(self, forcing: Forcing, number: int) -> Place:
        assert self._template.syntax is not None
        return self._template.syntax.expression(forcing.predicates[number])

    def _predicate(self, forcing: Forcing, number: int) -> Predicate:
        if number not in self._predicates:
            assert self._template.syntax is not None
            assert self._template.dependence is not None
            self._predicates[number] = predicate_of(
                forcing.predicates[number], self._template.syntax, self._template.dependence
            )
        return self._predicates[number]

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
        base = Base(usual, {}, said, _texts(conversation), usual.text)
        run = max(self._news(base, render.text), key=lambda run: len(run.words), default=None)
        return render.text[run.start : run.end] if run else ""

    def _base(self, render: Render) -> Base:
        assert render.recipe is not None
        conversation = render.recipe.conversation
        context = context_of(self._template.inputs(conversation), generation_prompt=render.recipe.generation_prompt)
        return Base(render, context, _said(conversation.name), _texts(conversation), render.text or "")

    def _run(self, forcing: Forcing, context: Mapping[str, Any], forced: Mapping[int, bool]) -> ForcedRun | None:
        try:
            with self._template.running(most=MOST_SECONDS):
                return forcing.run(context, forced)
        except TimeIsUp:
            self._undecided(f"it takes more than {MOST_SECONDS:g} seconds")
        except LimitReached as error:
            self._undecided(str(error))
        return None


def judged(predicate: Predicate, words: int) -> Severity | None:
    """How bad it is that a predicate decides on so many words in a row; None where that is no news of it."""
    sources = predicate.sources
    if sources & {CONTENT, LENGTH}:
        if predicate.is_a_command:
            return Severity.INFO if words >= SENTENCE else None
        spoken = not predicate.words or any(letter.isalpha() for word in predicate.words for letter in word)
        return Severity.ERROR if words >= (1 if spoken else TOGETHER) else None
    if words < TOGETHER:
        odd = any(not word.replace("_", "").replace("-", "").isalnum() for word in predicate.words)
        return Severity.WARNING if words and odd and ROLE in sources else None
    if sources & GRAVE:
        return Severity.ERROR
    if sources & (LIGHT | {ROLE}):
        return Severity.WARNING
    is_said = words >= SENTENCE and bool(predicate.words) and CONVERSATION in sources and KIND not in sources
    return Severity.WARNING if is_said else None


def _of_other_roles(bases: Sequence[Base]) -> list[Base]:
    """The first of the bases for each set of roles that speak, apart from that of the very first."""
    found = {bases[0].roles: bases[0]}
    for base in bases:
        found.setdefault(base.roles, base)
    return list(found.values())[1:]


def _as_forced(render: Render, text: str) -> Render:
    """A render of a conversation in which something was forced: its evidence says so."""
    assert render.recipe is not None
    conversation = render.recipe.conversation
    forced = replace(conversation, name=f"{conversation.name}, with this condition forced")
    return render._replace(text=text, error=None, blocks=(), recipe=render.recipe._replace(conversation=forced))


def _is_same(one: str, other: str) -> bool:
    """Whether two prompts are the same but for addresses of objects."""
    return one == other or ADDRESS.sub("", one) == ADDRESS.sub("", other)


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
