"""Keeps the time of requests to the Hub: nothing is tried twice, and who keeps silent or trickles is given up.

huggingface_hub tries for 23 seconds and more to get each file from a Hub that is down, and sleeps as long as a rate limit
tells it to. It takes no other wishes; but exceptions that are not its own end a download at once, also those that the hooks
of its HTTP client raise.

What one model has waited in vain for a host, the next need not wait again: many models on a Hub that is down are told of as
soon as one.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextvars import ContextVar
from typing import TYPE_CHECKING, Generic, TypeVar

from tpllint.sources.hub_failures import failure, refusal, transport_package
from tpllint.sources.hub_target import HubTarget

if TYPE_CHECKING:
    from httpx2 import Client, Request, Response, SyncByteStream
else:
    SyncByteStream = transport_package().SyncByteStream

SECONDS_TO_ANSWER = 7
"""How long a server may take to be found, to accept a connection, to begin an answer, and between two pieces of one."""
SECONDS_OF_SILENCE = 8.5
"""After how long a request is given up that knows no limit of its own: the names of hosts are looked up without one."""
SECONDS_TO_WRITE = 20
"""How long an answer may take to begin where something is to be changed: to make a commit takes the Hub a while."""
SLOWEST = 10_000
"""How many bytes of a body must come each second once SECONDS_TO_ANSWER have passed."""
SECONDS_TO_REMEMBER = 60
"""How long a host that has kept silent is not asked again, once SECONDS_OF_SILENCE are spent on it."""
LEAST_SECONDS = 0.1
NOTHING_THERE = 416
"""The answer to a range of an empty file, which is no refusal."""
SIDE_BY_SIDE = 4

_TICK = 0.2
_WATCH: ContextVar[Watch | None] = ContextVar("_WATCH", default=None)
_HOOKING = threading.Lock()

T = TypeVar("T")


class UnneededError(Exception):
    """A task is not wanted any more, for one before it has failed."""


class _Patience:
    """How long hosts have been waited for since they last answered, by all tasks of this process."""

    def __init__(self) -> None:
        self._spent: dict[str, tuple[float, float]] = {}

    def left(self, host: str) -> float:
        """How many seconds more a host may take; none where it has kept silent too long."""
        spent, since = self._spent.get(host, (0.0, -math.inf))
        return SECONDS_OF_SILENCE - spent if time.monotonic() < since + SECONDS_TO_REMEMBER else SECONDS_OF_SILENCE

    def spend(self, host: str, left: float) -> None:
        """Note how much is left; tasks that waited side by side spent the same time."""
        self._spent[host] = (SECONDS_OF_SILENCE - min(left, self.left(host)), time.monotonic())

    def renew(self, host: str) -> None:
        """The host has answered."""
        self._spent.pop(host, None)


_PATIENCE = _Patience()


class Watch:
    """Watches the requests of one task, which come one after another; they end when the task is not needed any more."""

    def __init__(self, target: HubTarget, is_needed: Callable[[], bool]) -> None:
        self.target = target
        self._is_needed = is_needed
        self._given_up_at = math.inf
        self._unanswered = False
        self._host = ""

    @property
    def is_silent(self) -> bool:
        """Whether a request lasts longer than any may."""
        return time.monotonic() > self._given_up_at

    def asks(self, request: Request) -> None:
        """A request is about to be sent; it is a second try where the one before had no answer."""
        self._go_on()
        if self._unanswered:
            raise failure("hub-unreachable", self.target)
        self._host = request.url.netloc.decode("ascii", "replace")
        left = _PATIENCE.left(self._host)
        if left < LEAST_SECONDS:
            raise failure("hub-unreachable", self.target)
        self._unanswered = True
        more = SECONDS_TO_WRITE - SECONDS_TO_ANSWER if request.method == "POST" else 0
        self._given_up_at = time.monotonic() + left + more
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), min(SECONDS_TO_ANSWER, left))
        request.extensions["timeout"] = {**timeouts, "read": timeouts["read"] + more}

    def hears(self, response: Response) -> None:
        """An answer begins: a refusal ends the task, and a body is followed as it comes."""
        _PATIENCE.renew(self._host)
        self._unanswered = False
        if response.status_code >= 400 and response.status_code != NOTHING_THERE:
            raise refusal(response, self.target)
        assert isinstance(response.stream, SyncByteStream)
        response.stream = _Body(response.stream, self)

    def arrives(self, since: float, received: int) -> None:
        """So many bytes of a body have come since it began."""
        self._go_on()
        allowed = received / SLOWEST
        if time.monotonic() > since + SECONDS_TO_ANSWER + allowed:
            raise failure("hub-too-slow", self.target, slowest=SLOWEST // 1000)
        self._given_up_at = since + SECONDS_OF_SILENCE + allowed

    def has_failed(self) -> None:
        """The task is at its end; where that is for want of an answer, the next need not wait as long."""
        if self._unanswered:
            _PATIENCE.spend(self._host, self._given_up_at - time.monotonic())

    def rests(self) -> None:
        """An answer is complete, or no more of it is wanted."""
        self._given_up_at = math.inf

    def _go_on(self) -> None:
        if not self._is_needed():
            raise UnneededError


class _Body(SyncByteStream):
    """The body of an answer, cut short where it comes too slowly."""

    def __init__(self, stream: SyncByteStream, watch: Watch) -> None:
        self._stream = stream
        self._watch = watch

    def __iter__(self) -> Iterator[bytes]:
        since, received = time.monotonic(), 0
        transport = transport_package()
        try:
            for chunk in self._stream:
                received += len(chunk)
                self._watch.arrives(since, received)
                yield chunk
        except transport.TimeoutException as error:
            raise failure("hub-too-slow", self._watch.target, slowest=SLOWEST // 1000) from error
        except transport.TransportError as error:
            raise failure("connection-cut", self._watch.target) from error
        self._watch.rests()

    def close(self) -> None:
        self._stream.close()


def watched(client: Client, may_be_sent: Callable[[Request], None]) -> Client:
    """The client, whose requests are watched where `side_by_side` makes them; those of others it leaves alone.

    `may_be_sent` raises for a request that must not be.
    """
    with _HOOKING:
        for name, hook in (("request", may_be_sent), ("request", _before), ("response", _after)):
            if hook not in client.event_hooks[name]:
                client.event_hooks[name].append(hook)
    return client


def watched_target() -> HubTarget | None:
    """What the task that runs here is about; None outside of `side_by_side`."""
    watch = _WATCH.get()
    return watch.target if watch else None


def _before(request: Request) -> None:
    if watch := _WATCH.get():
        watch.asks(request)


def _after(response: Response) -> None:
    if watch := _WATCH.get():
        watch.hears(response)


def side_by_side(target: HubTarget, tasks: Sequence[Callable[[], T]]) -> list[T]:
    """What tasks bring, in their order, done a few at a time in threads; the error of the first one that fails is raised.

    The threads are daemons: one that hangs in the lookup of a name must not keep the program from ending.
    """
    crew = _Crew(target, tasks)
    for _ in range(min(SIDE_BY_SIDE, len(tasks))):
        threading.Thread(target=crew.work, daemon=True).start()
    return crew.results()


class _Crew(Generic[T]):
    """Tasks, and who waits for them."""

    def __init__(self, target: HubTarget, tasks: Sequence[Callable[[], T]]) -> None:
        self._target = target
        self._futures: list[Future[T]] = [Future() for _ in tasks]
        self._left = [*enumerate(tasks)][::-1]
        self._first_failed = len(tasks)
        self._failing = threading.Lock()
        self._watches: list[Watch] = []

    def work(self) -> None:
        """Do tasks until none is left; those that come after a failed one are not begun, or not brought to their end."""
        while True:
            try:
                index, task = self._left.pop()
            except IndexError:
                return
            if self._futures[index].set_running_or_notify_cancel():
                self._do(index, task)

    def _do(self, index: int, task: Callable[[], T]) -> None:
        watch = Watch(self._target, lambda: index < self._first_failed)
        self._watches.append(watch)
        _WATCH.set(watch)
        try:
            self._futures[index].set_result(task())
        except Exception as error:
            watch.has_failed()
            with self._failing:
                self._first_failed = min(self._first_failed, index)
            for later in self._futures[index + 1 :]:
                later.cancel()
            self._futures[index].set_exception(error)
        finally:
            watch.rests()

    def results(self) -> list[T]:
        """Wait for every task, so that none is left in the middle of a file, but for no silent one."""
        while wait(self._futures, _TICK).not_done and not any(watch.is_silent for watch in self._watches):
            pass
        for watch in self._watches:
            if watch.is_silent:
                watch.has_failed()
        return [self._result(future) for future in self._futures]

    def _result(self, future: Future[T]) -> T:
        if not future.done():
            raise failure("hub-unreachable", self._target)
        return future.result()
