"""What a review found, for machines: one JSON object, also where there is nothing to review."""

from __future__ import annotations

from typing import TextIO

import tpllint
from tpllint.difference.review import SCHEMA, Review
from tpllint.errors import RepairableError
from tpllint.report.json_text import json_text


def write(review: Review, stream: TextIO) -> None:
    """Write the object of the contract."""
    stream.write(json_text({**review.as_json(), "version": tpllint.__version__}, indent=1) + "\n")


def write_error(error: RepairableError, stream: TextIO) -> None:
    """Write the object of a review that cannot be made."""
    told = {"kind": error.kind, "message": error.message, "hint": error.hint}
    body = {"schema": SCHEMA, "left": None, "right": None, "verdict": None, "error": told}
    stream.write(json_text({**body, "version": tpllint.__version__}, indent=1) + "\n")
