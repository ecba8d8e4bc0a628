"""`tpllint describe` as a whole: the table, the JSON contract, coverage, and bad input."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

import tpllint as package
from tests.command import tpllint
from tests.local_hub import LocalHub

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


def storage(folder: Path) -> list[str]:
    """What the first table says before the turns."""
    done = tpllint("describe", folder, cwd=folder)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    told = lines[1 : lines.index("turns")]
    assert max(map(cell_len, told)) <= 100
    return told


def configure(folder: Path, name: str, template: object) -> None:
    (folder / name).write_text(json.dumps({"chat_template": template}), encoding="utf-8")


def add(folder: Path, name: str, template: str = CHATML) -> None:
    (folder / "additional_chat_templates").mkdir(exist_ok=True)
    (folder / "additional_chat_templates" / f"{name}.jinja").write_text(template, encoding="utf-8")


def test_where_a_lone_template_comes_from_is_told_in_one_line(model: Path) -> None:
    assert storage(model) == ["  loaded from         chat_template.jinja"]
    (model / "preprocessor_config.json").write_text("{}", encoding="utf-8")
    assert storage(model) == ["  loaded from         chat_template.jinja (tokenizer and processor)"]


def test_what_a_file_replaces_is_told_with_whether_it_says_the_same(model: Path) -> None:
    named = [{"name": "default", "template": CHATML}, {"name": "tool_use", "template": "lost"}]
    configure(model, "tokenizer_config.json", named)
    assert storage(model) == [
        "storage",
        "  tokenizer           chat_template.jinja",
        "    not loaded        tokenizer_config.json: default (same text), tool_use (lost)",
    ]


def test_tokenizer_and_processor_that_differ_are_told_apart(model: Path) -> None:
    configure(model, "chat_template.json", "an older one")
    assert storage(model) == [
        "storage",
        "  tokenizer           chat_template.jinja",
        "  processor           chat_template.json",
        "    not loaded        chat_template.jinja (other text)",
    ]


def test_a_processor_without_a_template_is_told_with_what_it_passes_over(model: Path) -> None:
    configure(model, "chat_template.json", None)
    assert storage(model)[2:] == [
        "  processor           no template: a call raises",
        "    not loaded        chat_template.jinja",
    ]


def test_the_template_of_a_call_with_tools_is_told(model: Path) -> None:
    add(model, "tool_use")
    assert storage(model)[-1] == "    a call picks      default; with tools tool_use"
    (model / "chat_template.jinja").unlink()
    assert storage(model)[2:] == ["    a call picks      nothing: it raises, for none is named default; with tools tool_use"]


def test_a_processor_that_cannot_be_loaded_is_told_with_the_reason(model: Path) -> None:
    configure(model, "chat_template.json", CHATML)
    add(model, "rag")
    assert (
        storage(model)[-1] == "  processor           loading raises: chat_template.json stands beside additional_chat_templates"
    )


def test_a_model_without_a_template_whose_processor_raises_is_told_why(tmp_path: Path) -> None:
    (tmp_path / "chat_template.json").write_text("{}", encoding="utf-8")
    for command in ("describe", "render"):
        done = tpllint(command, tmp_path, cwd=tmp_path)
        assert done.code == 2
        assert 'error: chat_template.json has no "chat_template"' in done.err


def test_a_file_that_cannot_be_used_is_told_beside_the_one_that_can(model: Path) -> None:
    (model / "tokenizer_config.json").write_text("{", encoding="utf-8")
    told = storage(model)
    assert told[2].startswith("  not usable          tokenizer_config.json is not valid JSON")


def test_names_of_templates_are_escaped_and_shortened(model: Path) -> None:
    (model / "chat_template.jinja").unlink()
    configure(model, "tokenizer_config.json", {"default": CHATML, "\x1b[31m" + 200 * "n": CHATML})
    told = storage(model)
    assert r"\u{1b}[31mnnn" in told[1]
    assert "\x1b" not in "".join(told)


def test_the_json_has_where_templates_come_from(model: Path) -> None:
    configure(model, "tokenizer_config.json", [{"name": "default", "template": CHATML}, {"name": "rag", "template": "lost"}])
    (described,) = tpllint("describe", "--output-format", "json", model, cwd=model).json()["descriptions"]
    shadowed = {"file": "tokenizer_config.json"}
    assert described["storage"] == {
        "tokenizer": {
            "error": None,
            "named": False,
            "templates": [{"name": "default", "file": "chat_template.jinja", "template": "default"}],
            "chosen": "default",
            "chosen_with_tools": "default",
            "not_loaded": [
                {**shadowed, "name": "default", "template": "tokenizer_config.json:default", "same_text": True},
                {**shadowed, "name": "rag", "template": "tokenizer_config.json:rag", "same_text": None},
            ],
        },
        "processor": None,
        "unreadable": [],
    }
    assert package.describe(model)[0]["storage"] == described["storage"]


@pytest.mark.parametrize("options", [("--template", "default"), ("--chat-template", "model/chat_template.jinja")])
def test_nothing_is_told_of_storage_where_one_template_was_picked(model: Path, options: tuple[str, ...]) -> None:
    done = tpllint("describe", *options, "model", cwd=model.parent)
    assert done.out.splitlines()[1] == "turns"
    body = tpllint("describe", "--output-format", "json", *options, "model", cwd=model.parent).json()
    assert body["descriptions"][0]["storage"] is None


def test_nothing_is_told_of_storage_where_a_file_is_the_target(model: Path) -> None:
    assert tpllint("describe", "chat_template.jinja", cwd=model).out.splitlines()[1] == "turns"


def test_where_the_templates_of_a_model_on_the_hub_come_from_is_told(tmp_path: Path) -> None:
    files = {"chat_template.jinja": CHATML.encode(), "chat_template.json": json.dumps({"chat_template": CHATML}).encode()}
    with LocalHub() as hub:
        hub.add("org/model", files)
        environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "NO_PROXY": "*"}
        lines = tpllint("describe", "org/model", cwd=tmp_path, env=environment).out.splitlines()
    assert lines[1:5] == [
        "storage",
        "  tokenizer           chat_template.jinja",
        "  processor           chat_template.json",
        "    not loaded        chat_template.jinja (same text)",
    ]
