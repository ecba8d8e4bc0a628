"""Backdoors put into templates that you have at hand, and how many of them the security rules find.

    python benchmarks/backdoors.py FOLDER [--carriers N] [--seed S]

FOLDER holds model folders with a chat_template.jinja. N of those that render a plain chat are drawn, each way of bringing
words into a prompt that tests/backdoors.py knows is put behind each, and the security rules look at all of them. Found means
that they warn of something that they do not warn of in the template as it was. Prints what was missed, and which templates
they warn of as they are.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.backdoors import BACKDOORS, backdoor
from tpllint.analysis.template import Template
from tpllint.checking import Check, check
from tpllint.pool import Pool
from tpllint.selection import Selection
from tpllint.severity import Severity

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
Said = frozenset[tuple[str, str]]


def main() -> None:
    options = arguments()
    carriers = drawn(options.folder, options.carriers, options.seed)
    with tempfile.TemporaryDirectory() as folder, Pool() as pool:
        missed: Counter[str] = Counter()
        for carrier in carriers:
            clean, *spoilt = said_of(list(written(carrier, Path(folder))), pool)
            if clean:
                print(f"warned of as it is: {carrier.parent.name}: {sorted(rule for rule, _ in clean)}")
            missed.update(name for name, found in zip(BACKDOORS, spoilt, strict=True) if not found - clean)
    total = len(carriers) * len(BACKDOORS)
    print(f"found {total - missed.total()} of {total} in {len(carriers)} templates; missed: {dict(missed)}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--carriers", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def drawn(folder: Path, count: int, seed: int) -> list[Path]:
    """Templates that render a plain chat with text as content."""
    found = sorted(folder.glob("*/chat_template.jinja"))
    random.Random(seed).shuffle(found)
    return [path for path in found if is_plain(path)][:count]


def is_plain(path: Path) -> bool:
    template = Template("default", path.read_text(encoding="utf-8"), TOKENS)
    return template.render("user", generation_prompt=True).text is not None and not template.anatomy.reads_parts_only


def written(carrier: Path, folder: Path) -> Iterator[str]:
    """The files of a template as it is, and with each backdoor."""
    source = carrier.read_text(encoding="utf-8").rstrip("\n")
    for number, code in enumerate(("", *map(backdoor, BACKDOORS))):
        path = folder / f"{number}.jinja"
        path.write_text(source + code, encoding="utf-8")
        yield str(path)


def said_of(paths: Sequence[str], pool: Pool) -> Iterator[Said]:
    """What the security rules warn of in each file."""
    report = check(paths, pool, Check(selection=Selection(select=("TPL8",))))
    serious = [finding for finding in report.findings if finding.severity is not Severity.INFO]
    return (frozenset((one.rule, one.message) for one in serious if one.target == path) for path in paths)


if __name__ == "__main__":
    main()
