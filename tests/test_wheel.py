"""What users install: a wheel, built from this checkout, in an environment that sees nothing of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.command import tpllint

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("tpllint", "rules", "pyproject.toml", "README.md", "LICENSE")
SHIPPED_SUFFIXES = (".py", ".json", ".css", ".typed")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: building leaves folders beside the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in SHIPPED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*command, "--wheel-dir", folder, source], check=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_module_and_every_data_file(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, package in (("tpllint", "tpllint"), ("rules", "tpllint_rules")):
        paths = [path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob("*") if path.suffix in SHIPPED_SUFFIXES]
        assert {f"{package}/{path.as_posix()}" for path in paths} <= names


def test_the_installed_wheel_checks_a_template_with_its_own_rules(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = tmp_path / "env" / "lib" / version / "site-packages"
    zipfile.ZipFile(wheel).extractall(packages)
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    (tmp_path / "t.jinja").write_text("{% for m in messages %}")
    python = str(tmp_path / "env" / "bin" / "python")
    done = tpllint("check", "t.jinja", cwd=tmp_path, python=python)
    assert (done.code, done.out.splitlines()[0].partition(":")[0]) == (1, "error[template-syntax-error]")
    command = [python, "-c", "import tpllint; print(tpllint.__file__)"]
    where = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert where.stdout.startswith(str(packages))
