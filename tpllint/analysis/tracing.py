"""What the second compilation tells about a template: which code wrote what, which code ran, and why something was left out."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from tpllint.analysis.instrument import Body, Counter, Tracer
from tpllint.analysis.limits import LimitReached
from tpllint.analysis.renders import Recipe, Render, context_of, shown, tagged
from tpllint.analysis.reporter import Asked, Site, Trace
from tpllint.analysis.traced import Piece
from tpllint.conversations import canonical
from tpllint.span import Place

if TYPE_CHECKING:
    from tpllint.analysis.template import Template


MAX_SECONDS = 2.0
"""How long tracing one template may take in all, in time of the processor: what is told must not change with its load."""


class Written(NamedTuple):
    """A stretch of a prompt, `start` to `end`, the code that wrote it, and the message whose words it holds.

    `during` is the message in whose turn of a loop it was written. Indices are into the conversation's messages; None: none.
    `exact`: the code stands for the text character by character.
    """

    start: int
    end: int
    place: Place | None
    message: int | None
    during: int | None
    exact: bool = False


class Covered(NamedTuple):
    """A body and whether any render entered it."""

    body: Body
    reached: bool


class Tracing:
    """Traces of a template's renders, each made when first asked for. Undecided where a trace is not the plain text."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._traces: dict[int, tuple[Render, Trace | None]] = {}
        self._seconds = MAX_SECONDS

    def prepare(self) -> None:
        """Compile what traces need now, for who knows that it will be asked for."""
        self._tracer  # noqa: B018

    def written(self, render: Render) -> tuple[Written, ...] | None:
        """Who wrote what in a prompt, from its beginning to its end; None where nothing can be told."""
        trace = self._trace(render)
        return None if trace is None or trace.text is None else tuple(self._stretches(trace.pieces))

    def place_of(self, render: Render, shows: str | tuple[int, int] | None = None) -> Place | None:
        """The code that wrote a part of a prompt (see `tpllint.Problem.shows`)."""
        if render.text is None:
            return None
        start, end = shown(render.text, shows)
        pieces = self.written(render) or ()
        inside = [_clipped(piece, start, end) for piece in pieces if piece.start < max(end, start + 1) and piece.end > start]
        known = [place for place in inside if place is not None]
        return _together(known, self._template.text) or _last(pieces, render.text[:start])

    def place_of_loss(self, render: Render, message: int, about: str = "") -> Place | None:
        """The code that kept a message out of a prompt: the first condition that failed in its turn of a loop.

        One that asks for what the loss is `about` goes first, then one that guards where other messages' words are written,
        then one in a loop that writes anything, then one that asks for the role. Where none failed or no loop came to the
        message, the loop over messages or, without one, the first mention of them.
        """
        trace = self._trace(render) or Trace()
        failed = [asked for asked in trace.asked if asked.during == message and not asked.outcome]
        failed.sort(key=lambda asked: self._unlikely(asked, trace, about))
        if about and not any(about in self._code(asked) for asked in failed):  # then one that holds and took another way
            failed[:0] = [asked for asked in trace.asked if asked.during == message and about in self._code(asked)]
        return self._sites[failed[0].site].place if failed else self._messages

    def _unlikely(self, asked: Asked, trace: Trace, about: str) -> tuple[bool, ...]:
        """What speaks against a failed condition having kept a message out, the weightiest first."""
        assert self._tracer is not None
        own = [piece.site for piece in trace.pieces if piece.message is not None and piece.site is not None]
        written = [self._sites[site].place.start for site in own]
        body = self._tracer.bodies.get(self._tracer.guards.get(asked.site, -1))
        guards_words = body is not None and any(body.place.start <= start < body.place.end for start in written)
        code = self._code(asked)
        asks_for_the_role = "role" in code
        return about not in code, not guards_words, asked.loop not in trace.writing, not asks_for_the_role

    def _code(self, asked: Asked) -> str:
        condition = self._sites[asked.site].place
        return self._template.text[condition.start : condition.end]

    @functools.cached_property
    def _messages(self) -> Place | None:
        syntax = self._template.syntax
        if syntax is None:
            return None
        loops = (syntax.expression(loop.iter) for loop in syntax.find("For"))
        mentions = (syntax.place(name) for name in syntax.find("Name") if name.name == "messages")
        return next((place for place in loops if "messages" in syntax.text[place.start : place.end]), next(mentions, None))

    @functools.cached_property
    def coverage(self) -> tuple[Covered, ...] | None:
        """Every body of the template in source order, and whether the canonical conversations reach it.

        None where a limit ended one of them before all were reached: what was not reached might have been.
        """
        syntax = self._template.syntax
        if syntax is None:
            return None
        try:
            with self._running():
                counter = Counter(syntax)
            for recipe in _every_recipe():
                if len(counter.reached) == len(counter.bodies):
                    break
                self._count(counter, recipe)
        except (Exception, LimitReached):  # it compiles plainly; what counting breaks, or a limit ends, stays undecided
            return None
        bodies = sorted(counter.bodies.items(), key=lambda item: item[1].place.start)
        return tuple(Covered(body, site in counter.reached) for site, body in bodies)

    def _count(self, counter: Counter, recipe: Recipe) -> None:
        """Note the bodies that run in a render. Raises what a limit raises, and nothing that the template does."""
        context = self._context(recipe)
        try:
            with self._running():
                counter.run(context or {})
        except (MemoryError, RecursionError):
            raise
        except Exception:  # what the template refuses, or fails at, ends there
            return

    @functools.cached_property
    def _tracer(self) -> Tracer | None:
        syntax = self._template.syntax
        if syntax is None:
            return None
        try:
            with self._running():
                return Tracer(syntax)
        except (Exception, LimitReached):  # the plain compilation succeeded; what wrapping it breaks leaves places undecided
            return None

    @property
    def _sites(self) -> list[Site]:
        return [] if self._tracer is None else self._tracer.sites

    def _trace(self, render: Render) -> Trace | None:
        if id(render) not in self._traces:
            self._traces[id(render)] = render, self._made(render)
        return self._traces[id(render)][1]

    def _made(self, render: Render) -> Trace | None:
        recipe = render.recipe
        if recipe is None or self._tracer is None or (render.error and render.error.kind == "limit"):
            return None
        context = self._context(recipe)
        try:
            with self._running():
                trace = None if context is None else self._tracer.run(context)
        except (LimitReached, MemoryError, RecursionError):
            return None
        if trace is not None and recipe.continued and trace.text is not None and render.text is not None:
            trace.shorten(len(render.text))
        raised = None if render.error is None else render.error.type
        return trace if trace is not None and (trace.text, trace.error) == (render.text, raised) else None

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        """A share of the target's time: a place is worth less than what the rules still have to say."""
        started = time.process_time()
        try:
            with self._template.running(most=self._seconds):
                yield
        finally:
            self._seconds -= time.process_time() - started

    def _context(self, recipe: Recipe) -> Mapping[str, Any] | None:
        inputs = self._template.inputs(recipe.conversation, dict(recipe.tokens))
        if recipe.continued:
            opened = tagged(inputs)
            return None if isinstance(opened, str) else context_of(opened.inputs, generation_prompt=False)
        return context_of(inputs, generation_prompt=recipe.generation_prompt, keep_none=recipe.keep_none, clock=recipe.clock)

    def _stretches(self, pieces: Iterable[Piece]) -> Iterator[Written]:
        pieces = tuple(pieces)
        for start, piece in zip(accumulate((piece.length for piece in pieces), initial=0), pieces, strict=False):
            site = None if piece.site is None else self._sites[piece.site]
            place = None if site is None else site.place_of(piece.at, piece.length)
            yield Written(start, start + piece.length, place, piece.message, piece.during, site is not None and site.exact)


def _last(pieces: Iterable[Written], text: str) -> Place | None:
    """What wrote the end of a text, blanks aside."""
    words = len(text.rstrip()) or len(text)
    before = [piece.place for piece in pieces if piece.start < words]
    return before[-1] if before else None


def _every_recipe() -> Iterator[Recipe]:
    """All canonical conversations, once with each value of `add_generation_prompt`."""
    return (Recipe(conversation, flag) for flag in (True, False) for conversation in canonical().values())


def _clipped(piece: Written, start: int, end: int) -> Place | None:
    """The place of the part of a piece that lies between two offsets, as far as its code stands for it letter by letter."""
    place = piece.place
    if place is None or not piece.exact:
        return place
    first, last = max(start - piece.start, 0), min(end, piece.end) - piece.start
    return Place(place.start + first, place.start + max(last, first + 1))


def _together(places: list[Place], source: str) -> Place | None:
    """One place for several: all of them where they stand side by side on one line, else the first."""
    if not places:
        return None
    first = places[0]
    whole = Place(min(place.start for place in places), max(place.end for place in places))
    alone = "%}" not in source[whole.start : whole.end] and "\n" not in source[whole.start : whole.end]
    return whole if alone else first
