"""What `diff` found, for machines: one JSON object, also where there is nothing to compare."""

from __future__ import annotations

from typing import TextIO

from tpllint.difference.diff import SCHEMA, Diff
from tpllint.errors import RepairableError
from tpllint.report.json_text import json_text


def write(diff: Diff, stream: TextIO) -> None:
    """Write the object of the contract."""
    stream.write(json_text({**diff.as_json(), "error": None}, indent=1) + "\n")


def write_error(left: str, right: str, error: RepairableError, stream: TextIO) -> None:
    """Write the object of two targets that cannot be compared."""
    told = {"kind": error.kind, "message": error.message, "hint": error.hint}
    body = {"schema": SCHEMA, "left": left, "right": right, "verdict": None, "error": told}
    stream.write(json_text(body, indent=1) + "\n")
