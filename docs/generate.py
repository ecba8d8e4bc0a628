"""Writes what the program knows better than a person: rule pages, lists of rules, shown outputs, the command line.

python docs/generate.py            writes what is stale
python docs/generate.py --check    names what is stale, and fails if anything is
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path

import click

from tpllint import registry
from tpllint.checking import Check, check
from tpllint.cli import cli
from tpllint.pool import Pool
from tpllint.report import text
from tpllint.report.escape import escape
from tpllint.rule import Bad, Rule, in_words
from tpllint.selection import Selection
from tpllint.severity import Severity
from tpllint.targets import Request
from tpllint.testing import better_files_of, files_of, said_through, write_model

ROOT = Path(__file__).resolve().parent.parent
RULE_PAGES = ROOT / "docs" / "rules"
COMMAND_PAGE = ROOT / "docs" / "cli.md"
NOTE = "<!-- Written by docs/generate.py from {}; change it there. -->\n"
WIDTH = 100
FAMILY = len("TPL1")
WITHIN_ANOTHER = ("TPL95", "TPL96")
"""How the codes of a family begin that has no digit of its own."""
LEVELS = (Severity.ERROR, Severity.WARNING, Severity.INFO)
LANGUAGES = {".json": "json", ".jinja": "jinja"}

RULES_BLOCK = re.compile(r"(?<=<!-- rules -->\n).*?(?=<!-- end of rules -->)", re.DOTALL)
OUTPUT_BLOCK = re.compile(r"(<!-- output: (tpllint [^\n]+) -->\n)(`{3,})console\n(?:.*?\n)??\3\n", re.DOTALL)


def main() -> int:
    """Write or check every generated file; 1 if the check finds one stale."""
    pages = dict(generated())
    stale = sorted(path for path in {*pages, *RULE_PAGES.glob("*.md")} if _read(path) != pages.get(path))
    if "--check" in sys.argv[1:]:
        return _complain(stale)
    for path in stale:
        _bring_up_to_date(path, pages.get(path))
    return 0


def generated() -> Iterator[tuple[Path, str]]:
    """Every generated file and what it has to hold."""
    rules = list(registry.load([]).values())
    with Pool() as pool:
        for rule in rules:
            yield RULE_PAGES / f"{rule.name}.md", rule_page(rule, pool)
    yield RULE_PAGES / "README.md", index_page(rules)
    yield ROOT / "rules" / "README.md", pack_page(rules)
    yield COMMAND_PAGE, command_page()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        if path != COMMAND_PAGE:
            yield path, with_blocks(path.read_text(encoding="utf-8"), rules)


def rule_page(rule: Rule, pool: Pool) -> str:
    """Everything about one rule, with its first bad example and what tpllint says to it."""
    info = rule.info()
    source = _source(rule)
    about, references = info.documentation.split("## References")
    facts = f"{info.code} · {info.category} · {info.levels} · [source](../../{source})"
    parts = (
        NOTE.format(source),
        f"# {info.name}\n\n{info.summary}\n\n{facts}\n",
        f"{_spaced(about.strip())}\n",
        *_examples(rule, pool),
        f"## References\n\n{references.strip()}\n",
    )
    return "\n".join(parts)


def index_page(rules: Iterable[Rule]) -> str:
    """The list of all rules, by code."""
    return f"{NOTE.format('the rules')}\n# Rules\n\n{rules_table(rules)}"


def pack_page(rules: Iterable[Rule]) -> str:
    """The list that stands beside the rules' source, by folder."""
    parts = [NOTE.format("the rules"), "# The built-in rules\n", "One file per rule, named after the problem.\n"]
    for folder, members in groupby(sorted(rules, key=_source), key=lambda rule: _source(rule).parent):
        package = importlib.import_module(f"{registry.BUILT_IN}.{folder.name}")
        parts += [f"## {folder.name}\n", f"{package.__doc__}\n", _files_table(members)]
    return "\n".join(parts)


def rules_table(rules: Iterable[Rule]) -> str:
    """A table of rules that links to their pages beside it."""
    rows = ((rule.code, f"[{rule.name}]({rule.name}.md)", rule.severity, rule.info().summary) for rule in rules)
    return _table(("Code", "Rule", "Default", "What is wrong"), rows)


def families_table(rules: Iterable[Rule]) -> str:
    """The families by how their codes begin: how many rules each has, by severity, and what its folder says it is about."""
    rows = []
    for prefixes, members in groupby(sorted(rules, key=lambda rule: rule.code), key=_family):
        family = list(members)
        folder = Counter(_source(rule).parent.name for rule in family).most_common(1)[0][0]
        levels = Counter(rule.severity for rule in family)
        about = importlib.import_module(f"{registry.BUILT_IN}.{folder}").__doc__
        begin = ", ".join(f"`{prefix}`" for prefix in prefixes)
        rows.append((begin, str(len(family)), *(str(levels[level]) for level in LEVELS), str(about)))
    return _table(("Codes", "Rules", *(f"{level.capitalize()}s" for level in LEVELS), "What they are about"), rows)


