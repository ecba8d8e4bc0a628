"""The verb `data`: the rows of a training or evaluation set through the template of one target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from tpllint.errors import RepairableError
from tpllint.pool import Answers, Order, Pool
from tpllint.severity import Severity
from tpllint.sources.rows import Chunk, Rows
from tpllint.storage import Resolved
from tpllint.storage.reading import Stored
from tpllint.targets import Argument, Request, Target, opened, order_for, without_a_template

KINDS: Mapping[str, str] = {
    "bad-row": "write each row in one of the forms that tpllint data reads, or name the field of the conversation with --field",
    "raises": "change the row to what the template takes, or use another template",
    "drops-content": "move the words to where the template reads them: no model sees what is not in the prompt",
    "masked-empty": "put the generation markers around every answer that is to be trained on",
    "drops-reasoning": "pass the reasoning as the template reads it, or take it out of the data",
    "not-prefix-stable": "split the row after each answer, or use a template that writes an answer once and for all",
    "control-token-in-text": "take the token out: it is read as structure, as if the template had written it",
    "not-analysed": "shorten the row, or see with tpllint check whether the template ends",
}
"""The kinds of problems in the order of a report, and what to do about each."""
LARGEST_GROUP = 16
"""Chunks that are examined at the same time: as many as keep all workers busy, and few enough to hold in memory."""
ENDED_AT_LEAST = 5
ENDED_OF_ALL = 0.01
"""A run ends when so many rows, and this share of them, have been ended by a limit: then the template is at fault."""


@dataclass(frozen=True)
class RowProblem:
    """One thing that is wrong with a row.

    `index` is that of the message in its conversation, from 0, and `part` the field of a row that has several conversations.
    """

    kind: str
    severity: Severity
    message: str
    index: int | None = None
    part: str = ""


@dataclass(frozen=True)
class RowResult:
    """A row with something to be told of, by its number from 1."""

    row: int
    problems: tuple[RowProblem, ...]

    def by_worst(self) -> dict[tuple[str, Severity], list[RowProblem]]:
        """The problems by their kind and the worst severity that the kind has in this row: a row counts once for each kind."""
        kinds: dict[str, list[RowProblem]] = {}
        for problem in self.problems:
            kinds.setdefault(problem.kind, []).append(problem)
        return {(kind, _worst(problems)): problems for kind, problems in kinds.items()}


@dataclass(frozen=True)
class Portion:
    """What is told of some rows that follow each other.

    `kinds` counts the rows with a problem of a kind, by the worst severity that it has in the row; `worst` counts rows by the
    worst of all. Both count what is too slight to be told. `done` are the bytes of the file that are read. `by_line` tells that
    a row's number is that of its line.
    """

    rows: int
    told: tuple[RowResult, ...]
    kinds: Mapping[tuple[str, Severity], int]
    worst: Mapping[Severity, int]
    done: int
    by_line: bool = True


@dataclass
class Totals:
    """The sum of portions."""

    rows: int = 0
    kinds: Counter[tuple[str, Severity]] = field(default_factory=Counter)
    worst: Counter[Severity] = field(default_factory=Counter)

    def add(self, portion: Portion) -> None:
        """Count a portion."""
        self.rows += portion.rows
        self.kinds.update(portion.kinds)
        self.worst.update(portion.worst)

    def reaches(self, level: Severity) -> bool:
        """Whether a row has a problem of at least this severity."""
        return any(count and severity.rank >= level.rank for severity, count in self.worst.items())


@dataclass(frozen=True)
class Survey:
    """What `data` is asked for. `field` is where a row has its conversation; `tells_infos` is off for what is usual."""

    request: Request = field(default_factory=Request)
    field: str | None = None
    tells_infos: bool = False


def surveyed(argument: Argument, rows: Rows, pool: Pool, asked: Survey) -> Iterator[Portion]:
    """The rows through the template of a target, a portion at a time; nothing is kept of those that are reported.

    Raises RepairableError, also after some portions, where no further row can be examined.
    """
    (target,) = opened([argument], asked.request)
    error = without_a_template(target)
    if error is not None:
        raise RepairableError(error.kind, error.message, error.hint)
    assert target.resolved is not None
    run = _Run(target, _narrowed(target, target.resolved), pool, asked)
    for group in _groups(rows.chunks):
        yield replace(run.portion(group), by_line=rows.by_line)


def _groups(chunks: Iterator[Chunk]) -> Iterator[list[Chunk]]:
    """The chunks that are examined together: few at first, so that what is wrong with all rows is told soon."""
    size = 1
    while group := list(islice(chunks, size)):
        yield group
        size = min(2 * size, LARGEST_GROUP)


def _narrowed(target: Target, resolved: Resolved) -> Resolved:
    """With nothing but the template of a plain call and, behind it, that of a call with tools."""
    view = next((view for view in resolved.views if view.templates), None)
    if view is None:
        kept: Sequence[Stored | None] = resolved.templates[:1]
    else:
        kept = [view.chosen(tools=tools) for tools in (False, True)]
    if None in kept:
        names = ", ".join(stored.label for stored in resolved.templates)
        message = f"{target.argument} has no default template, but only: {names}"
        raise RepairableError("no-such-template", message, "name one of them with --template")
    alike = {stored.place: stored for stored in kept if stored}
    return resolved._replace(templates=tuple(alike.values()), views=(), facts=())


@dataclass(frozen=True)
class _Piece:
    """Lines that wait for a worker. With `announced`, it tells of each before it begins: one of them has ended a worker."""

    first: int
    lines: tuple[str, ...]
    announced: bool = False

    def after(self, index: int, *, announced: bool) -> Iterator[_Piece]:
        """What is left from this line on."""
        if index < len(self.lines):
            yield _Piece(self.first + index, self.lines[index:], announced)


class _Run:
    """One call of `surveyed`."""

    def __init__(self, target: Target, resolved: Resolved, pool: Pool, asked: Survey) -> None:
        self._target = target
        self._resolved = resolved
        self._pool = pool
        self._asked = asked
        self._rows = 0
        self._ended = 0

    def portion(self, group: Sequence[Chunk]) -> Portion:
        """Examine some chunks together."""
        before, told = self._rows, [result for chunk in group for result in _unread(chunk)]
        self._rows += len(told)
        waiting = [_Piece(chunk.first, chunk.lines) for chunk in group]
        while waiting:
            answers = self._pool.run([self._order(piece) for piece in waiting])
            waiting = [left for piece, said in zip(waiting, answers, strict=True) for left in self._taken(piece, said, told)]
            self._require_an_end()
        return self._counted(sorted(told, key=lambda result: result.row), self._rows - before, group[-1].end)

    def _order(self, piece: _Piece) -> Order:
        selection = {"text": "\n".join(piece.lines), "field": self._asked.field, "announced": piece.announced}
        return order_for(self._target, self._resolved, self._asked.request, (), want="rows", selection=selection)

    def _taken(self, piece: _Piece, answers: Answers, told: list[RowResult]) -> Iterator[_Piece]:
        """Keep what a worker said of some lines; what is left of them comes back."""
        self._require_sound(answers)
        if answers.ended and not piece.announced:
            yield replace(piece, announced=True)
            return
        rest = None
        for message in answers.messages:
            if message["kind"] == "rows":
                rest = message["rest"]
                self._rows += message["rows"]
                self._ended += message["late"]
                told += (_result(piece.first + index, problems) for index, problems in message["told"])
        if answers.ended:
            yield from self._without_the_last(piece, answers, told)
        elif rest is not None:
            yield from piece.after(rest, announced=piece.announced)

    def _without_the_last(self, piece: _Piece, answers: Answers, told: list[RowResult]) -> Iterator[_Piece]:
        """The line that was begun last has ended the worker."""
        index = next((message["index"] for message in reversed(answers.messages) if message["kind"] == "begun"), None)
        if index is None:
            raise self._exhausted(f"ended early: {answers.ended}")
        message = f"it is not analysed to the end: {answers.ended}"
        told.append(RowResult(piece.first + index, (RowProblem("not-analysed", Severity.ERROR, message),)))
        self._rows += 1
        self._ended += 1
        yield from piece.after(index + 1, announced=False)

    def _require_sound(self, answers: Answers) -> None:
        for message in answers.messages:
            if message["kind"] == "crash":
                raise RuntimeError(message["traceback"])
            if message["kind"] == "unusable":
                told = f"the template of {self._target.argument} {message['message']}"
                raise RepairableError("unusable-template", told, "run tpllint check on it")

    def _require_an_end(self) -> None:
        if self._ended >= ENDED_AT_LEAST and self._ended > ENDED_OF_ALL * self._rows:
            raise self._exhausted(f"does not end: {self._ended} of {self._rows} rows were stopped by a limit")

    def _exhausted(self, what: str) -> RepairableError:
        message = f"the analysis of the rows with {self._target.argument} {what}"
        return RepairableError("resource-exhaustion", message, "run tpllint check on the template")

    def _counted(self, told: Sequence[RowResult], rows: int, done: int) -> Portion:
        kinds: Counter[tuple[str, Severity]] = Counter()
        worst: Counter[Severity] = Counter()
        for result in told:
            kinds.update(result.by_worst().keys())
            worst[_worst(result.problems)] += 1
        return Portion(rows, tuple(self._shown(told)), kinds, worst, done)

    def _shown(self, told: Sequence[RowResult]) -> Iterator[RowResult]:
        for result in told:
            kept = tuple(one for one in result.problems if self._asked.tells_infos or one.severity is not Severity.INFO)
            if kept:
                yield RowResult(result.row, kept)


def _worst(problems: Iterable[RowProblem]) -> Severity:
    return max((problem.severity for problem in problems), key=lambda severity: severity.rank)


def _unread(chunk: Chunk) -> Iterator[RowResult]:
    for index, why in chunk.bad:
        yield RowResult(chunk.first + index, (RowProblem("bad-row", Severity.ERROR, f"it is {why}"),))


def _result(row: int, problems: Sequence[Sequence[Any]]) -> RowResult:
    return RowResult(
        row,
        tuple(
            RowProblem(kind if kind in KINDS else "not-analysed", Severity(level), text, index, part)
            for kind, level, text, index, part in problems
        ),
    )
