"""Fuzz every target for its share of the time, keep what is found, and say what was done.

    python fuzz/run.py [--seconds 600] [NAME ...]

What is found lies in fuzz/found/, inputs that `fuzz/target.py` takes and logs; what the targets learnt lies in fuzz/work/.
Exits with 1 where something was found.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
FOUND, WORK = HERE / "found", HERE / "work"
SHARES = {"syntax": 15, "template": 25, "grammar": 25, "configuration": 15, "gguf": 5, "conversation": 15}
"""Of the time, in per cent."""
GRACE_SECONDS = 90
"""More than a target may take to start and to end."""
MOST_FOUND = 10
"""Of one target: what is found so often is most likely the same."""
SLOTS = re.compile(r"#(\d+)\s.*?cov: (\d+) ft: (\d+)")
LAST_LINE = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Defect|Interrupt|Reached|IsUp|Memory)\b.*", re.MULTILINE)


class Round(NamedTuple):
    """One process of a target: how many inputs it tried, what they covered, and what it ended with."""

    inputs: int = 0
    edges: int = 0
    features: int = 0
    problem: str | None = None


def main() -> int:
    options = arguments()
    FOUND.mkdir(exist_ok=True)
    chosen = options.targets or list(SHARES)
    share = options.seconds / sum(SHARES[name] for name in chosen)
    problems = 0
    print("target          inputs  inputs/s  edges  features  found")
    for name in chosen:
        begun = time.monotonic()
        rounds = fuzzed(name, share * SHARES[name])
        inputs, spent = sum(one.inputs for one in rounds), time.monotonic() - begun
        edges, features = (max(getattr(one, field) for one in rounds) for field in ("edges", "features"))
        found = [one.problem for one in rounds if one.problem]
        problems += len(found)
        print(f"{name:14}{inputs:8}{inputs / spent:10.1f}{edges:7}{features:10}{len(found):7}", flush=True)
        for problem in found:
            print(f"    {problem}")
    return int(problems > 0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", choices=[*SHARES, []], metavar="NAME", help=", ".join(SHARES))
    parser.add_argument("--seconds", type=float, default=600, help="for all of them together")
    return parser.parse_args()


def fuzzed(name: str, seconds: float) -> list[Round]:
    """The rounds of one target: it starts again after each thing that it finds."""
    end = time.monotonic() + seconds
    rounds: list[Round] = []
    while (left := end - time.monotonic()) > 1 and sum(one.problem is not None for one in rounds) < MOST_FOUND:
        rounds.append(one_round(name, left))
    return rounds or [Round()]


def one_round(name: str, seconds: float) -> Round:
    """Run the target until its time is over or it ends by itself."""
    work = WORK / name
    (work / "corpus").mkdir(parents=True, exist_ok=True)
    flags = [f"-max_total_time={max(int(seconds), 1)}", "-print_final_stats=1", f"-artifact_prefix={FOUND / name}-"]
    command = [sys.executable, str(HERE / "target.py"), name, str(work / "corpus"), *flags]
    with (work / "log").open("w+", encoding="utf-8", errors="replace") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            code = child.wait(timeout=seconds + GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            code = child.wait()
        log.seek(0)
        said = log.read()
    inputs, edges, features = map(int, (SLOTS.findall(said) or [(0, 0, 0)])[-1])
    return Round(inputs, edges, features, None if code == 0 else kept(name, code, said))


def kept(name: str, code: int, said: str) -> str:
    """Keep the input that ended a target and the end of its log; where they are, and what it ended with."""
    written = re.findall(r"Test unit written to (\S+)", said)
    current = WORK / name / "current"
    if written:
        path = Path(written[-1])
    elif current.exists():
        path = FOUND / f"{name}-hang-{hashlib.sha1(current.read_bytes()).hexdigest()}"
        shutil.copy(current, path)
    else:
        path = FOUND / f"{name}-not-started"
    path.with_suffix(".log").write_text(said[-20_000:], encoding="utf-8")
    last = LAST_LINE.findall(said)
    return f"{path.relative_to(HERE.parent)}: {last[-1][:200] if last else f'exit code {code}'}"


if __name__ == "__main__":
    sys.exit(main())
