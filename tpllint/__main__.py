"""`python -m tpllint` and the console script: starts the first worker, then the command line beside it."""

from __future__ import annotations

import os
import sys

from tpllint import spawn

WORKERS = {"check": 1, "render": 1, "describe": 1, "diff": 2, "review": 2, "chat": 1, "lock": 1, "rules": 1, "explain": 1}
"""How many worker processes a command begins with."""

INTERRUPTED = 130


def main() -> None:
    """Run the command line. The worker's imports and the parent's run at the same time."""
    try:
        if sys.argv[1:2] and "--help" not in sys.argv:
            for _ in range(WORKERS.get(sys.argv[1], 0)):
                spawn.ahead()
        from tpllint.cli import run

        code = run()
    except KeyboardInterrupt:  # while modules are imported nobody else listens for it
        print("interrupted", file=sys.stderr)
        code = INTERRUPTED
    finally:
        spawn.end_all()
    _leave(code)


def _leave(code: int) -> None:
    """End the process, since all is said: Python would take its modules apart first, which takes a twentieth of a run.

    Where its last words cannot be written, Python tells it in its own way.
    """
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):  # full, or closed
        sys.exit(code)
    os._exit(code)


if __name__ == "__main__":
    main()
