"""`tpllint explain`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import click

from tpllint.cli.options import configured, output, with_config, workers
from tpllint.report.escape import code
from tpllint.rule import RuleInfo
from tpllint.selection import find_rule
from tpllint.sources.files import TEMPLATE


@click.command(name="explain")
@click.argument("name", metavar="RULE")
@with_config
def command(name: str, config: str | None, no_config: bool) -> int:
    """Document one rule, by name or code."""
    with workers(configured(config, no_config), documented=True) as pool:
        rule = find_rule(name, pool.rules)
    with output() as stream:
        stream.write("\n".join(_page(rule)) + "\n")
    return 0


def _page(rule: RuleInfo) -> Iterator[str]:
    yield f"# {rule.name} ({rule.code})\n\n{rule.summary}\n\nCategory {rule.category}, {rule.levels}.\n"
    before, heading, references = rule.documentation.partition("## References")
    yield before.strip()
    for title, files in (("Example", rule.example), ("Use instead", rule.better)):
        if files and not any("\0" in text for text in files.values()):  # a GGUF file is nothing to read
            yield f"\n## {title}"
            yield from _shown(files)
            if files is rule.example and rule.replies:
                yield "\nThe model writes\n"
                yield from (f"    {code(line)}" for line in rule.replies)
    if heading:
        yield f"\n{heading}{references}"


def _shown(files: Mapping[str, str]) -> Iterator[str]:
    """The files of a model, each below its name; a template that is alone needs none."""
    for name, text in files.items():
        yield "" if [*files] == [TEMPLATE] else f"\n{name}\n"
        yield from (f"    {code(line)}".rstrip() for line in text.split("\n"))
