"""Many models in one run: how long they take, and how much memory the parent and its workers hold together.

    python benchmarks/many.py [--models N] [--templates N] [--formats jsonl,json,text,github,sarif]

Writes N model folders that share so many different templates, some of them with findings, names them in a list, and checks the
list once per format. Memory is read from /proc while the run goes on: the sum over all processes at its highest (Linux).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent / "examples" / "good" / "chat_template.jinja"
FINDING = "{{ messages | no_such_filter }}"
ONE_IN = 10
"""Of the templates so many have a finding, and of the targets so many do not exist."""
TOKENS = {"bos_token": "<s>", "eos_token": "<|im_end|>", "pad_token": "<pad>", "model_max_length": 32768}


@dataclass(frozen=True)
class Measured:
    """One run: its wall clock, its memory at its highest, what it wrote, and when the first of it was there."""

    seconds: float
    mebibytes: float
    written: int
    first: float


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_models(folder, options.models, options.templates)
        print(f"{options.models} models, {options.templates} different templates")
        print(f"{'':8}{'wall':>10}{'first output':>14}{'memory':>12}{'output':>10}")
        for name in options.formats.split(","):
            run = measured(folder, name)
            print(f"{name:8}{run.seconds:>9.1f}s{run.first:>13.1f}s{run.mebibytes:>8.0f} MiB{run.written / 1e6:>7.1f} MB")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--templates", type=int, default=500)
    parser.add_argument("--formats", default="jsonl,json,text,github,sarif")
    return parser.parse_args()


def write_models(folder: Path, models: int, templates: int) -> None:
    """Half of the folders hold their template in tokenizer_config.json, the others in a file of its own."""
    source = EXAMPLE.read_text(encoding="utf-8")
    names = []
    for number in range(models):
        model = folder / f"model-{number}"
        names.append(model.name if number % ONE_IN else f"missing-{number}")
        model.mkdir()
        kind = number % templates
        template = f"{{# number {kind} #}}{source}" + (FINDING if kind % ONE_IN == 1 else "")
        held = {**TOKENS, "chat_template": template} if number % 2 else TOKENS
        (model / "tokenizer_config.json").write_text(json.dumps(held, indent=2), encoding="utf-8")
        if not number % 2:
            (model / "chat_template.jinja").write_text(template, encoding="utf-8")
    (folder / "list").write_text("\n".join(names) + "\n", encoding="utf-8")


def measured(folder: Path, name: str) -> Measured:
    command = [sys.executable, "-m", "tpllint", "check", "--from-file", "list", "--no-config", "--output-format", name]
    output, peak, first = folder / f"report.{name}", 0.0, 0.0
    with output.open("wb") as stream:
        started = time.perf_counter()
        with subprocess.Popen(command, cwd=folder, stdout=stream, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None:
                peak = max(peak, resident(process.pid))
                first = first or (time.perf_counter() - started if output.stat().st_size else 0.0)
                time.sleep(0.02)
        return Measured(time.perf_counter() - started, peak, output.stat().st_size, first)


def resident(pid: int) -> float:
    """What a process and all below it hold (MiB), pages that they share counted for each."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    own = next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)
    return own + sum(resident(int(child)) for child in children)


if __name__ == "__main__":
    main()
