"""What `diff` found, for machines: one JSON object, also where there is nothing to compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

import tpllint
from tpllint.difference import matrix
from tpllint.difference.diff import SCHEMA, Diff
from tpllint.errors import RepairableError
from tpllint.report.json_text import json_text


def write(diff: Diff, stream: TextIO) -> None:
    """Write the object of the contract."""
    stream.write(json_text({**diff.as_json(), "version": tpllint.__version__, "error": None}, indent=1) + "\n")


def write_error(targets: Sequence[str | None], error: RepairableError, stream: TextIO) -> None:
    """Write the object of targets that cannot be compared."""
    told = {"kind": error.kind, "message": error.message, "hint": error.hint}
    if len(targets) > 2:
        body = {"schema": matrix.SCHEMA, "verdict": None, "targets": [{"target": target} for target in targets]}
    else:
        right = targets[1] if len(targets) > 1 else None
        body = {"schema": SCHEMA, "left": targets[0], "right": right, "verdict": None}
    stream.write(json_text({**body, "version": tpllint.__version__, "error": told}, indent=1) + "\n")
