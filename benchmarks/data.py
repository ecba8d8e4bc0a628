"""Rows through a template: how many per second and core, and how much memory the parent and its workers hold together.

    python benchmarks/data.py [--rows N[,N...]] [--target TARGET] [--messages N]

Writes files of so many short rows and surveys each. Rows are counted per second of CPU time of all processes together, so
that nothing else on the machine counts. Memory is read from /proc while the run goes on: the sum over all processes at its
highest (Linux).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.many import resident

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent / "examples" / "chatml"
SENTENCE = "the answer is that a river runs from the hills to the sea and nobody knows how old it may be"
TURNS = ("user", "assistant")
ONE_IN = 100
"""Of the rows so many hold a control token."""


@dataclass(frozen=True)
class Measured:
    """One run: CPU time, wall clock, and memory at its highest."""

    cpu: float
    wall: float
    mebibytes: float


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        print(f"{'rows':>9}{'size':>10}{'wall':>9}{'CPU':>9}{'rows per second and core':>26}{'memory':>10}")
        for amount in map(int, options.rows.split(",")):
            rows = Path(scratch) / "rows.jsonl"
            write_rows(rows, amount, options.messages)
            run = measured(options.target, rows)
            size = rows.stat().st_size / 1e6
            told = (
                f"{amount:>9}{size:>7.0f} MB{run.wall:>8.1f}s{run.cpu:>8.1f}s{amount / run.cpu:>26.0f}{run.mebibytes:>6.0f} MiB"
            )
            print(told, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="200000,1000000")
    parser.add_argument("--target", default=str(EXAMPLE))
    parser.add_argument("--messages", type=int, default=3)
    return parser.parse_args()


def write_rows(path: Path, rows: int, messages: int) -> None:
    """Rows of a system message and turns, of which no two say the same."""
    with path.open("w", encoding="utf-8") as stream:
        for number in range(rows):
            stream.write(json.dumps({"messages": list(conversation(number, messages))}) + "\n")


def conversation(number: int, messages: int) -> list[dict[str, str]]:
    roles = ("system", *islice(cycle(TURNS), messages - 1))
    token = "<|im_end|>" if number % ONE_IN == 0 else "."
    return [{"role": role, "content": sentence(number + index) + token} for index, role in enumerate(roles)]


def sentence(number: int) -> str:
    """From twelve words to two dozen."""
    words = SENTENCE.split()
    return f"{number}: " + " ".join(words[(number + step) % len(words)] for step in range(12 + number % 12))


def measured(target: str, rows: Path) -> Measured:
    command = [sys.executable, "-m", "tpllint", "data", target, str(rows), "--quiet"]
    before, started, peak = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter(), 0.0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(0.05)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(cpu, time.perf_counter() - started, peak)


if __name__ == "__main__":
    main()
