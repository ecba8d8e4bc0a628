"""How exact the places are, on chat templates that you have at hand.

    python benchmarks/places.py FOLDER

FOLDER holds model folders. Prints how many prompts of the canonical conversations the second compilation writes as the first
one does, how many findings of all rules have a place, and how many lines `describe` takes for the five largest templates.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from tpllint.checking import Check, check
from tpllint.describing import describe
from tpllint.pool import Pool
from tpllint.rendering import Asked, render
from tpllint.report import description
from tpllint.selection import Selection
from tpllint.targets import Request

LARGEST = 5


def main() -> None:
    folders = [str(path) for path in sorted(Path(sys.argv[1]).iterdir()) if path.is_dir()]
    with Pool() as pool:
        print(traced(folders, pool))
        print(placed(folders, pool))
        print(described(sorted(folders, key=size)[-LARGEST:], pool))


def traced(folders: list[str], pool: Pool) -> str:
    prompts = [prompt for one in render(folders, pool, Asked(every=True, origins=True)) for prompt in one.prompts]
    written = [prompt for prompt in prompts if prompt.record["text"]]
    known = sum(bool(prompt.origins) for prompt in written)
    return f"prompts: {len(written)}, of which traced to the same text: {known}"


def placed(folders: list[str], pool: Pool) -> str:
    report = check(folders, pool, Check(selection=Selection(select=("ALL",))))
    known = sum(finding.span is not None for finding in report.findings)
    return f"findings: {len(report.findings)}, of which placed: {known}"


def described(folders: list[str], pool: Pool) -> str:
    lengths = []
    for one in describe(folders, pool, Request()):
        text = io.StringIO()
        description.write([one], text)
        lengths.append(text.getvalue().count("\n"))
    return f"lines of describe for the {LARGEST} largest: {', '.join(map(str, lengths))}"


def size(folder: str) -> int:
    template = Path(folder) / "chat_template.jinja"
    return template.stat().st_size if template.exists() else 0


if __name__ == "__main__":
    main()
