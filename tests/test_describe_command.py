"""`tpllint describe` as a whole: the table, the JSON contract, coverage, and bad input."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

import tpllint as package
from tests.command import tpllint

if TYPE_CHECKING:
    from pathlib import Path

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WITH_A_CRITIC = CHATML + "{% if messages[0].role == 'critic' %}hello{% endif %}"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "chat_template.jinja").write_text(CHATML, encoding="utf-8")
    return folder


def test_a_template_is_described_in_a_table_that_fits_a_screen(model: Path) -> None:
    done = tpllint("describe", model, cwd=model)
    lines = done.out.splitlines()
    assert done.code == 0
    assert len(lines) <= 50
    assert max(map(len, lines)) <= 100
    assert r'  user       "<|im_start|>user\n"                "<|im_end|>\n"          as it is' in lines
    assert r'  generation prompt   "<|im_start|>assistant\n"' in lines


def test_the_json_has_the_facts_of_the_table(model: Path) -> None:
    body = tpllint("describe", "--output-format", "json", model, cwd=model).json()
    (described,) = body["descriptions"]
    assert body["schema"] == "tpllint-describe-v1"
    assert body["errors"] == []
    assert (described["template"], described["undecided"]) == ("default", None)
    assert described["generation_prompt"] == "<|im_start|>assistant\n"
    assert described["capabilities"]["system"] is True
    assert "coverage" not in described


def test_every_template_of_a_folder_has_a_table_of_its_own(model: Path) -> None:
    (model / "additional_chat_templates").mkdir()
    (model / "additional_chat_templates" / "rag.jinja").write_text(CHATML, encoding="utf-8")
    done = tpllint("describe", model, cwd=model.parent)
    assert [line for line in done.out.splitlines() if line.endswith(")") and line[0] != " "] == [
        f"{model} (default)",
        f"{model} (rag)",
    ]
    assert "(default)" not in tpllint("describe", "--template", "rag", model, cwd=model).out


def test_coverage_shows_what_is_not_reached_inside_a_line_and_what_guards_it(model: Path) -> None:
    (model / "chat_template.jinja").write_text(WITH_A_CRITIC, encoding="utf-8")
    done = tpllint("describe", "--coverage", model, cwd=model)
    lines = done.out.splitlines()
    marked = next(at for at, line in enumerate(lines) if set(line.strip()) == {"^"})
    first = lines[marked].index("^")
    assert lines[marked - 1][first : first + len(lines[marked].strip())] == "hello"
    assert lines[-1] == (
        "not reached: line 4, if: needs `messages[0].role == 'critic'`; variables messages[0].role; literals \"critic\""
    )


def test_a_line_that_is_not_reached_as_a_whole_has_a_mark_in_the_margin(model: Path) -> None:
    source = "{%- if messages[0].role == 'critic' %}\n  hello\n{%- endif %}\n" + CHATML
    (model / "chat_template.jinja").write_text(source, encoding="utf-8")
    lines = tpllint("describe", "--coverage", model, cwd=model).out.splitlines()
    assert "    1 > {%- if messages[0].role == 'critic' %}" in lines
    assert "    2 !   hello" in lines


def test_the_json_of_coverage_gives_offsets_into_the_source(model: Path) -> None:
    (model / "chat_template.jinja").write_text(WITH_A_CRITIC, encoding="utf-8")
    body = tpllint("describe", "--coverage", "--output-format", "json", model, cwd=model).json()
    coverage = body["descriptions"][0]["coverage"]
    (missed,) = coverage["unreached"]
    assert coverage["source"][missed["start"] : missed["end"]] == "hello"
    assert coverage["reached"] == coverage["bodies"] - 1


def test_a_template_that_renders_no_chat_is_undecided_with_the_reason_once(model: Path) -> None:
    (model / "chat_template.jinja").write_text("{{ raise_exception('never\x1b[31m') }}", encoding="utf-8")
    done = tpllint("describe", model, cwd=model)
    assert done.code == 0
    assert done.out.count("undecided") == 1
    assert r"a plain chat does not render: never\u{1b}[31m" in done.out
    assert "\x1b" not in done.out


def test_a_template_that_does_not_compile_has_no_coverage(model: Path) -> None:
    (model / "chat_template.jinja").write_text("{% for %}", encoding="utf-8")
    done = tpllint("describe", "--coverage", model, cwd=model)
    assert done.code == 0
    assert "coverage: undecided, the template does not compile" in done.out


def test_a_target_that_cannot_be_had_is_an_error_and_the_others_are_described(model: Path) -> None:
    done = tpllint("describe", "./nowhere", model, cwd=model)
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert f"{model} (default)" in done.out
    errors = tpllint("describe", "--output-format", "json", "./nowhere", cwd=model).json()["errors"]
    assert [error["target"] for error in errors] == ["./nowhere"]


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (("--var", "x"), "bad-variable"),
        (("--conversation", "none.json"), "no-such-path"),
        (("--template", "defalt"), "no-such-template"),
    ],
)
def test_the_json_is_printed_in_every_case_with_what_went_wrong(model: Path, options: tuple[str, ...], kind: str) -> None:
    done = tpllint("describe", "--output-format", "json", *options, "model", "model/../model", cwd=model.parent)
    body = done.json()
    assert (done.code, body["descriptions"]) == (2, [])
    assert [(error["target"], error["kind"]) for error in body["errors"]] == [("model", kind), ("model/../model", kind)]
    assert f"error: {body['errors'][0]['message']}\n  help: {body['errors'][0]['hint']}" in done.err
    assert tpllint("describe", *options, "model", cwd=model.parent).out == ""


def test_an_error_goes_into_the_file_that_was_asked_for(model: Path) -> None:
    done = tpllint("describe", "--output-format", "json", "--output", "d.json", "--var", "x", ".", cwd=model)
    assert (done.code, done.out) == (2, "")
    assert json.loads((model / "d.json").read_text())["errors"][0]["kind"] == "bad-variable"


def test_columns_stand_below_each_other_where_characters_are_wide(model: Path) -> None:
    (model / "chat_template.jinja").write_text(
        CHATML.replace("<|im_start|>", "\u4f60\u597d<|" + 30 * "\u554f"), encoding="utf-8"
    )
    lines = tpllint("describe", model, cwd=model).out.splitlines()
    rows = [line for line in lines if line.startswith(("  role", "  system  ", "  user  ", "  assistant  "))]
    closers = [re.split('closes|"<.im_end', row)[0] for row in rows]
    assert len(rows) == 4
    assert {cell_len(before) for before in closers} == {2 + 11 + 36}


def test_carets_stand_below_wide_characters_and_lines_wrap_by_columns(model: Path) -> None:
    missed = "\u65e5\u672ce\u0301\u8a9e"
    source = 30 * "\u4f60" + "{% if messages[0].role == 'critic' %}" + missed + "{% endif %}" + 60 * "\u597d" + CHATML
    (model / "chat_template.jinja").write_text(source, encoding="utf-8")
    lines = tpllint("describe", "--coverage", model, cwd=model).out.splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith("    1 > "))
    shown = lines[first : next(at for at, line in enumerate(lines) if line.startswith("    2 > "))]
    carets = next(at for at, line in enumerate(shown) if line.strip() and set(line.strip()) == {"^"})
    marks = shown[carets]
    reading, at = "", 0
    for character in shown[carets - 1]:
        reading += character if marks[at : at + 1] == "^" or (reading and not cell_len(character)) else ""
        at += cell_len(character)
    assert missed.startswith(reading)
    assert reading
    assert max(map(cell_len, shown)) <= 8 + 88
    assert "".join(line[8:] for line in shown if "^" not in line) == source.split("\n")[0]


def test_what_is_not_reached_is_coloured_in_one_piece(model: Path) -> None:
    (model / "chat_template.jinja").write_text(WITH_A_CRITIC, encoding="utf-8")
    assert "\x1b[31mhello\x1b[0m" in tpllint("describe", "--coverage", "--color", "always", model, cwd=model).out


def test_a_folder_without_a_template_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text("{}", encoding="utf-8")
    done = tpllint("describe", tmp_path, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "no chat template" in done.err


def test_a_template_that_never_ends_is_undecided(model: Path) -> None:
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    (model / "chat_template.jinja").write_text(endless, encoding="utf-8")
    done = tpllint("describe", model, cwd=model)
    assert "undecided" in done.out or "ended early" in done.err


def test_colours_come_only_when_asked_for(model: Path) -> None:
    assert "\x1b[1m" in tpllint("describe", "--color", "always", model, cwd=model).out
    assert "\x1b" not in tpllint("describe", model, cwd=model).out


def test_python_gets_what_the_json_holds(model: Path) -> None:
    (described,) = package.describe(str(model))
    assert described["capabilities"]["generation-prompt"] is True
