"""`tpllint explain`."""

from __future__ import annotations

import click

from tpllint.cli.options import workers
from tpllint.selection import find_rule


@click.command(name="explain")
@click.argument("name", metavar="RULE")
def command(name: str) -> int:
    """Document one rule, by name or code."""
    with workers() as pool:
        rule = find_rule(name, pool.rules)
    click.echo(f"# {rule.name} ({rule.code})\n\n{rule.summary}\n\nCategory {rule.category}, {rule.severity} by default.\n")
    click.echo(rule.documentation)
    return 0
