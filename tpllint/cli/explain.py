"""`tpllint explain`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from tpllint.cli.options import configured, output, with_config, workers
from tpllint.rule import RuleInfo
from tpllint.selection import find_rule


@click.command(name="explain")
@click.argument("name", metavar="RULE")
@with_config
def command(name: str, config: str | None, no_config: bool) -> int:
    """Document one rule, by name or code."""
    with workers(configured(config, no_config)) as pool:
        rule = find_rule(name, pool.rules)
    with output() as stream:
        stream.write("\n".join(_page(rule)) + "\n")
    return 0


def _page(rule: RuleInfo) -> Iterator[str]:
    yield f"# {rule.name} ({rule.code})\n\n{rule.summary}\n\nCategory {rule.category}, {rule.levels}.\n"
    before, heading, references = rule.documentation.partition("## References")
    yield before.strip()
    for title, template in (("Example", rule.example), ("Use instead", rule.better)):
        if template:
            yield f"\n## {title}\n\n{_indented(template)}"
    if heading:
        yield f"\n{heading}{references}"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
