"""A server for the webhooks of the Hub: events in, reviews of pull requests out, one after the other.

It answers at once. What is to be reviewed waits in a queue of bounded length, and each review is a process of its own.
"""

from __future__ import annotations

import contextlib
import hmac
import importlib
import io
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from tpllint.errors import RepairableError
from tpllint.report.escape import escape
from tpllint.webhook import MAX_PAYLOAD, Ignored, parse

PATH = "/webhooks/review"
TIME_LIMIT = 300
"""How many seconds one review may take."""
HEADER = "x-webhook-secret"

_LONGEST_LINE = 400
_KEPT = 10_000

Log = Callable[[str], None]
Key = tuple[str, int]


class Wanted(NamedTuple):
    """How the server is to be: where it listens, how many pull requests may wait, and whether reviews are posted."""

    host: str
    port: int
    queue: int
    comment: bool


class Reviews:
    """The pull requests that wait, each once, and the thread that reviews them; `log` is told what becomes of each."""

    def __init__(self, most: int, arguments: Sequence[str], log: Log) -> None:
        self._most = most
        self._arguments = arguments
        self._log = log
        self._waiting: list[Key] = []
        self._changed = threading.Condition()
        self._running: subprocess.Popen[bytes] | None = None
        self._ends = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def offer(self, keys: Sequence[Key]) -> bool:
        """Let these wait, all or none of them; False where there is no room."""
        with self._changed:
            new = [key for key in keys if key not in self._waiting]
            if len(self._waiting) + len(new) > self._most:
                return False
            self._waiting += new
            self._changed.notify()
            return True

    def end(self) -> None:
        """Forget what waits, and end the review that runs."""
        with self._changed:
            self._ends = True
            if self._running is not None:
                _kill(self._running)
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while (key := self._next()) is not None:
            self._log(f"{key[0]} {key[1]}: {self._outcome(key)}")

    def _next(self) -> Key | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ends or self._waiting)
            return None if self._ends else self._waiting.pop(0)

    def _outcome(self, key: Key) -> str:
        repository, number = key
        command = [sys.executable, "-P", "-m", "tpllint", "review", f"hf:{repository}", "--pr", str(number), *self._arguments]
        environment = {name: value for name, value in os.environ.items() if name != "WEBHOOK_SECRET"}
        with self._changed:
            if self._ends:
                return "not reviewed"
            self._running = process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environment,
                start_new_session=True,
            )
        try:
            _, said = process.communicate(timeout=TIME_LIMIT)
        except subprocess.TimeoutExpired:
            _kill(process)
            process.communicate()
            return f"ended after {TIME_LIMIT} seconds"
        finally:
            with self._changed:
                self._running = None
        told = " ".join(said[-_KEPT:].decode(errors="replace").split())
        return f"exit code {process.returncode}{told and f', {told}'}"


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a review with all processes that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class Answer(NamedTuple):
    """What the Hub is told, and the line that is logged."""

    status: int
    said: str


def answer(payload: bytes, reviews: Reviews) -> Answer:
    """Take up an event whose secret has been checked."""
    try:
        told = parse(payload.decode("utf-8"))
    except UnicodeDecodeError:
        return Answer(400, "the payload is not UTF-8")
    except RepairableError as error:
        return Answer(400, error.message)
    if isinstance(told, Ignored):
        return Answer(200, f"ignored: {told.reason}")
    names = f"{told.repository} {', '.join(map(str, told.numbers))}"
    if not reviews.offer([(told.repository, number) for number in told.numbers]):
        return Answer(503, f"the queue is full: {names}")
    return Answer(202, f"queued: {names}")


def refusal(given: str | None, secret: str) -> Answer | None:
    """Why a request is turned away whose secret is this; None for the right one. It takes the same time for any other."""
    if given is None:
        return Answer(401, "refused: there is no secret")
    if not hmac.compare_digest(given.encode("latin-1", "replace"), secret.encode()):
        return Answer(403, "refused: the secret is another one")
    return None


@contextlib.contextmanager
def served(wanted: Wanted, secret: str, log: Log) -> Iterator[None]:
    """Serve until the block ends. Raises RepairableError."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
    gradio, hub, fastapi, responses = _libraries()
    arguments = ["--exit-zero", *(["--comment"] if wanted.comment else [])]
    reviews = Reviews(wanted.queue, arguments, _escaped(log))

    async def receive(request: Any) -> Any:
        told = refusal(request.headers.get(HEADER), secret)
        if told is None:
            payload = await _body(request)
            told = Answer(413, "the payload is too long") if payload is None else answer(payload, reviews)
        _escaped(log)(told.said)
        return responses.JSONResponse({"said": told.said}, status_code=told.status)

    receive.__annotations__ = {"request": fastapi.Request}
    with _quiet():
        with gradio.Blocks(analytics_enabled=False, title="tpllint") as ui:
            pass
        server = hub.WebhooksServer(ui=ui, webhook_secret=secret)
        server.webhook_secret = None  # it compares in a time that tells how much is right; `receive` checks instead
        server.add_webhook(PATH.removeprefix("/webhooks"))(receive)
        _launch(server, wanted)
    try:
        log(f"listening: POST http://{wanted.host}:{wanted.port}{PATH}")
        yield
    finally:
        reviews.end()
        ui.close(verbose=False)


def _libraries() -> tuple[Any, Any, Any, Any]:
    try:
        gradio = importlib.import_module("gradio")
        found = (importlib.import_module("fastapi"), importlib.import_module("fastapi.responses"))
        return gradio, importlib.import_module("huggingface_hub"), *found
    except ImportError as error:
        message = "a server for webhooks needs gradio, which is not installed"
        raise RepairableError("missing-package", message, "pip install 'tpllint[webhook]'") from error


def _launch(server: Any, wanted: Wanted) -> None:
    """Listen. Nobody can log in to what gradio itself offers, such as uploads."""
    try:
        server.launch(
            prevent_thread_lock=True,
            share=False,
            quiet=True,
            ssr_mode=False,
            auth=_nobody,
            max_file_size=1,
            server_name=wanted.host,
            server_port=wanted.port,
        )
    except OSError as error:
        message = f"port {wanted.port} of {wanted.host} cannot be listened on"
        raise RepairableError("unusable-port", message, "choose another --port or --host") from error


def _nobody(user: str, password: str) -> bool:
    return False


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep to ourselves what the libraries print when they start, and that WebhooksServer is an experiment."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


async def _body(request: Any) -> bytes | None:
    """The body of a request, None where it is too long."""
    read = bytearray()
    async for part in request.stream():
        read += part
        if len(read) > MAX_PAYLOAD:
            return None
    return bytes(read)


def _escaped(log: Log) -> Log:
    return lambda line: log(escape(line, _LONGEST_LINE))
