"""`tpllint rules`."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from tpllint.cli.options import workers


@click.command(name="rules")
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", help="How to list them.")
def command(output_format: str) -> int:
    """List the rules: code, name, severity and what each one finds."""
    with workers() as pool:
        rules = pool.rules
    if output_format == "json":
        click.echo(json.dumps({"schema": "tpllint-rules-v1", "rules": [asdict(rule) for rule in rules]}, indent=1))
        return 0
    width = max(len(rule.name) for rule in rules)
    for rule in rules:
        click.echo(f"{rule.code}  {rule.name:{width}}  {rule.severity:7}  {rule.summary}")
    return 0
