"""What the code of the second compilation reports to while it runs: who wrote what, in whose turn, and what was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tpllint.analysis.environment import ChatEnvironment
from tpllint.analysis.traced import Piece, TracedText, between, joined, message_of, pieces_of
from tpllint.span import Place


class Site(NamedTuple):
    """A piece of code that writes or decides. `exact`: its text stands in the source character by character."""

    place: Place
    exact: bool = False

    def place_of(self, at: int, length: int) -> Place:
        """Where the characters from `at` on stand that this code wrote."""
        return Place(self.place.start + at, self.place.start + at + length) if self.exact else self.place


class Asked(NamedTuple):
    """A condition that was asked: its site, how it came out, the message in whose turn of which loop that was."""

    site: int
    outcome: bool
    during: int | None
    loop: int | None


@dataclass
class Trace:
    """What one render did: the pieces of its text, and the conditions in the order in which they were asked.

    `writing` are the loops over messages in whose turns something was written; `error` is the type of what the template raised.
    """

    text: str | None = None
    error: str | None = None
    pieces: tuple[Piece, ...] = ()
    asked: list[Asked] = field(default_factory=list)
    writing: set[int | None] = field(default_factory=set)

    def shorten(self, length: int) -> None:
        """Keep this many characters of the text."""
        if self.text is not None:
            self.text, self.pieces = self.text[:length], between(self.pieces, 0, length)


class _Turn(NamedTuple):
    """A turn of a loop: the loop, the message that is being dealt with, and the loop over messages that came to it."""

    site: int | None = None
    message: int | None = None
    loop: int | None = None


class TracingEnvironment(ChatEnvironment):
    """The environment of the second compilation: what the wrapped code reports to."""

    concat: Any = staticmethod(joined)

    def __init__(self) -> None:
        super().__init__()
        self.optimized = False  # next to nothing is constant between these calls, and to look for it takes long
        self.filters["tojson"] = _whose(self.filters["tojson"])
        self.sites: list[Site] = []
        self.trace = Trace()
        self._messages: dict[int, int] = {}
        self._turns: list[_Turn] = []

    def begin(self, messages: Sequence[Any]) -> Trace:
        """Start a new trace of a render of these messages, which are told apart by identity."""
        self.trace = Trace()
        self._messages = {id(message): index for index, message in enumerate(messages)}
        self._turns = []
        return self.trace

    @property
    def _turn(self) -> _Turn:
        """The turn of the innermost loop that runs now."""
        return self._turns[-1] if self._turns else _Turn()

    def wrote(self, site: int, value: Any) -> TracedText:
        """An output statement: what nobody else answers for, this site wrote."""
        text = value if isinstance(value, str) else _owned(str(value), value)
        self.trace.writing.add(self._turn.loop)
        return TracedText(text, tuple(self._answered(piece, site) for piece in pieces_of(text)))

    def part(self, site: int, value: Any) -> Any:
        """An operand of `+` or `~`; what is no text goes on as it is."""
        return self.wrote(site, value) if type(value) in (str, TracedText) else value

    def _answered(self, piece: Piece, site: int) -> Piece:
        """The piece, with a writer and a turn of the loop where it had none."""
        if piece.site is not None and piece.during is not None:
            return piece
        return piece._replace(
            site=site if piece.site is None else piece.site,
            during=self._turn.message if piece.during is None else piece.during,
        )

    def literal(self, site: int, value: str) -> TracedText:
        """A string written out in the template."""
        return TracedText(value, (Piece(len(value), site, during=self._turn.message),))

    def put_together(self, parts: Iterable[Any]) -> TracedText:
        """The operator `~`."""
        return joined(map(str, parts))

    def tested(self, site: int, value: Any) -> Any:
        """A condition."""
        self.trace.asked.append(Asked(site, bool(value), self._turn.message, self._turn.loop))
        return value

    def turn(self, site: int, item: Any) -> None:
        """A turn of a loop begins. What is no message, such as a tool call, belongs to the turn of the message around it."""
        self.leave(site)
        message = self._messages.get(id(item))
        around = self._turn
        self._turns.append(_Turn(site, around.message, around.loop) if message is None else _Turn(site, message, site))

    def leave(self, site: int) -> None:
        """A loop is over, or its last turn is."""
        while any(turn.site == site for turn in self._turns):
            self._turns.pop()


class CountingEnvironment(ChatEnvironment):
    """The environment of a compilation that reports nothing but the bodies that run."""

    def __init__(self) -> None:
        super().__init__()
        self.optimized = False
        self.reached: set[int] = set()

    def reach(self, site: int, value: Any = None) -> Any:
        """A body begins, or one side of a conditional expression was chosen."""
        self.reached.add(site)
        return value


def _whose(write: Callable[..., str]) -> Callable[..., str]:
    """A filter that writes a value as text, which is its message's as the value was."""

    def written(value: Any, *args: Any, **kwargs: Any) -> str:
        return _owned(write(value, *args, **kwargs), value)

    return written


def _owned(text: str, value: Any) -> TracedText:
    """The text that a value became, by nobody yet."""
    return TracedText(text, (Piece(len(text), message=message_of(value)),))
