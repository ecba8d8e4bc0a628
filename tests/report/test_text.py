"""The text report: the code that a finding is about, with marks exactly below it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.command import tpllint
from tests.report.reports import shown, underlined

if TYPE_CHECKING:
    from pathlib import Path

    from tests.report.reports import Run

GOOD = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def test_a_finding_shows_the_line_with_marks_below_the_place(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("{# a #}\n{{ messages | nope }}\n")
    assert tpllint("check", "t.jinja", cwd=tmp_path).out == (
        'error[unknown-filter-or-test]: there is no filter "nope" in transformers\n'
        "  --> t.jinja:2:15\n"
        "   |\n"
        " 2 | {{ messages | nope }}\n"
        "   |               ^^^^\n"
        "   = help: use one of Jinja's own filters, or write it out\n"
        "\n"
        "1 error in 1 template\n"
    )


def test_a_template_inside_json_shows_a_part_of_the_line_of_the_file(tmp_path: Path) -> None:
    template = GOOD * 20 + '{{ "é" ~ messages[0].content | nope }}' + GOOD * 20
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}, indent=2))
    printed = tpllint("check", "tokenizer_config.json", cwd=tmp_path).out
    line = printed.split("\n")[3]
    assert line.startswith(" 2 | ...")
    assert line.endswith("...")
    assert r"{{ \"\u00e9\" ~ messages[0].content | nope }}" in line
    assert len(line) <= 120
    assert underlined(printed) == ["nope"]


def test_a_broken_configuration_shows_where_it_breaks(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text('{\n  "chat_template": "a" oops\n}\n')
    printed = tpllint("check", ".", cwd=tmp_path).out
    assert ' 2 |   "chat_template": "a" oops\n   |                        ^\n' in printed


def test_a_problem_of_a_whole_file_shows_no_code(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text("[]")
    printed = tpllint("check", ".", cwd=tmp_path).out
    assert "--> tokenizer_config.json:1:1\n   = help" in printed


BEFORE = {
    "nothing": "",
    "a wide character": "漢字 ",
    "a letter of two characters": "e\u0301a\u0308 ",
    "a tab": "\tx\t",
    "an emoji": "😀 ",
    "a control character": "\x1b[2J\x00",
    "a change of direction": "\u202e\u2066",
    "a joined emoji": "👩\u200d🔬\ufe0f",
    "quotes and a backslash": '"\\" ',
    "a line separator that ends no line": "\u2028 ",
    "a long line of wide characters": "漢" * 4000,
    "a long line of controls": "\x1b" * 4000,
    "a long line of marks": "e" + "\u0301" * 4000,
}
after = pytest.mark.parametrize("after", ["", " end", "漢" * 4000], ids=["end", "word", "long"])


@after
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_the_marks_stand_below_the_place_whatever_stands_before_it(run: Run, before: str, after: str) -> None:
    printed = shown(run(f"{before}«nope»{after}"))
    assert underlined(printed) == ["nope"]
    assert not {"\x1b", "\x00", "\u202e", "\u2066", "\u200d", "\u2028", "\t"} & set(printed)


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_the_marks_stand_below_the_place_inside_json(run: Run, before: str, ascii_only: bool) -> None:
    printed = shown(run(f"a\n{before}«nope»", in_json=True, ascii_only=ascii_only))
    assert underlined(printed) == ["nope"]


@pytest.mark.parametrize(
    ("place", "below"),
    [
        ("漢字", "漢字"),
        ("a\x1bb", r"a\u{1b}b"),
        ("e\u0301", "e\u0301"),
        ("a\tb", "a    b"),
        ("x" * 500, "x" * 80),
        ("漢" * 500, "漢" * 40),
    ],
)
def test_the_whole_place_is_marked_as_far_as_it_is_shown(run: Run, place: str, below: str) -> None:
    assert underlined(shown(run(f"a «{place}» b"))) == [below]


def test_an_empty_place_has_one_mark(run: Run) -> None:
    assert "1 | a «» b\n   |    ^\n" in shown(run("a «» b"))


def test_a_place_at_the_end_of_a_line_has_a_mark_behind_it(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("{% for m in messages %}")
    printed = tpllint("check", "t.jinja", cwd=tmp_path).out
    assert " 1 | {% for m in messages %}\n   |                      ^" in printed


def test_a_place_of_a_few_lines_shows_them_all(run: Run) -> None:
    printed = shown(run("{{ «a\r\n    b\r\n  c»d }}"))
    assert printed.split("\n")[2:9] == [
        "   |",
        " 1 | {{ «a",
        "   |     ^",
        " 2 |     b",
        "   |     ^",
        " 3 |   c»d }}",
        "   |   ^",
    ]


def test_a_place_of_many_lines_shows_the_first_and_names_the_last(run: Run) -> None:
    printed = shown(run("x\n{{ «a\nb\nc\nd\n» }}"))
    assert printed.split("\n")[2:7] == ["   |", " 2 | {{ «a", "   |     ^", "   | ... to line 5", "   = help: unmark it"]


def test_related_places_follow_with_what_stands_there(run: Run) -> None:
    printed = shown(run("⟦{% a %}⟧\n" + "\n" * 100 + "«{% b %}»\n⟦{% c %}⟧"))
    assert printed == (
        "warning[marked]: here is '{% b %}'\n"
        "   --> t.jinja:102:2\n"
        "    |\n"
        "102 | «{% b %}»\n"
        "    |  ^^^^^^^\n"
        "   ::: t.jinja:1:2: see here\n"
        "    |\n"
        "  1 | ⟦{% a %}⟧\n"
        "    |  -------\n"
        "   ::: t.jinja:103:2: see here\n"
        "    |\n"
        "103 | ⟦{% c %}⟧\n"
        "    |  -------\n"
        "    = help: unmark it\n"
        "\n"
        "1 warning in 1 template\n"
    )


def test_colours_change_nothing_but_colours(run: Run) -> None:
    report = run("\x1b[31m⟦x⟧ «nope»\n")
    coloured = shown(report, color=True)
    for sequence in ("\x1b[34m", "\x1b[33m", "\x1b[1m", "\x1b[0m"):
        assert sequence in coloured
        coloured = coloured.replace(sequence, "")
    assert coloured == shown(report)
