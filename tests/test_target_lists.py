"""Lists of targets: what a line may hold, and what is wrong with a list."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.command import Done, tpllint

if TYPE_CHECKING:
    from pathlib import Path

GOOD = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.jinja", "b c.jinja", "#d.jinja", "e\u00e9.jinja"):
        (tmp_path / name).write_text(GOOD)
    (tmp_path / "lists").mkdir()
    return tmp_path


def check(folder: Path, data: bytes, *arguments: str, path: str = "lists/l") -> Done:
    (folder / "lists" / "l").write_bytes(data)
    return tpllint("check", "--no-config", *arguments, "--from-file", path, "--output-format", "json", cwd=folder, stdin=data)


def targets(done: Done) -> list[str]:
    assert done.err == ""
    return [target["target"] for target in done.json()["targets"]]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a.jinja\nb c.jinja", ["a.jinja", "b c.jinja"]),
        (b"  b c.jinja \t\r\n\r\n \n# one\n  # two\r\n./#d.jinja\r\n", ["b c.jinja", "./#d.jinja"]),
        (b"\xef\xbb\xbfa.jinja\r\ne\xc3\xa9.jinja", ["a.jinja", "e\u00e9.jinja"]),
        (b"a.jinja\na.jinja\n./a.jinja\na.jinja", ["a.jinja", "./a.jinja"]),
        (b"", []),
        (b"# nothing\n\n", []),
    ],
    ids=["plain", "blank lines and comments", "byte order mark", "repeated", "empty", "comments only"],
)
@pytest.mark.parametrize("path", ["lists/l", "-"])
def test_a_list_names_one_target_per_line_relative_to_the_working_directory(
    folder: Path, data: bytes, expected: list[str], path: str
) -> None:
    done = check(folder, data, path=path)
    assert done.code == 0
    assert targets(done) == expected


def test_arguments_stand_before_lists_and_lists_in_their_order(folder: Path) -> None:
    (folder / "first").write_text("b c.jinja\na.jinja\n")
    done = check(folder, b"e\xc3\xa9.jinja\na.jinja", "a.jinja", "--from-file", "first")
    assert targets(done) == ["a.jinja", "b c.jinja", "e\u00e9.jinja"]


def test_a_name_that_is_no_utf_8_names_its_file(folder: Path) -> None:
    name = b"\xff.jinja"
    with open(os.path.join(os.fsencode(folder), name), "w") as stream:
        stream.write(GOOD)
    done = check(folder, name)
    assert done.code == 0
    assert targets(done) == ["\ufffd.jinja"]


def test_standard_input_may_be_a_target_of_a_list_in_a_file(folder: Path) -> None:
    (folder / "l").write_text("a.jinja\n-\n")
    done = tpllint("check", "--from-file", "l", "--output-format", "json", cwd=folder, stdin=GOOD.encode())
    assert (done.code, targets(done)) == (0, ["a.jinja", "-"])


@pytest.mark.parametrize(
    ("data", "arguments", "message"),
    [
        (b"a.jinja\nb\0c\n", (), "lists/l, line 2 holds a control character"),
        (b"\na\tb\n", (), "lists/l, line 2 holds a control character"),
        (b"a\rb\n", (), "lists/l, line 1 holds a control character"),
        ("a\x9bm".encode(), (), "lists/l, line 1 holds a control character"),
        (b"a.jinja\n" + b"x" * 4097, (), "lists/l, line 2 is longer than 4096 bytes"),
        ("a.jinja".encode("utf-16"), (), "lists/l is UTF-16 text"),
        (b"a.jinja\n" * 2_000_001, (), "lists/l is larger than 16 MB"),
        (b"a.jinja", ("--from-file", "lists/none"), "no such file: lists/none"),
        (b"a.jinja", ("--from-file", "lists"), "not a file: lists"),
        (b"a.jinja", ("--from-file", "x\x1b[2J"), "no such file: x\\u{1b}[2J"),
        (b"a.jinja", ("--from-file", "-", "-"), "standard input cannot be both a list of targets and something else"),
        (
            b"a.jinja",
            ("--from-file", "-", "--from-file", "-"),
            "standard input cannot be both a list of targets and something else",
        ),
        (b"a.jinja\n-", ("--from-file", "-"), "standard input cannot be both a list of targets and something else"),
    ],
)
def test_what_is_wrong_with_a_list_is_one_message(folder: Path, data: bytes, arguments: tuple[str, ...], message: str) -> None:
    (folder / "lists" / "l").write_bytes(data)
    run = ("check", "--no-config", *arguments, "--from-file", "lists/l")
    done = tpllint(*run, cwd=folder, stdin=data)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {message}\n  help: ")
    assert done.err.count("\n") == 2
    told = tpllint(*run, "--output-format", "json", cwd=folder, stdin=data).json()["targets"]
    assert {target["error"]["message"].replace("\x1b", "\\u{1b}") for target in told} == {message}


def test_neither_target_nor_list_is_a_missing_argument(folder: Path) -> None:
    done = tpllint("check", cwd=folder)
    assert done.code == 2
    assert "Missing argument 'TARGET...'" in done.err


def test_standard_input_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tpllint", "check", "--from-file", "-"]
    with (tmp_path / "out").open("wb") as unreadable:
        done = subprocess.run(command, cwd=tmp_path, stdin=unreadable, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: standard input cannot be read: bad file descriptor\n")
