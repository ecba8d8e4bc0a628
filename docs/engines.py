"""Runs the rows of the table of constructs in an engine, and tells where it says otherwise than the table.

python docs/engines.py minijinja                          the package that is installed
python docs/engines.py node_modules/@huggingface/jinja    a package for Node
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tpllint.analysis.environment import ChatEnvironment
from tpllint.portability import JS, MINIJINJA, Requirement
from tpllint.portability.table import DIFFER, PARSE, RAISE, ROWS, limits

SOURCES = [source for _, source, _ in ROWS]
AS_PYTHON = {"true": "True", "false": "False"}
NODE = """
const {Template} = await import(process.argv[1]);
for (const source of JSON.parse(process.argv[2])) {
  let template, said;
  try { template = new Template(source); } catch { said = ["parse", null]; }
  if (template) try { said = ["", template.render({})]; } catch { said = ["raise", null]; }
  console.log(JSON.stringify(said));
}
"""


def in_minijinja() -> Iterator[tuple[str, str | None]]:
    """What the installed minijinja makes of each row: an effect, and the text where there is one."""
    minijinja: Any = importlib.import_module("minijinja")
    for source in SOURCES:
        environment = minijinja.Environment(trim_blocks=True, lstrip_blocks=True)
        environment.add_function("strftime_now", str)
        try:
            environment.add_template("row", source)
        except Exception:
            yield PARSE, None
            continue
        try:
            yield "", environment.render_template("row")
        except Exception:
            yield RAISE, None


def in_node(package: Path) -> Iterator[tuple[str, str | None]]:
    """What a @huggingface/jinja makes of each row."""
    entry = str((package / "dist" / "index.js").resolve())
    command = ["node", "--input-type=module", "-e", NODE, entry, json.dumps(SOURCES)]
    for line in subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines():
        effect, text = json.loads(line)
        yield effect, text


def disagreements(version: Requirement, said: Iterator[tuple[str, str | None]]) -> Iterator[str]:
    """A line for each row of which the table says otherwise."""
    for (name, source, _), (effect, text) in zip(ROWS, said, strict=True):
        expected = ChatEnvironment().from_string(source).render() if name != UNDERSCORES else None
        found = effect or (DIFFER if expected not in (None, text, AS_PYTHON.get(text or "")) else "takes")
        held = (limit for limit in limits()[name] if limit.engine == version.engine)
        known = next((limit.effect for limit in held if version.covers(limit.since, limit.before)), "takes")
        if found != known:
            yield f"{name}: {found}, in the table {known}"


UNDERSCORES = "a namespace attribute with a leading underscore"


def main(engine: str) -> None:
    """Print the disagreements."""
    if engine == MINIJINJA:
        version, said = importlib.metadata.version(MINIJINJA), in_minijinja()
        print(*disagreements(Requirement(MINIJINJA, "==", version), said), sep="\n")
        return
    version = json.loads((Path(engine) / "package.json").read_text(encoding="utf-8"))["version"]
    print(*disagreements(Requirement(JS, "==", version), in_node(Path(engine))), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1])
