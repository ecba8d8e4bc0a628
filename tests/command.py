"""Runs the command line as a user does: another process, its own folder, nothing inherited that matters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def tpllint(
    *arguments: str | Path, cwd: Path, stdin: bytes = b"", env: dict[str, str] | None = None, python: str = sys.executable
) -> Done:
    """Run `tpllint` with these arguments; a run longer than a minute fails."""
    done = subprocess.run(
        [python, "-m", "tpllint", *map(str, arguments)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, **(env or {})},
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())
