"""`python -m tpllint` and the console script: starts the first worker, then the command line beside it."""

from __future__ import annotations

import os
import sys

from tpllint import spawn

NEED_A_WORKER = ("check", "render", "describe", "rules", "explain")


def main() -> None:
    """Run the command line. The worker's imports and the parent's run at the same time."""
    try:
        if sys.argv[1:2] and sys.argv[1] in NEED_A_WORKER and "--help" not in sys.argv:
            spawn.ahead()
        from tpllint.cli import run

        code = run()
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
