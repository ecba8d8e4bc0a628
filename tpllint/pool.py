"""Starts, feeds, bounds and replaces workers: the processes in which templates are executed."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tpllint import spawn, wire
from tpllint.answer_form import require_form
from tpllint.errors import RepairableError
from tpllint.job import Job
from tpllint.rule import RuleInfo, rule_info_from_json
from tpllint.sources.files import ModelFiles

JOB_SECONDS = 10.0
START_SECONDS = 60.0
ROOMS = ("description", "rows", "side", "signatures")
"""What a worker can do that not every run asks for (`tpllint.analysis.main.ROOMS`)."""
JOBS_PER_EXTRA_WORKER = 8
"""A further worker costs about as much as this many jobs."""


class Order(NamedTuple):
    """A job, and whose files it holds: one worker never serves two strangers. `model` is where more of its files come from."""

    origin: str
    job: Job
    model: ModelFiles | None = None

    @property
    def encoder(self) -> str | None:
        """What turns a text into token ids for these files, where something may: equal jobs may differ in it."""
        if self.model is None:
            return None
        return self.model.commit or (self.model.folder if self.model.head else None)


@dataclass
class Answers:
    """What came back for one job. `ended` is None when the worker finished it, else the reason why it did not.

    `questions` are what a rule waits for, by its name, each with its kind (see `analysis.tokenizer`); `unanswered`
    tells why a rule waits in vain.
    """

    messages: list[dict[str, Any]] = field(default_factory=list)
    exhausted: dict[str, dict[str, str]] = field(default_factory=dict)
    undecided: dict[str, str] = field(default_factory=dict)
    questions: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)
    ended: str | None = None


class BelatedError(ValueError):
    """An answer to a job that is over: the worker has said more than it was asked, and this job is not begun."""


class Worker:
    """One child process and the job it is busy with. `serves` tells whether it has said that it has begun."""

    def __init__(self, hello: dict[str, Any]) -> None:
        try:
            self.process = spawn.take()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            message = f"no worker process can be started: {reason}"
            raise RepairableError("no-worker", message, "allow more processes and open files, then run again") from error
        self.greeted = self.serves = False
        self.origin: str | None = None
        self.index = -1
        self.deadline = time.monotonic() + START_SECONDS
        self.size = 0
        self.buffer = bytearray()
        self._send(hello)

    def reserve(self, index: int) -> None:
        """This will be its job once it has started."""
        self.index = index

    def give(self, index: int, order: Order) -> None:
        """Hand over a job; the clock for it starts now."""
        self.origin, self.index, self.size, self.serves = order.origin, index, 0, False
        self.deadline = time.monotonic() + JOB_SECONDS
        self._send(order.job.as_json())

    def receive(self) -> Iterator[dict[str, Any]]:
        """The messages that one read completes. Raises WireError on a broken or oversized answer, EOFError at the end."""
        assert self.process.stdout is not None
        data = os.read(self.process.stdout.fileno(), 1 << 20)
        if not data:
            raise EOFError
        self.buffer += data
        self.size += len(data)
        if self.size > wire.MAX_ANSWER_BYTES:
            raise wire.WireError("more than 16 MB of answers")
        while (message := wire.take(self.buffer, wire.MAX_ANSWER_BYTES)) is not None:
            yield message

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def _send(self, message: dict[str, Any]) -> None:
        """Write a message; to one that does not read it no longer than its time lasts."""
        assert self.process.stdin is not None
        body = memoryview(wire.encode(message))
        with contextlib.suppress(BrokenPipeError), selectors.DefaultSelector() as selector:  # it died; reading says so
            os.set_blocking(self.process.stdin.fileno(), False)
            selector.register(self.process.stdin, selectors.EVENT_WRITE)
            while body and selector.select(max(self.deadline - time.monotonic(), 0.0)):
                body = body[self.process.stdin.write(body) or 0 :]


class Pool:
    """Workers that share one list of jobs. Use as a context manager: leaving it ends them.

    Jobs may ask for a description or examine rows only where `rooms` names that: to import all of it takes 15 ms. Its `rules`
    have their documentation and an example where it is `documented`: to send all of it takes 5 ms. `hands` are the workers it
    begins with, for who knows that there will be as many jobs at once. `meanwhile` is called once, when each of these has its
    first job: from then on this process waits.
    """

    def __init__(
        self,
        packs: Sequence[str] = (),
        size: int | None = None,
        *,
        rooms: Sequence[str] = ROOMS,
        documented: bool = True,
        hands: int = 1,
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        self._hello = {"packs": list(packs), "rooms": list(rooms), "documented": documented}
        self._size = size or os.cpu_count() or 1
        self._ordered = 0
        self._meanwhile = meanwhile
        self._idle = [Worker(self._hello) for _ in range(hands)]
        self._staff = set(self._idle)
        self.rules: tuple[RuleInfo, ...] = ()

    def __enter__(self) -> Pool:
        self.rules = self._greet(self._idle[0])
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._staff:
            worker.stop()
        self._staff.clear()
        self._idle.clear()

    def run(self, orders: Sequence[Order], on_done: Callable[[int], None] = lambda _: None) -> list[Answers]:
        """Answers for each order, in the orders' sequence; `on_done` hears the index of each that is finished."""
        run = _Run(orders, on_done, {rule.name for rule in self.rules})
        for worker in self._called_up(orders):
            self._employ(run, worker)
        while run.busy:
            if self._meanwhile is not None and all(worker.greeted for worker in run.busy):
                self._meanwhile()
                self._meanwhile = None
            self._step(run)
        return run.answers

    def _called_up(self, orders: Sequence[Order]) -> list[Worker]:
        """Those who are to work: as many as pay for themselves by all the jobs so far, of which these may be a small part."""
        self._ordered += len(orders)
        wanted = min(self._size, 1 + self._ordered // JOBS_PER_EXTRA_WORKER, max(len(self._idle), len(orders)))
        idle = sorted(self._idle, key=lambda worker: worker.index)  # who had the same place before may know the same files
        workers = idle + [self._hired() for _ in range(wanted - len(idle))]
        self._idle = []
        return workers

    def _hired(self) -> Worker:
        worker = Worker(self._hello)
        self._staff.add(worker)
        return worker

    def _employ(self, run: _Run, worker: Worker) -> None:
        """Give a worker its next job, or let it rest."""
        if not run.waiting:
            self._idle.append(worker)
            return
        index = run.waiting.popleft()
        order = run.orders[index]
        if worker.origin not in (None, order.origin):
            worker = self._replaced(worker)
        if worker.greeted:
            worker.give(index, order)
        else:
            worker.reserve(index)
        run.begin(worker)

    def _replaced(self, worker: Worker) -> Worker:
        worker.stop()
        self._staff.discard(worker)
        return self._hired()

    def _step(self, run: _Run) -> None:
        left = min(worker.deadline for worker in run.busy) - time.monotonic()
        for worker in run.readable(max(left, 0.0)):
            if not worker.greeted:
                self._start(run, worker)
                continue
            try:
                for message in worker.receive():
                    if run.take(worker, message):
                        self._employ(run, worker)
            except BelatedError:
                run.postpone(worker)
                self._employ(run, self._replaced(worker))
            except (EOFError, wire.WireError, KeyError, TypeError, ValueError) as error:
                self._give_up(run, worker, _why(worker, error))
        answered = set(run.readable(0.0))  # while some were served, others may have waited to be heard
        for worker in [worker for worker in run.busy if worker.deadline <= time.monotonic() and worker not in answered]:
            if worker.greeted:
                self._give_up(run, worker, f"it did not finish within {JOB_SECONDS:g} seconds")
            else:
                self._start(run, worker)

    def _start(self, run: _Run, worker: Worker) -> None:
        """Give a new worker the job that waits for it. Raises RepairableError where it did not come up."""
        self._greet(worker)
        worker.give(worker.index, run.orders[worker.index])

    def _give_up(self, run: _Run, worker: Worker, reason: str) -> None:
        if worker in run.busy:
            run.abandon(worker, reason)
            self._employ(run, self._replaced(worker))
        elif worker in self._idle:  # it has said more than it was asked
            self._idle[self._idle.index(worker)] = self._replaced(worker)

    def _greet(self, worker: Worker) -> tuple[RuleInfo, ...]:
        message = _first_message(worker)
        if message.get("kind") != "ready":
            worker.stop()
            raise RepairableError(
                "broken-plug-in", str(message.get("message")), "repair or uninstall the rule pack or package that it names"
            )
        worker.greeted = True
        return tuple(rule_info_from_json(rule) for rule in message["rules"])


class _Run:
    """One call of `Pool.run`: what waits, who is busy, what has arrived."""

    def __init__(self, orders: Sequence[Order], on_done: Callable[[int], None], rules: Set[str]) -> None:
        self.orders = orders
        self._rules = rules
        self.answers = [Answers() for _ in orders]
        self.waiting = deque(range(len(orders)))
        self.busy: list[Worker] = []
        self._on_done = on_done

    def begin(self, worker: Worker) -> None:
        """The worker has a job now."""
        self.busy.append(worker)

    def readable(self, seconds: float) -> Iterable[Worker]:
        """The busy workers that sent something or ended."""
        with selectors.DefaultSelector() as selector:
            for worker in self.busy:
                assert worker.process.stdout is not None
                selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
            return [key.data for key, _ in selector.select(seconds)]

    def take(self, worker: Worker, message: dict[str, Any]) -> bool:
        """Keep a message; whether it was the job's last. Raises ValueError for one that is not as it must be."""
        require_form(message, self._rules)
        if worker not in self.busy:
            raise ValueError("a message to no job")
        if message["kind"] == "serving":
            worker.serves = True
            return False
        if not worker.serves:
            raise BelatedError
        answers = self.answers[worker.index]
        if message["kind"] != "done":
            answers.messages.append(message)
            if message["kind"] != "crash" or message["rule"]:
                return False
        else:
            answers.exhausted = message["exhausted"]
            answers.undecided = message["undecided"]
            answers.questions = {
                rule: [(kind, text) for kind, text in asked] for rule, asked in (message.get("questions") or {}).items()
            }
        self._finish(worker)
        return True

    def postpone(self, worker: Worker) -> None:
        """The worker's job is still to be done, by another one."""
        self.busy.remove(worker)
        self.waiting.appendleft(worker.index)

    def abandon(self, worker: Worker, reason: str) -> None:
        """The worker will not finish its job."""
        self.answers[worker.index].ended = reason
        self._finish(worker)

    def _finish(self, worker: Worker) -> None:
        self.busy.remove(worker)
        self._on_done(worker.index)


def _first_message(worker: Worker) -> dict[str, Any]:
    assert worker.process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(worker.process.stdout, selectors.EVENT_READ)
        while selector.select(max(worker.deadline - time.monotonic(), 0.0)):
            try:
                for message in worker.receive():
                    return message
            except (EOFError, wire.WireError):
                break
    return {"kind": "broken-pack", "message": _why_not_started(worker)}


def _why_not_started(worker: Worker) -> str:
    worker.process.kill()
    assert worker.process.stderr is not None
    last_words = worker.process.stderr.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
    worker.stop()
    if last_words:
        return f"the worker process did not start: {last_words}"
    return "a rule pack ended the worker process, wrote to its output or took longer than a minute to import"


def _why(worker: Worker, error: Exception) -> str:
    if isinstance(error, wire.WireError):
        return f"it sent {error}"
    if not isinstance(error, EOFError):
        return "it sent a message out of order"
    try:
        code = worker.process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        return "it stopped answering"
    signals = {-9: "it was killed, most likely for want of memory", -24: "it used more CPU time than it may"}
    return signals.get(code, f"its process ended with status {code}")
