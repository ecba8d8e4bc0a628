"""`python -m tpllint` and the console script: starts the first worker, then the command line beside it."""

from __future__ import annotations

import sys

from tpllint import spawn

NEED_A_WORKER = ("check", "render", "describe", "rules", "explain")


def main() -> None:
    """Run the command line. The worker's imports and the parent's run at the same time."""
    try:
        if sys.argv[1:2] and sys.argv[1] in NEED_A_WORKER and "--help" not in sys.argv:
            spawn.ahead()
        from tpllint.cli import run

        sys.exit(run())
    finally:
        spawn.end_all()


if __name__ == "__main__":
    main()
