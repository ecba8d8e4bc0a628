"""What the rules say about chat templates that you have at hand: the table that docs/accuracy.md is written from.

    python benchmarks/accuracy.py FOLDER [--official FILE] [--sample N --seed S [RULE...]]

FOLDER holds model folders; FILE names those of them, one a line, whose template is the publisher's own. Prints for each rule on
how many templates it speaks with every rule selected, and on how many it warns or fails by default. With --sample it prints the
findings on N templates drawn at random for each rule instead, to be judged against the source.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tpllint.checking import Check, check
from tpllint.finding import Finding, Report
from tpllint.pool import Pool
from tpllint.selection import Selection
from tpllint.severity import Severity

Table = Mapping[str, Mapping[str, list[Finding]]]
"""By rule and by target, what is said."""


def main() -> None:
    options = arguments()
    folders = [str(path) for path in sorted(options.folder.iterdir()) if path.is_dir()]
    official = set(options.official.read_text().split()) if options.official else set()
    with Pool() as pool:
        every = check(folders, pool, Check(selection=Selection(select=("ALL",))))
        if options.sample:
            sample(by_rule(every), options.rules, options.sample, options.seed)
            return
        table(by_rule(every), by_rule(check(folders, pool, Check())), official)
    print(f"{len(folders)} folders, of which {len(official)} publishers' own")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--official", type=Path)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("rules", nargs="*")
    return parser.parse_intermixed_args()


def by_rule(report: Report) -> Table:
    found: dict[str, dict[str, list[Finding]]] = defaultdict(lambda: defaultdict(list))
    for finding in report.findings:
        found[finding.rule][finding.target].append(finding)
    return found


def table(every: Table, usual: Table, official: set[str]) -> None:
    print("| rule | speaks on | of these own | warns on | of these own | fails | of these own |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for rule in sorted(every):
        levels = [
            [target for target, said in usual.get(rule, {}).items() if worst(said) is level]
            for level in (Severity.WARNING, Severity.ERROR)
        ]
        counts = (f"{len(targets)} | {own(targets, official)}" for targets in (list(every[rule]), *levels))
        print(f"| {rule} | {' | '.join(counts)} |")


def worst(said: Iterable[Finding]) -> Severity:
    found = {finding.severity for finding in said}
    return next(level for level in (Severity.ERROR, Severity.WARNING, Severity.INFO) if level in found)


def own(targets: Iterable[str], official: set[str]) -> int:
    return sum(Path(target).name in official for target in targets)


def sample(every: Table, rules: Iterable[str], count: int, seed: int) -> None:
    chosen = random.Random(seed)
    for rule in rules or sorted(every):
        targets = sorted(every.get(rule, {}))
        for target in chosen.sample(targets, min(count, len(targets))):
            for finding in every[rule][target]:
                line = finding.span.start.line if finding.span else "-"
                print(f"{rule} | {Path(target).name} | {finding.severity} | {finding.path}:{line} | {finding.message}")


if __name__ == "__main__":
    main()
