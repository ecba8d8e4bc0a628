"""Whatever is in the files of a model or of a user, tpllint says what is wrong with them: no traceback, a known exit code."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.in_process import TOKENS, harmful, hidden, report_on
from tests.strategies import ANY_ROWS_BYTES, CONFIG_BYTES, CONFIGURATION_BYTES, CONVERSATIONS, FOLDERS, GGUF_BYTES, QUICK
from tpllint.analysis.template import Template
from tpllint.cli import run
from tpllint.cli.check import exit_code
from tpllint.cli.options import conversations_of
from tpllint.conversations import ConversationError, from_json
from tpllint.errors import RepairableError
from tpllint.pool import Pool
from tpllint.severity import Severity
from tpllint.sources import open_target
from tpllint.sources.gguf import MAX_HEADER_BYTES, read_metadata
from tpllint.storage import resolve
from tpllint.targets import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tpllint.finding import Report

READS = (
    "{% for m in messages %}{{ m.role }}{{ m.content }}{{ m.tool_calls | tojson }}{% endfor %}"
    "{{ tools }}{{ documents }}{{ enable_thinking }}"
)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(size=1) as pool:
        yield pool


def written(folder: Path, files: Mapping[str, bytes]) -> Path:
    """A new folder with these files."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def checked(path: Path, pool: Pool, request: Request | None = None) -> Report:
    report = report_on(path, pool, request)
    assert report.crashes == ()
    assert harmful(report) == []
    assert exit_code(report, Severity.ERROR, exit_zero=False) in (0, 1, 2)
    return report


@settings(QUICK, max_examples=30)
@given(FOLDERS)
def test_a_folder_of_any_files_gets_a_report(pool: Pool, tmp_path: Path, files: dict[str, bytes]) -> None:
    folder = written(tmp_path / "model", files)
    checked(folder, pool)
    checked(folder / "tokenizer_config.json", pool)


COMMANDS = (
    "check model",
    "check model --config tpllint.toml",
    "check model --conversation chat.json",
    "check model/tokenizer_config.json --chat-template t.jinja --output-format json",
    "render model --all-conversations --output-format json",
    "render model --conversation chat.json --output-format json --verbose",
    "describe model --coverage",
    "describe model --output-format json",
    "data model rows.jsonl",
    "data model rows.jsonl --output-format json",
)


@settings(QUICK, max_examples=12)
@given(st.sampled_from(COMMANDS), FOLDERS, CONFIGURATION_BYTES, CONFIG_BYTES, ANY_ROWS_BYTES)
def test_every_command_ends_with_a_known_exit_code_on_any_files(
    tmp_path: Path, command: str, files: dict[str, bytes], chat: bytes, config: bytes, rows: bytes
) -> None:
    written(tmp_path / "model", files)
    for name, data in {"chat.json": chat, "tpllint.toml": config, "rows.jsonl": rows, "t.jinja": rows[:200]}.items():
        (tmp_path / name).write_bytes(data)
    with contextlib.chdir(tmp_path):
        code, said = ran(*command.split(), "--offline")
    assert code in (0, 1, 2), said
    assert "Traceback" not in said
    assert hidden(said) == []


def ran(*arguments: str) -> tuple[int, str]:
    """The exit code of a command, and all that it printed."""
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = run(list(arguments))
    printed.seek(0)
    return code, printed.read()


@settings(QUICK, max_examples=250)
@given(GGUF_BYTES)
def test_any_head_of_a_gguf_file_is_read_in_bounds_and_its_damage_is_told(tmp_path: Path, data: bytes) -> None:
    file = Counting(data)
    metadata = read_metadata(file)
    assert file.largest <= 262_144
    assert metadata.complete or metadata.damage
    (tmp_path / "m.gguf").write_bytes(data)
    with contextlib.suppress(RepairableError):
        facts = resolve(open_target(str(tmp_path / "m.gguf"))).facts
        assert [fact.detail for fact in facts if fact.kind == "damaged-gguf"][: len(metadata.damage)] == list(metadata.damage)


class Counting(io.BytesIO):
    """A file that remembers the largest piece that was asked for."""

    largest = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.largest = max(self.largest, MAX_HEADER_BYTES if size is None or size < 0 else size)
        return super().read(size)


@settings(QUICK, max_examples=30)
@given(GGUF_BYTES)
def test_a_damaged_gguf_file_is_never_without_a_finding_or_an_error(pool: Pool, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m.gguf").write_bytes(data)
    report = checked(tmp_path / "m.gguf", pool)
    if read_metadata(io.BytesIO(data)).damage:
        assert report.findings or report.targets[0].error
        assert not report.targets[0].fully_analysed


@settings(QUICK, max_examples=200)
@given(CONVERSATIONS)
def test_any_json_is_a_conversation_that_is_rendered_or_is_refused(data: Any) -> None:
    try:
        conversation = from_json("any", data)
    except ConversationError:
        return
    template = Template("default", READS, TOKENS)
    for render in (template.render_conversation(conversation), template.continued(conversation)):
        assert (render.text is None) != (render.error is None)
        assert not render.limited


@settings(QUICK, max_examples=20)
@given(CONVERSATIONS)
def test_a_conversation_file_of_any_json_is_checked_with_or_refused(pool: Pool, tmp_path: Path, data: Any) -> None:
    path = tmp_path / "chat.json"
    path.write_bytes(json.dumps(data).encode())
    (tmp_path / "t.jinja").write_text(READS)
    try:
        given_ones = conversations_of([str(path)])
    except RepairableError:
        return
    checked(tmp_path / "t.jinja", pool, Request(given_ones, offline=True))
