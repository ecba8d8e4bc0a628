"""`tpllint rules`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tpllint.cli.options import configured, output, with_config, workers
from tpllint.errors import RepairableError
from tpllint.report.json_text import json_text
from tpllint.rule import RuleInfo


@click.command(name="rules")
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", help="How to list them.")
@with_config
def command(output_format: str, config: str | None, no_config: bool) -> int:
    """List the rules: code, name, severity and what each one finds."""
    try:
        with workers(configured(config, no_config), documented=True) as pool:
            rules = pool.rules
    except RepairableError as error:
        if output_format == "json":
            with output() as stream:
                stream.write(_as_json((), error) + "\n")
        raise
    with output() as stream:
        stream.write((_as_json(rules) if output_format == "json" else _as_text(rules)) + "\n")
    return 0


def _as_json(rules: Sequence[RuleInfo], error: RepairableError | None = None) -> str:
    errors = [{"target": None, "kind": error.kind, "message": error.message, "hint": error.hint}] if error else []
    return json_text({"schema": "tpllint-rules-v1", "rules": [rule._asdict() for rule in rules], "errors": errors}, indent=1)


def _as_text(rules: Sequence[RuleInfo]) -> str:
    width = max(len(rule.name) for rule in rules)
    return "\n".join(f"{rule.code}  {rule.name:{width}}  {rule.severity:7}  {rule.summary}" for rule in rules)
