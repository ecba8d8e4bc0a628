"""action.yml: its form, and its steps as a runner of GitHub runs them, with bash and the inputs in the environment.

The installation runs as it is written, but for the dependencies: those are the ones of this Python, and nothing is downloaded
for them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jsonschema
import pytest
import yaml  # type: ignore[import-untyped]

from tests.command import Done
from tests.local_hub import LocalHub
from tests.small_tokenizer import CHATML
from tpllint.reviewing import MARKER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("tpllint", "rules", "pyproject.toml", "README.md", "LICENSE", "action.yml")
WRITER = "hf_Wr1ter"
GOOD = {"chat_template.jinja": CHATML.encode(), "tokenizer_config.json": b'{"eos_token": "<|im_end|>"}'}
MUTE = {**GOOD, "chat_template.jinja": CHATML.split("{% if add_generation_prompt %}")[0].encode()}
EXPRESSION = re.compile(r"\$\{\{ inputs\.([a-z_]+) \}\}")
TEXT = {"type": "string", "minLength": 1}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "description", "inputs", "runs"],
    "properties": {
        "name": TEXT,
        "description": {**TEXT, "maxLength": 125},
        "inputs": {
            "propertyNames": {"pattern": "^[a-z_]+$"},
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["description", "default"],
                "properties": {"description": TEXT, "default": {"type": "string"}},
            },
        },
        "runs": {
            "type": "object",
            "additionalProperties": False,
            "required": ["using", "steps"],
            "properties": {
                "using": {"const": "composite"},
                "steps": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["name", "shell", "run"],
                        "properties": {
                            "name": TEXT,
                            "shell": {"const": "bash"},
                            "env": {"additionalProperties": {"type": "string"}},
                            "run": {"type": "string", "not": {"pattern": r"\$\{\{"}},
                        },
                    },
                },
            },
        },
    },
}
"""What GitHub takes of a composite action, and no more than this one needs; no expression stands in a script."""


def action() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    return read


class Runner(NamedTuple):
    """A runner that has a checkout of the action."""

    source: Path
    temporary: Path

    def step(self, name: str, inputs: Mapping[str, str], cwd: Path, **surroundings: str) -> Done:
        """Run the step of that name."""
        described = action()
        (step,) = (step for step in described["runs"]["steps"] if step["name"] == name)
        assert set(inputs) <= set(described["inputs"])
        known = {key: inputs.get(key, each["default"]) for key, each in described["inputs"].items()}
        written = step.get("env", {})
        given = {key: EXPRESSION.sub(lambda found: known[found[1]], value) for key, value in written.items()}
        assert not any("${{" in value for value in written.values() if not EXPRESSION.fullmatch(value))
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        places = {"RUNNER_TEMP": str(self.temporary), "GITHUB_ACTION_PATH": str(self.source)}
        settings = {**os.environ, "PATH": path, **places, **surroundings, **given}
        script = self.temporary / "script.sh"
        script.write_text(step["run"], encoding="utf-8")
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
        done = subprocess.run(command, cwd=cwd, env=settings, capture_output=True, text=True, check=False, timeout=120)
        return Done(done.returncode, done.stdout, done.stderr)

    def tpllint(self, cwd: Path, hub: LocalHub | None = None, /, **inputs: str) -> Done:
        """Run the step that runs tpllint."""
        url = "http://127.0.0.1:9" if hub is None else hub.url
        surroundings = {"HF_ENDPOINT": url, "HF_HOME": str(cwd / "home"), "NO_PROXY": "*", "HF_HUB_OFFLINE": ""}
        done = self.step("Run tpllint", inputs, cwd, **surroundings)
        assert "Traceback" not in done.out + done.err
        assert WRITER not in done.out + done.err
        return done


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """One whose first step has run; building leaves folders beside the sources, so they are copied."""
    folder = tmp_path_factory.mktemp("runner")
    source, temporary = folder / "the action", folder / "temporary files"
    source.mkdir()
    temporary.mkdir()
    for name in SHIPPED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    made = Runner(source, temporary)
    done = made.step("Install tpllint", {}, folder, PIP_NO_DEPS="1")
    assert done.code == 0, done.err
    (packages,) = (temporary / "tpllint").glob("lib/python3.*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return made


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub() as running:
        running.add("org/model", GOOD)
        running.add_user(WRITER, "reviewer")
        yield running


def comments(hub: LocalHub, number: int) -> list[str]:
    return [event.text for event in hub.discussion("org/model", number).comments if event.author == "reviewer"]


def model(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def test_the_action_has_the_form_of_a_composite_action() -> None:
    jsonschema.validate(action(), SCHEMA)


def test_every_input_is_used_and_only_through_the_environment() -> None:
    values = [value for step in action()["runs"]["steps"] for value in step.get("env", {}).values()]
    found = [EXPRESSION.fullmatch(value) for value in values]
    assert all(found), "an expression is all of a value"
    assert {match[1] for match in found if match} == set(action()["inputs"])


def test_targets_are_checked_one_a_line_with_annotations(runner: Runner, tmp_path: Path) -> None:
    model(tmp_path / "good", GOOD)
    model(tmp_path / "a broken one", MUTE)
    done = runner.tpllint(tmp_path, targets="good\na broken one\n")
    assert done.code == 1
    assert re.search(r"^::error file=a broken one/chat_template.jinja,.*generation-prompt-missing", done.out, re.MULTILINE)
    assert runner.tpllint(tmp_path, targets="good").code == 0


def test_blanks_and_line_ends_of_windows_around_inputs_are_no_part_of_them(runner: Runner, tmp_path: Path) -> None:
    model(tmp_path / "good", GOOD)
    model(tmp_path / "a broken one", MUTE)
    done = runner.tpllint(tmp_path, targets="\t good \r\n  a broken one\r\n \r\n", args="--ignore ALL\r\n--quiet\r\n")
    assert (done.code, done.out, done.err) == (0, "no findings in 2 templates\n", "")


def test_without_inputs_the_working_folder_is_the_model(runner: Runner, tmp_path: Path) -> None:
    for name, data in MUTE.items():
        (tmp_path / name).write_bytes(data)
    assert "::error file=chat_template.jinja," in runner.tpllint(tmp_path).out
    assert runner.tpllint(tmp_path, args="--ignore generation-prompt-missing\n--quiet").code == 0


def test_a_pull_request_on_the_hub_is_reviewed_and_commented_on(runner: Runner, hub: LocalHub, tmp_path: Path) -> None:
    number = hub.open_pull_request("org/model", MUTE)
    done = runner.tpllint(tmp_path, hub, model="org/model", pr=str(number), token=WRITER)
    assert done.code == 1
    assert [text.startswith(MARKER) for text in comments(hub, number)] == [True]
    begin, *_, end = done.out.splitlines()
    assert re.fullmatch(r"::stop-commands::[0-9a-f]{32}", begin)
    assert end == f"::{begin.rpartition(':')[2]}::"


def test_a_review_can_be_shown_only_and_never_fail(runner: Runner, hub: LocalHub, tmp_path: Path) -> None:
    number = hub.open_pull_request("org/model", MUTE)
    done = runner.tpllint(tmp_path, hub, model="org/model", pr=str(number), comment="false", args="--exit-zero")
    assert done.code == 0
    assert "generation-prompt-missing" in done.out
    assert {method for method, _ in hub.requests} == {"GET"}


def test_a_folder_of_the_name_of_the_model_is_not_meant(runner: Runner, hub: LocalHub, tmp_path: Path) -> None:
    model(tmp_path / "org" / "model", GOOD)
    number = hub.open_pull_request("org/model", MUTE)
    done = runner.tpllint(tmp_path, hub, model="org/model", pr=str(number), comment="false")
    assert (done.code, "generation-prompt-missing" in done.out) == (1, True), done.err


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"model": "org/model"}, "the input pr is missing: a review needs model and pr"),
        ({"pr": "3"}, "the input model is missing: a review needs model and pr"),
        ({"targets": " \r\n"}, "the input targets is empty: name what to check, or give model and pr"),
        ({"model": "org/model", "pr": "#3"}, "the input pr is not the number of a pull request"),
        ({"model": "org/model", "pr": "3\n::error::forged"}, "the input pr is not the number of a pull request"),
        ({"model": "org/model", "pr": "1000000000"}, "the input pr is not the number of a pull request"),
    ],
)
def test_the_input_that_cannot_be_used_is_named(runner: Runner, tmp_path: Path, inputs: dict[str, str], said: str) -> None:
    done = runner.tpllint(tmp_path, None, **inputs)
    assert (done.code, done.out, done.err) == (2, "", f"error: {said}\n")


@pytest.mark.parametrize("words", ["$(touch caught)", "`touch caught`", '"; touch caught; "', "a\ntouch caught", "--help", "*"])
def test_no_input_is_a_command_or_an_option_where_none_belongs(runner: Runner, tmp_path: Path, words: str) -> None:
    for inputs in ({"targets": words}, {"model": words, "pr": "1"}, {"model": "org/model", "pr": words}):
        done = runner.tpllint(tmp_path, None, **inputs)
        assert done.code == 2
        assert "Usage" not in done.out
    assert runner.tpllint(tmp_path, args=words).code in ((0,) if words == "--help" else (2,))
    assert {path.name for path in tmp_path.iterdir()} <= {"home"}


def test_what_lies_in_the_working_folder_is_not_run(runner: Runner, tmp_path: Path) -> None:
    model(tmp_path / "good", GOOD)
    for name in ("tpllint.py", "jinja2.py", "click.py"):
        (tmp_path / name).write_text("raise SystemExit(77)")
    assert runner.tpllint(tmp_path, targets="good").code == 0
