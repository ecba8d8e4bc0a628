"""Rule packs of third parties: real distributions in a real environment, found by their entry point."""

from __future__ import annotations

import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.command import Done, tpllint

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

RULE = '''
from tpllint import Problem, Rule, Severity


class Shouting(Rule):
    """The template shouts."""

    code = "XYZ001"
    name = "shouting"
    category = "hygiene"
    severity = Severity.WARNING

    def check_template(self, template):
        {body}
'''
FINDS = 'yield Problem("it shouts", help="whisper")'
RAISES = 'raise RuntimeError("\\x1b[31mno")'


class Environment:
    """A virtual environment that sees this checkout and its dependencies, and rule packs of its own."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False)
        self.python = folder / "bin" / "python"
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self._packages = folder / "lib" / version / "site-packages"
        paths = f"{ROOT}\n{sysconfig.get_path('purelib')}\n"
        (self._packages / "beside.pth").write_text(paths)

    def install(self, pack: str, source: str) -> None:
        """What pip leaves behind for a distribution with one module and an entry point."""
        (self._packages / f"{pack}.py").write_text(source)
        info = self._packages / f"{pack}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {pack}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[tpllint.rules]\npack = {pack}\n")

    def run(self, *arguments: str, cwd: Path) -> Done:
        """`tpllint` with this environment's Python."""
        return tpllint(*arguments, cwd=cwd, python=str(self.python))


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    (tmp_path / "t.jinja").write_text(TEMPLATE)
    return Environment(tmp_path / "env")


def test_a_pack_is_found_by_its_entry_point(environment: Environment, tmp_path: Path) -> None:
    environment.install("noise", RULE.format(body=FINDS))
    done = environment.run("check", "t.jinja", cwd=tmp_path)
    assert (done.code, done.out.splitlines()[0]) == (0, "warning[shouting]: it shouts")
    assert "XYZ001  shouting" in environment.run("rules", cwd=tmp_path).out


def test_a_rule_that_raises_is_a_defect_that_names_it_and_the_other_rules_still_run(
    environment: Environment, tmp_path: Path
) -> None:
    environment.install("noise", RULE.format(body=RAISES))
    (tmp_path / "bad.jinja").write_text("{% include 'x' %}")
    done = environment.run("check", "bad.jinja", cwd=tmp_path)
    assert done.code == 3
    assert "defect: rule shouting failed on bad.jinja" in done.out
    assert "error[loader-statement]" in done.out
    assert "\x1b" not in done.out


def test_a_pack_that_cannot_be_imported_is_an_error_that_names_it(environment: Environment, tmp_path: Path) -> None:
    environment.install("noise", "import nothing_of_this_name")
    done = environment.run("check", "t.jinja", cwd=tmp_path)
    assert done.code == 2
    assert "noise" in done.err
    assert "nothing_of_this_name" in done.err


def test_a_code_or_name_that_is_taken_is_an_error(environment: Environment, tmp_path: Path) -> None:
    environment.install("noise", RULE.format(body=FINDS).replace("XYZ001", "TPL001"))
    done = environment.run("check", "t.jinja", cwd=tmp_path)
    assert done.code == 2
    assert "TPL001" in done.err
