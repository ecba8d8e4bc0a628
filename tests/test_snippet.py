"""The lines around a place, whatever the text is."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tpllint.report.escape import code, width
from tpllint.snippet import WIDTH, snippet
from tpllint.span import NEWLINE, Lined, Span, position_at

TEXT = st.text(st.characters() | st.sampled_from("ab \t漢😀\u0301\x1b\u202e\r\n\u2028{}"), max_size=400)


@given(TEXT, st.data())
def test_a_snippet_shows_the_beginning_of_the_place_in_its_line(text: str, data: Any) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    span = Span(position_at(text, start), position_at(text, end))
    first, *_ = shown = snippet(Lined(text), span).lines
    line = NEWLINE.split(text)[first.line - 1]
    column = span.start.column - 1
    assert line[:column].endswith(first.before)
    assert line[column:].startswith(first.marked + first.after)
    assert text[start:].startswith(first.marked)
    assert (first.cut_before, first.cut_after) == (
        len(first.before) < column,
        column + len(first.marked + first.after) < len(line),
    )
    assert all(width(code(one.before + one.marked + one.after)) <= WIDTH for one in shown)


@given(TEXT, st.data())
def test_the_lines_of_a_short_place_hold_all_of_it(text: str, data: Any) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(start + 20, len(text))))
    span = Span(position_at(text, start), position_at(text, end))
    found = snippet(Lined(text), span)
    meant = "".join(text[start:end].split())
    if found.last_line == found.lines[-1].line and width(code(meant)) <= 20:
        assert "".join("".join(one.marked.split()) for one in found.lines) == meant


@given(st.text(st.sampled_from("aé漢字😀한ｱＡ\u0301\u0308 ,{}")))
def test_a_width_is_what_a_terminal_takes(text: str) -> None:
    assert width(text) == cell_len(text)
