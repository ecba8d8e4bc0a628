"""Where the time of a check goes: the time of each rule, on chat templates that you have at hand or on written ones.

    python benchmarks/rules.py [FOLDER] [--all]

FOLDER holds model folders, or `*.jinja` files anywhere below it. Prints the milliseconds per template that each rule takes, the
slowest first, and what making the places of its findings takes. A render is charged to the first rule that asks for it: rules
run in the order of their codes. Without --all, infos that nobody is told cost no place, as in an ordinary check.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tpllint.analysis.examine import examine
from tpllint.analysis.model import Model
from tpllint.analysis.template import Template
from tpllint.registry import load
from tpllint.rule import Problem, Rule
from tpllint.severity import Severity
from tpllint.targets import Request, opened, order_for


class Timed(Rule):
    """A rule that notes how long its checks take."""

    def __init__(self, rule: Rule, spent: Counter[str]) -> None:
        self._rule = rule
        self._spent = spent
        for name in (
            "code",
            "name",
            "category",
            "severity",
            "static",
            "judges_failures",
            "only_infos",
            "for_named_engines",
            "raised_by",
        ):
            setattr(self, name, getattr(rule, name))

    def check_source(self, template: Template) -> Iterator[Problem]:
        yield from self._timed(self._rule.check_source(template))

    def check_template(self, template: Template) -> Iterator[Problem]:
        yield from self._timed(self._rule.check_template(template))

    def check_model(self, model: Model) -> Iterator[Problem]:
        yield from self._timed(self._rule.check_model(model))

    def _timed(self, problems: Iterable[Problem]) -> Iterator[Problem]:
        iterator = iter(problems)
        while True:
            begun = time.perf_counter()
            problem = next(iterator, None)
            self._spent[self.name] += int((time.perf_counter() - begun) * 1e9)
            if problem is None:
                return
            yield problem


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        folders = below(options.folder) if options.folder else written(Path(scratch))
        spent: Counter[str] = Counter()
        begun = time.perf_counter()
        count = sum(1 for _ in examined(folders, spent, everything=options.all))
        whole = (time.perf_counter() - begun) * 1e3
    print(f"{count} templates, {whole / count:.2f} ms each with reading, parsing and places; of which in rules:")
    for name, nanoseconds in spent.most_common():
        print(f"{nanoseconds / 1e6 / count:9.3f} ms  {name}")
    print(f"{sum(spent.values()) / 1e6 / count:9.3f} ms  all of them")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--all", action="store_true")
    return parser.parse_args()


def below(folder: Path) -> list[str]:
    models = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    return [str(path) for path in models or sorted(folder.rglob("*.jinja"))]


def written(scratch: Path) -> list[str]:
    from benchmarks.run import written as templates

    return list(templates(scratch))


def examined(folders: list[str], spent: Counter[str], *, everything: bool) -> Iterator[str]:
    """Each folder's name once its rules have run, in this process and without its bounds."""
    rules = load(())
    timed = [Timed(rule, spent) for rule in rules.values()]
    names = tuple(rules)
    quiet = () if everything else tuple(rule.name for rule in timed if rule.severity is Severity.INFO)
    request = Request()
    for target in opened(folders, request):
        if target.resolved and target.resolved.templates:
            examine(order_for(target, target.resolved, request, names, quiet=quiet).job, timed, lambda message: None)
            yield target.argument


if __name__ == "__main__":
    main()
