"""A rule that tells what its worker can reach."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tpllint import Problem, Rule, Severity, Template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Confess(Rule):
    """Tries what no template may do."""

    code = "XXX004"
    name = "confess"
    category = "hygiene"
    severity = Severity.WARNING
    static = True

    def check_template(self, template: Template) -> Iterator[Problem]:
        for said in _confessions():
            yield Problem(said, help="read it")


def _confessions() -> Iterator[str]:
    yield f"folder {os.getcwd()}"
    yield f"environment {sorted(os.environ.keys() - {'LC_CTYPE'})}"  # which Python sets for itself
    yield f"isolated {sys.flags.isolated}"
    yield f"files {_outcome(lambda: os.open('/', os.O_RDONLY))}"
    yield f"new files {_outcome(lambda: os.open('/tmp/made-by-a-worker', os.O_WRONLY | os.O_CREAT))}"
    yield f"sockets {_outcome(socket.socket)}"
    yield f"children {_outcome(lambda: subprocess.run(['true'], check=False))}"
    yield f"memory {resource.getrlimit(resource.RLIMIT_AS)[0]}"


def _outcome(attempt: Callable[[], Any]) -> str:
    with contextlib.suppress(OSError):
        attempt()
        return "made"
    return "OSError"
