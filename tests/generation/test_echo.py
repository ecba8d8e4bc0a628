"""What a model writes, as a person sees it while it comes."""

from __future__ import annotations

import io

import pytest

from tpllint.cli.generation import Echo


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["ro", "ad go", "ld"], "| road gold\n"),
        (["one\ntwo", "\n", "three"], "| one\n| two\n| three\n"),
        (["::error::", "x"], "| ::error::x\n"),
        (["\x1b[31m", "\u202e"], "| \\u{1b}[31m\\u{202e}\n"),
        (["#", "#", "[group]", "x\n"], "| ##\n| #\\u{23}[group]x\n"),
        (["one\n\ntwo"], "| one\n|\n| two\n"),
        ([], ""),
    ],
)
def test_every_line_stands_behind_a_bar_and_none_is_a_command(pieces: list[str], shown: str) -> None:
    stream = io.StringIO()
    echo = Echo(stream)
    for piece in pieces:
        echo.hear(piece)
    echo.end()
    assert stream.getvalue() == shown
    assert "##[" not in stream.getvalue()
