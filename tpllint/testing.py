"""The examples of any rules as pytest cases, for a rule pack of your own too.

A test file of a pack needs no more than this:

    @pytest.fixture(scope="session")
    def pool():
        with Pool(["my_pack"]) as pool:
            yield pool

    @pytest.mark.parametrize("case", cases(rules_of("my_pack")), ids=str)
    def test_example(case, pool, tmp_path):
        run_case(case, pool, tmp_path)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tpllint import registry
from tpllint.checking import Check, check
from tpllint.rule import Bad, Good, Rule, with_template
from tpllint.selection import Selection
from tpllint.storage.reading import DEFAULT
from tpllint.targets import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tpllint.finding import Report
    from tpllint.pool import Pool
    from tpllint.replies import Generated


@dataclass(frozen=True)
class Case:
    """A model's files, and what one rule has to say about them; `says` is None where it has to be silent."""

    name: str
    rule: str
    files: Mapping[str, str]
    says: str | None
    expect: tuple[str, ...] = ()
    generated: Generated | None = None

    def __str__(self) -> str:
        """What pytest shows: `eos-duplicated-bad-0`."""
        return self.name


def rules_of(pack: str) -> list[Rule]:
    """The rules of one pack, a package or the absolute path of a folder, in the order of their codes."""
    found = registry.load([] if pack == registry.BUILT_IN else [pack])
    package = registry.package_of(pack).partition(".")[0]
    return [rule for rule in found.values() if rule.info().pack == package]


def cases(rules: Iterable[Rule]) -> list[Case]:
    """One case for every `Bad`, every repair of one, and every `Good`."""
    numbered = ((rule, *pair) for rule in rules for pair in enumerate(rule.examples))
    return [case for rule, index, example in numbered for case in _cases(rule, index, example)]


def run_case(case: Case, pool: Pool, folder: Path) -> None:
    """Write the files into an empty folder, check it as the command does, and compare. Raises AssertionError."""
    write_model(folder, case.files)
    request = Request(expect=case.expect, generated=said_through(case.generated))
    report = check([str(folder)], pool, Check(request, Selection(select=(case.rule,))))
    _raise_on_failure(report)
    said = [finding.message for finding in report.findings if finding.rule == case.rule]
    if case.says is None and said:
        raise AssertionError(f"{case}: expected silence, got {said}")
    if case.says is not None and case.says not in said:
        raise AssertionError(f"{case}: expected {case.says!r}, got {said or 'silence'}")


def files_of(example: Bad | Good) -> dict[str, str]:
    """The model folder that an example describes."""
    return with_template(example.files, example.template)


def said_through(generated: Generated | None) -> dict[str, Generated] | None:
    """What the model of an example said, by the label of the template that its folder has."""
    return None if generated is None else {DEFAULT: generated}


def write_model(folder: Path, files: Mapping[str, str]) -> None:
    """Write a model's files, byte for byte."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))


def _cases(rule: Rule, index: int, example: Bad | Good) -> Iterator[Case]:
    if isinstance(example, Good):
        yield Case(f"{rule.name}-good-{index}", rule.name, files_of(example), None, example.expect, example.generated)
        return
    yield Case(f"{rule.name}-bad-{index}", rule.name, files_of(example), example.says, example.expect, example.generated)
    if example.better is not None or example.better_files is not None:
        yield Case(
            f"{rule.name}-better-{index}", rule.name, better_files_of(example), None, example.expect, example.better_generated
        )


def better_files_of(example: Bad) -> dict[str, str]:
    """The model folder after the repair."""
    return example.better_folder


def _raise_on_failure(report: Report) -> None:
    for crash in report.crashes:
        raise AssertionError(f"rule {crash.rule} raised:\n{crash.traceback}")
    for target in report.targets:
        if target.error:
            raise AssertionError(f"{target.error.message}; {target.error.hint}")