def _family(rule: Rule) -> tuple[str, ...]:
    return WITHIN_ANOTHER if rule.code.startswith(WITHIN_ANOTHER) else (rule.code[:FAMILY],)


def command_page() -> str:
    """What `--help` says, for every command."""
    group = click.Context(cli, info_name="tpllint", terminal_width=WIDTH, **cli.context_settings)
    parts = [NOTE.format("the commands"), "# The command line\n", _help("tpllint", cli.get_help(group))]
    for name in cli.list_commands(group):
        command = cli.get_command(group, name)
        assert command is not None
        context = click.Context(command, parent=group, info_name=name, terminal_width=WIDTH)
        parts.append(_help(f"tpllint {name}", command.get_help(context)))
    return "\n".join(parts)


def with_blocks(page: str, rules: Iterable[Rule]) -> str:
    """A page written by hand, with its marked blocks as they have to be."""
    table = families_table(rules)
    page = RULES_BLOCK.sub(lambda _: table, page)
    return OUTPUT_BLOCK.sub(lambda found: found[1] + _fenced("console", output_of(found[2])), page)


def output_of(command: str) -> str:
    """A command line as typed, and all that it prints."""
    arguments = [sys.executable, "-m", "tpllint", *shlex.split(command)[1:]]
    done = subprocess.run(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    printed = done.stdout.decode("utf-8")
    if done.returncode > 2:
        raise RuntimeError(f"{command} failed:\n{printed}")
    return f"$ {command}\n{printed}"


def _examples(rule: Rule, pool: Pool) -> Iterator[str]:
    bad = next((example for example in rule.examples if isinstance(example, Bad)), None)
    if bad is None:  # no one folder shows this rule at work
        return
    yield "## Example\n"
    yield from _shown(files_of(bad))
    if bad.generated is not None:
        yield "The model writes\n"
        yield _fenced("text", "\n".join(in_words(bad.generated)))
    yield _fenced("console", _said(rule, bad, pool))
    if bad.better is not None or bad.better_files is not None:
        yield "## Use instead\n"
        yield from _shown(better_files_of(bad))


def _shown(files: Mapping[str, str]) -> Iterator[str]:
    for name, content in files.items():
        yield f"`{name}`\n"
        shown = escape(content) if "\0" in content else content  # a GGUF file is no text
        yield _fenced(LANGUAGES.get(Path(name).suffix, "text"), shown)


def _said(rule: Rule, bad: Bad, pool: Pool) -> str:
    """What `check` prints about an example when only this rule is asked for."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_model(Path("model"), files_of(bad))
        request = Request(expect=bad.expect, generated=said_through(bad.generated))
        report = check(["model"], pool, Check(request, Selection(select=(rule.name,))))
    stream = io.StringIO()
    text.write(report, stream)
    options = "--generate " if bad.generated else ""
    options += "".join(f"--expect {name} " for name in bad.expect)
    return f"$ tpllint check --select {rule.name} {options}model\n{stream.getvalue()}"


def _files_table(rules: Iterable[Rule]) -> str:
    head = ("File", "Code", "Default", "What is wrong")
    rows = ((_link(_source(rule)), rule.code, rule.severity, rule.info().summary) for rule in rules)
    return _table(head, rows)


def _link(source: Path) -> str:
    return f"[{source.name}]({source.relative_to('rules')})"


def _source(rule: Rule) -> Path:
    return Path(inspect.getfile(type(rule))).relative_to(ROOT)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _help(title: str, said: str) -> str:
    return f"## {title}\n\n{_fenced('text', said)}"


def _fenced(language: str, content: str) -> str:
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`{3,}", content))])
    return f"{fence}{language}\n{content.rstrip(chr(10))}\n{fence}\n"


def _spaced(documentation: str) -> str:
    """With a blank line between a heading and what follows it, which docstrings leave out."""
    return re.sub(r"^(## .+\n)(?!\n)", r"\1\n", documentation, flags=re.MULTILINE)


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _complain(stale: Iterable[Path]) -> int:
    names = [str(path.relative_to(ROOT)) for path in stale]
    for name in names:
        print(f"stale: {name}", file=sys.stderr)
    if names:
        print("run `make docs` and commit what it writes", file=sys.stderr)
    return int(bool(names))


def _bring_up_to_date(path: Path, content: str | None) -> None:
    print(path.relative_to(ROOT))
    if content is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
