"""Starts worker processes, the first one before the command line is even parsed: its imports take as long as the parent's.

Imported before everything else, so it imports next to nothing itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_BOOT = "import gc; gc.disable(); import sys; sys.path[:0] = {first!r}; sys.path += {last!r}; from {module} import main; main()"
_WORKER = "tpllint.analysis.main"

_waiting: list[subprocess.Popen[bytes]] = []
_running: list[subprocess.Popen[bytes]] = []


def spawn(module: str = _WORKER) -> subprocess.Popen[bytes]:
    """A new worker process, or one that runs another module's `main`.

    It is isolated from the user's environment, has nothing in its own, and no terminal. It is told where packages lie: to let
    Python find that out again (`site`) takes as long as a fifth of its imports.
    """
    return _started(module, {}, in_own_session=False)


def spawn_beside(module: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A process that runs a module's `main` in this environment and is not to be confined.

    It has a session of its own, so that nothing typed at the terminal reaches it and that all it starts can be ended with it;
    what it writes on standard error comes by a pipe.
    """
    return _started(module, environment, in_own_session=True)


def _started(module: str, environment: Mapping[str, str], in_own_session: bool) -> subprocess.Popen[bytes]:
    boot = _BOOT.format(first=[_ROOT], last=_import_path(), module=module)
    with _uninterrupted():
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", boot],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            bufsize=0,
            env=environment,
            start_new_session=in_own_session,
        )
        _running[:] = [*(other for other in _running if other.returncode is None), process]
    return process


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """While this lasts, Ctrl-C waits: a process that has begun and that nobody knows of would outlive its parent.

    The process inherits that it hears no Ctrl-C; its parent ends it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _import_path() -> list[str]:
    """Where this process found its packages: an isolated one looks neither into PYTHONPATH nor into the user's site.

    The working directory stays out of it, since a stranger's files may lie there.
    """
    try:
        here = os.getcwd()
    except OSError:
        here = ""
    return [folder for folder in sys.path if os.path.isabs(folder) and folder not in (here, _ROOT)]


def ahead() -> None:
    """Start a worker process that the next `take` will hand over. Where that fails, `take` tries again and says so."""
    try:
        _waiting.append(spawn())
    except OSError:
        return


def take() -> subprocess.Popen[bytes]:
    """The worker process that waits, or a new one."""
    return _waiting.pop() if _waiting else spawn()


def end_all() -> None:
    """End every process that was started here, also those that an interruption tore from whoever had them."""
    for process in _running:
        process.kill()
    for process in _running:
        process.wait()
    _waiting.clear()
    _running.clear()
