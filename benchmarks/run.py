"""One run, side by side: how long tpllint takes against what it must not be much slower than.

    python benchmarks/run.py [--rounds N] [--templates FOLDER]

Prints the median of each command's wall clock, the ratios pair by pair, and the peak memory of tpllint's two processes. The
templates are written for the occasion (400 different ones in the manner of the examples), or taken from FOLDER, searched for
`*.jinja`; the Hub is a loopback one. Compare ratios, not seconds: machines differ, and so do their hours.
"""

from __future__ import annotations

import argparse
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
EXAMPLE = HERE.parent / "examples" / "good" / "chat_template.jinja"
MANY = 400
LARGE = 120
IMPORTS = ("-c", "import jinja2, jinja2.sandbox, click")
REFERENCE = (str(HERE / "reference.py"),)


@dataclass(frozen=True)
class Comparison:
    """Two commands, how many times as long the first may take, and the variables that are set for each run of either."""

    title: str
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    limit: float
    environment: Callable[[], Mapping[str, str]] = dict


def main() -> None:
    from benchmarks.hub import DOWNLOAD, MODEL, hub_model

    options = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        templates = collected(options.templates) if options.templates else written(Path(scratch))
        one = (str(EXAMPLE),)
        check = ("-m", "tpllint", "check", "--exit-zero", "--no-progress")
        print(f"{'':44}{'tpllint':>10}{'other':>10}{'ratio':>8}{'limit':>8}")
        for comparison in (
            Comparison("one template | importing jinja2 and click", check + one, IMPORTS, 3.0),
            Comparison("one template | transformers, 6 conversations", check + one, REFERENCE + one, 0.3),
            Comparison(
                f"{len(templates)} templates | the same with transformers", check + templates, REFERENCE + templates, 3.0
            ),
        ):
            report(comparison, options.rounds)
        report(diff(Path(scratch), templates if options.templates else ()), options.rounds)
        with hub_model(EXAMPLE.parent, Path(scratch)) as hub:
            known, local = (f"{MODEL}@{hub.commit}",), (str(EXAMPLE.parent),)
            sent = ("--comment", "--dry-run", "--exit-zero")
            review = ("-m", "tpllint", "review", f"{MODEL}@pr/{hub.pull_request}", *sent)
            for comparison in (
                Comparison("Hub, cold cache | snapshot_download", (*check, MODEL), DOWNLOAD, 2.0, hub.cold),
                Comparison("Hub, cached branch | snapshot_download", (*check, MODEL), DOWNLOAD, 2.0, hub.warm),
                Comparison("Hub, cached commit | a local folder", check + known, check + local, 1.5, hub.warm),
                Comparison("Hub, review of 3 files | a cold check", review, (*check, MODEL), 2.0, hub.cold),
            ):
                report(comparison, options.rounds)
        report(gguf(Path(scratch)), options.rounds)
        parent, worker = peaks(check + templates[:40])
        print(f"peak memory: {parent:.0f} MiB in the parent, {worker:.0f} MiB in the largest worker")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--templates", type=Path)
    return parser.parse_args()


def collected(folder: Path) -> tuple[str, ...]:
    return tuple(map(str, sorted(folder.rglob("*.jinja"))[:MANY]))


def written(folder: Path) -> tuple[str, ...]:
    """Templates that differ in a word, so that none is analysed for another."""
    source = EXAMPLE.read_text(encoding="utf-8")
    paths = [folder / f"{number}.jinja" for number in range(MANY)]
    for number, path in enumerate(paths):
        path.write_text(f"{{# number {number} #}}{source}", encoding="utf-8")
    return tuple(map(str, paths))


def diff(folder: Path, published: tuple[str, ...]) -> Comparison:
    """The two largest of some templates, or two that are written in the size of the largest ones that models come with."""
    left, right = sorted(published, key=os.path.getsize)[-2:] if published else large(folder)
    check = ("-m", "tpllint", "check", "--exit-zero", "--no-progress", right)
    compare = ("-m", "tpllint", "diff", "--output", os.devnull, left, right)
    return Comparison("diff of two large templates | a check of the larger", compare, check, 1.6)


def large(folder: Path) -> tuple[str, str]:
    """A template with a branch for each of many roles, and a revision of it that forgets a line end."""
    source = EXAMPLE.read_text(encoding="utf-8")
    known = "    {{- '<|im_start|>' + message.role + '\\n' + text_of(message) -}}\n"
    branch = "    {%- elif message.role == 'critic_NUMBER' -%}\n" + known.replace("message.role", "'critic_NUMBER'")
    branches = "".join(branch.replace("NUMBER", str(number)) for number in range(LARGE))
    whole = source.replace(
        known, f"    {{%- if message.role == 'user' -%}}\n{known}{branches}    {{%- else -%}}\n{known}    {{%- endif -%}}\n"
    )
    paths = folder / "large.jinja", folder / "revision.jinja"
    for path, text in zip(paths, (whole, whole.replace("{{- '<|im_end|>\\n' -}}", "{{- '<|im_end|>' -}}")), strict=True):
        path.write_text(text, encoding="utf-8")
    return str(paths[0]), str(paths[1])


def gguf(folder: Path) -> Comparison:
    """A GGUF file with a header of 10 MB, as those of models with 150,000 tokens are."""
    words = b"".join(struct.pack("<Q", 9) + b"word%05d" % (number % 100_000) for number in range(400_000))
    kinds = struct.pack("<IQ", 5, 400_000) + struct.pack("<i", 1) * 400_000
    template = EXAMPLE.read_bytes()
    entries = (
        (b"tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 400_000) + words),
        (b"tokenizer.ggml.token_type", 9, kinds),
        (b"tokenizer.ggml.scores", 9, kinds),
        (b"tokenizer.ggml.bos_token_id", 4, struct.pack("<I", 1)),
        (b"tokenizer.chat_template", 8, struct.pack("<Q", len(template)) + template),
    )
    told = (struct.pack("<Q", len(key)) + key + struct.pack("<I", kind) + value for key, kind, value in entries)
    path = folder / "model.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries)) + b"".join(told))
    check = ("-m", "tpllint", "check", "--exit-zero", "--no-progress")
    return Comparison("a 10 MB GGUF header | its template alone", (*check, str(path)), (*check, str(EXAMPLE)), 2.5)


def report(comparison: Comparison, rounds: int) -> None:
    rounds = rounds if len(comparison.ours) < MANY else max(3, rounds // 3)
    set_for = comparison.environment
    pairs = [(seconds(comparison.ours, set_for()), seconds(comparison.theirs, set_for())) for _ in range(rounds + 1)][1:]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(mine / other for mine, other in pairs)
    print(f"{comparison.title:44}{ours:>9.3f}s{theirs:>9.3f}s{ratio:>8.2f}{comparison.limit:>8}")


def seconds(command: tuple[str, ...], environment: Mapping[str, str]) -> float:
    started = time.perf_counter()
    silent = subprocess.DEVNULL
    subprocess.run(
        [sys.executable, *command], check="diff" not in command, stdout=silent, stderr=silent, env={**os.environ, **environment}
    )
    return time.perf_counter() - started


def peaks(command: tuple[str, ...]) -> tuple[float, float]:
    """The high-water marks (MiB) of a process and of the largest of its children, read while they run (Linux)."""
    own, children = 0.0, 0.0
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            own = max(own, high_water(process.pid))
            children = max([children, *map(high_water, children_of(process.pid))])
            time.sleep(0.002)
    return own, children


def children_of(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def high_water(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


if __name__ == "__main__":
    main()
