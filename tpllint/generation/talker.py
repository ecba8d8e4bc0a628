"""The process of a model as its parent sees it: begun early, asked, and ended with everything it has started."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import IO, Any

from tpllint import spawn, wire
from tpllint.generation import exchange
from tpllint.generation.environment import environment, token_of
from tpllint.generation.exchange import Answered, Loaded, Score, ToAnswer, ToScore
from tpllint.generation.failures import FAILURES, failure
from tpllint.generation.requirements import require_device, require_memory, require_packages
from tpllint.generation.settings import Settings, Weights
from tpllint.generation.stored import stored

_PROCESS = "tpllint.generation.model_process"
_KEPT = 10_000
"""Of what the process says on standard error, in bytes."""

Tell = Callable[[str, float | None], None]
"""Is told what is done now, and how much of it, from 0 to 1, where that is known."""
Heard = Callable[[str, str], None]
"""Is told the name of a prompt and the next piece of its answer."""


class Talker:
    """A model that answers, inside a `with` block.

    Its process starts at once and imports what models need, while the caller does something else. It ends with the block,
    however that ends.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises RepairableError where a package is missing, or no process can be started."""
        require_packages(settings)
        self._settings = settings
        self._shown = "the model"
        self._tell: Tell = _nobody
        self._buffer = bytearray()
        self._machine: Mapping[str, Any] | None = None
        try:
            self._process = spawn.spawn_beside(_PROCESS, environment(settings))
        except OSError as error:
            raise failure("no-model-process", "", (error.strerror or str(error)).lower()) from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._requests, self._messages = self._process.stdin, self._process.stdout
        self._said = _Said(self._process.stderr)

    def __enter__(self) -> Talker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """The number of the process, which is that of its group too."""
        return self._process.pid

    def end(self) -> None:
        """End the process and whatever it has started."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._said.end()
        self._requests.close()
        self._messages.close()

    def load(self, weights: Weights, tell: Tell) -> Loaded:
        """Load a model. What keeps it from being loaded is told, where possible, before anything is. Raises RepairableError.

        `tell` hears of this and of everything that is asked later.
        """
        self._tell, self._shown = tell, weights.shown
        found = stored(weights, self._settings)
        machine = self.machine()
        require_device(self._settings, machine)
        require_memory(found, self._settings, machine)
        request = {
            "kind": "load",
            "folder": found.weights.folder,
            "repository": found.weights.repository,
            "revision": found.weights.revision,
            "small": found.small(self._settings.trust_remote_code),
            "weights": found.large(),
            **self._settings._asdict(),
            "token": None if found.weights.folder is not None else token_of(self._settings),
        }
        (message,) = self._ask(request, "loaded", 1)
        with self._checked():
            return exchange.loaded(message)

    def answer(
        self, prompts: Sequence[ToAnswer], template_source: str, max_new_tokens: int, heard: Heard | None = None
    ) -> list[Answered]:
        """What the model writes after each prompt. Of a single one, `heard` is told the pieces as they come."""
        for prompt in prompts:
            _require_characters(prompt.text, self._shown)
        request = {
            "kind": "answer",
            "prompts": [prompt._asdict() for prompt in prompts],
            "template": template_source,
            "max_new_tokens": max_new_tokens,
            "streams": heard is not None,
        }
        told = self._ask(request, "answered", len(prompts), heard)
        with self._checked():
            return [exchange.answered(prompt.name, message) for prompt, message in zip(prompts, told, strict=True)]

    def score(self, items: Sequence[ToScore]) -> list[Score]:
        """How likely the model finds each answer."""
        for item in items:
            _require_characters(item.prompt + item.answer, self._shown)
        told = self._ask({"kind": "score", "items": [item._asdict() for item in items]}, "scored", len(items))
        with self._checked():
            return [exchange.score(item.name, message) for item, message in zip(items, told, strict=True)]

    def machine(self) -> Mapping[str, Any]:
        """Which devices there are: `cuda`, `mps`, and how many bytes are `free` on those with a memory of their own.

        Waits until the process has imported what models need.
        """
        if self._machine is None:
            self._tell("importing transformers", None)
            self._machine = next(self._answers("ready"))
        return self._machine

    def _ask(self, request: dict[str, Any], kind: str, number: int, heard: Heard | None = None) -> list[Mapping[str, Any]]:
        if not number:
            return []
        body = memoryview(wire.encode(request))
        with contextlib.suppress(BrokenPipeError):  # it ended; reading from it says so
            while body:
                body = body[self._requests.write(body) :]
        answers = self._answers(kind, heard)
        return [next(answers) for _ in range(number)]

    def _answers(self, kind: str, heard: Heard | None = None) -> Iterator[Mapping[str, Any]]:
        """The messages of this kind; what else may come between is passed on."""
        while True:
            message = self._message()
            match message:
                case {"kind": "progress", "what": str(what), "part": float() | int() | None as part}:
                    self._tell(what, part)
                case {"kind": "heard", "name": str(name), "piece": str(piece)}:
                    (heard or _nobody_hears)(name, piece)
                case {"kind": "refused", "failure": str(refused), "reason": str(reason)} if refused in FAILURES:
                    raise failure(refused, self._shown, reason)
                case {"kind": told} if told == kind:
                    yield message
                case _:
                    raise failure("model-process-ended", self._shown, "it sent a message out of order")

    def _message(self) -> dict[str, Any]:
        with self._checked():
            while (message := wire.take(self._buffer, wire.MAX_ANSWER_BYTES)) is None:
                data = os.read(self._messages.fileno(), 1 << 20)
                if not data:
                    raise failure("model-process-ended", self._shown, self._last_words())
                self._buffer += data
        return message

    @contextlib.contextmanager
    def _checked(self) -> Iterator[None]:
        try:
            yield
        except wire.WireError as error:
            raise failure("model-process-ended", self._shown, f"it sent {error}") from error

    def _last_words(self) -> str:
        """Why the process has ended: the last line it said, or the signal that ended it."""
        code = self._process.wait()
        if code == -signal.SIGKILL:
            return "it was killed, most likely for want of memory"
        return self._said.last_line() or f"exit code {code}"


class _Said:
    """Reads what the process says on standard error, so that it never waits for that, and keeps the end of it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._kept = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while data := os.read(self._stream.fileno(), 1 << 16):
            self._kept += data
            del self._kept[:-_KEPT]

    def last_line(self) -> str:
        """The last line with something on it; waits until all is said."""
        self._thread.join()
        lines = self._kept.decode("utf-8", "replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def end(self) -> None:
        """Let go of the stream, once the process has ended."""
        self._thread.join()
        self._stream.close()


def _require_characters(text: str, shown: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise failure("unusable-prompt", shown, f"at character {error.start}") from error


def _nobody(what: str, part: float | None) -> None:
    """Stands for a listener where there is none."""


def _nobody_hears(name: str, piece: str) -> None:
    """The same for pieces of answers."""
