"""What `describe` found, for machines: one JSON object per run, ASCII only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

import tpllint
from tpllint.describing import Described
from tpllint.report.json_text import json_text


def write(results: Sequence[Described], stream: TextIO) -> None:
    """Write the descriptions of all templates of all targets."""
    body = {
        "schema": "tpllint-describe-v1",
        "version": tpllint.__version__,
        "descriptions": [record for result in results for record in result.templates],
        "errors": [{"target": result.target, **result.error._asdict()} for result in results if result.error],
    }
    stream.write(json_text(body, indent=1) + "\n")
