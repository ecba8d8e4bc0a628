"""The model that tests ask, and everything that they ask of it at once: to start its process takes seconds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.generate.asking import loaded
from tpllint.generation.exchange import Loaded
from tpllint.generation.settings import Settings
from tpllint.generation.talker import Talker

ROOT = Path(__file__).resolve().parent.parent.parent
TRAINED = ROOT / "tests" / "tiny_model" / "model"


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model: the trained one, or one that says nothing sensible; not to be changed."""
    if TRAINED.is_dir():
        return TRAINED
    folder = tmp_path_factory.mktemp("small") / "model"
    folder.mkdir()
    subprocess.run([sys.executable, "-m", "tests.generate.small_model", folder], cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture
def copied(small_model: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(small_model, tmp_path / "model"))


@pytest.fixture(scope="session")
def talker() -> Iterator[Talker]:
    with Talker(Settings()) as running:
        yield running


@pytest.fixture(scope="session")
def told(talker: Talker, small_model: Path) -> Loaded:
    """What the talker says of the model that it has loaded."""
    return loaded(talker, small_model)
