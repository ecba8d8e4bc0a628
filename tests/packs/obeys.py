"""A rule that does to its worker whatever the template says."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from tpllint import Model, Problem, Rule, Severity, Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Obey(Rule):
    """Tells the worker's process id, then does what the template asks for."""

    code = "XXX001"
    name = "obey"
    category = "hygiene"
    severity = Severity.WARNING
    static = True

    def check_template(self, template: Template) -> Iterator[Problem]:
        yield Problem(str(os.getpid()), help="read it")
        match template.source:
            case "be killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                os._exit(3)
            case "talk nonsense":
                os.write(1, b"nonsense without a length")
            case "nest too deep":
                os.write(1, (100_000).to_bytes(4, "big") + b"[" * 100_000)
            case "flood":
                block = (1_000_000).to_bytes(4, "big") + b'{"kind": "begun", "index": 0}'.ljust(1_000_000)
                for _ in range(20):
                    os.write(1, block)
            case source if source.startswith("say "):
                said = source.removeprefix("say ").encode("ascii")
                os.write(1, len(said).to_bytes(4, "big") + said)
            case "hang":
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})  # as an operation does that no signal interrupts
                time.sleep(60)


class RaisesAtOnce(Rule):
    """Is no generator and raises when it is called."""

    code = "XXX002"
    name = "raises-at-once"
    category = "hygiene"
    severity = Severity.WARNING

    def check_template(self, template: Template) -> Iterator[Problem]:
        return self._broken(template.source)

    def check_model(self, model: Model) -> Iterator[Problem]:
        return iter(self._deeper(0) if any(template.source == "recurse" for template in model.templates) else ())

    def _broken(self, source: str) -> Iterator[Problem]:
        if source == "raise":
            raise ValueError("raised at once")
        return iter(())

    def _deeper(self, depth: int) -> Iterable[Problem]:
        return self._deeper(depth + 1)


class DiesLate(Rule):
    """Ends its worker once the template is to be compiled, as a template might that the compiler cannot stand."""

    code = "XXX003"
    name = "dies-late"
    category = "hygiene"
    severity = Severity.WARNING

    def check_template(self, template: Template) -> Iterator[Problem]:
        if "be killed late" in template.source:
            os.kill(os.getpid(), signal.SIGKILL)
        yield from ()
