"""`tpllint render` as a person sees it, and as a script does."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.command import Done, tpllint
from tests.local_hub import LocalHub
from tests.small_tokenizer import CHATML, write_model

STYLE = re.compile(r"\x1b\[[0-9;]*m")
HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b31m\u202eevil\u2066\u200b\ue000\r\x08\x7f\u2028\x85end"
EXACT = "<|im_start|>user\nquestion-amber<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "t.jinja").write_text(CHATML, encoding="utf-8")
    return tmp_path


def on_terminal(*arguments: str, cwd: Path, **environment: str) -> str:
    """What `tpllint render` writes when its output is a terminal."""
    ours, theirs = pty.openpty()
    inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tpllint", "render", *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**inherited, "PYTHONIOENCODING": "utf-8", **environment},
    )
    os.close(theirs)
    written = bytearray()
    try:
        while data := os.read(ours, 1 << 16):
            written += data
    except OSError:  # Linux tells so that the other end is closed
        pass
    os.close(ours)
    assert process.wait(timeout=60) in (0, 1)
    encoding = environment.get("PYTHONIOENCODING", "utf-8").partition(":")[0]
    return written.decode(encoding).replace("\r\n", "\n")


def conversation(folder: Path, *messages: object, **more: object) -> tuple[str, str]:
    """The option that renders these messages."""
    (folder / "c.json").write_text(json.dumps({"messages": messages, **more}))
    return "--conversation", "c.json"


def rows(shown: str) -> list[str]:
    """The lines of the prompt itself."""
    return [line for line in STYLE.sub("", shown).splitlines() if "\u2502" in line]


def user(content: object, **more: object) -> dict[str, object]:
    return {"role": "user", "content": content, **more}


def test_what_is_no_terminal_gets_the_bytes_and_nothing_else(folder: Path) -> None:
    done = tpllint("render", "t.jinja", "--canonical", "user", "--verbose", "--color", "always", cwd=folder)
    assert done.out == EXACT
    assert "render_jinja_template" in done.err


def test_a_file_gets_the_bytes_even_from_a_terminal(folder: Path) -> None:
    on_terminal("t.jinja", "--canonical", "user", "--output", "prompt.txt", cwd=folder)
    assert (folder / "prompt.txt").read_text() == EXACT


def test_the_json_is_that_of_the_contract(folder: Path) -> None:
    done = tpllint("render", "t.jinja", "--canonical", "user", "--visible", "--output-format", "json", cwd=folder)
    (record,) = done.json()["renders"]
    assert list(record) == [
        "target",
        "engine",
        "template",
        "conversation",
        "add_generation_prompt",
        "clock",
        "inputs",
        "text",
        "error",
        "continue_final_message",
    ]


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (("--canonical", "usr"), "unknown-conversation"),
        (("--var", "x"), "bad-variable"),
        (("--continue-final-message", "--add-generation-prompt"), "contradiction"),
        (("--template", "nope"), "no-such-template"),
        (("--token-ids",), "no-tokenizer"),
    ],
)
def test_the_json_is_printed_in_every_case_with_what_went_wrong(folder: Path, options: tuple[str, ...], kind: str) -> None:
    done = tpllint("render", "t.jinja", *options, "--output-format", "json", cwd=folder)
    body = done.json()
    assert (done.code, body["renders"]) == (2, [])
    assert [(error["target"], error["kind"]) for error in body["errors"]] == [("t.jinja", kind)]
    assert f"error: {body['errors'][0]['message']}\n  help: {body['errors'][0]['hint']}" in done.err
    text = tpllint("render", "t.jinja", *options, cwd=folder)
    assert (text.code, text.out, text.err) == (2, "", done.err)


def test_the_json_has_the_prompts_of_the_others_beside_the_errors(folder: Path) -> None:
    done = tpllint("render", "nope", "t.jinja", "--output-format", "json", cwd=folder)
    body = done.json()
    assert (done.code, len(body["renders"])) == (2, 1)
    assert [set(error) for error in body["errors"]] == [{"target", "kind", "message", "hint"}]
    assert tpllint("render", "t.jinja", "--output-format", "json", cwd=folder).json()["errors"] == []


def test_unknown_names_are_told_with_the_nearest_and_all_that_are_known(folder: Path) -> None:
    done = tpllint("render", "t.jinja", "--canonical", "usr", cwd=folder)
    assert done.err.startswith(
        'error: unknown conversation "usr"\n  help: did you mean "user"? known are user, user-assistant,'
    )
    done = tpllint("render", "t.jinja", "--template", "defalt", cwd=folder)
    assert done.err == ('error: t.jinja: unknown chat template "defalt"\n  help: did you mean "default"? known are default\n')
    write_model(folder / "model", None)
    assert tpllint("render", "model", "--template", "x", cwd=folder).err.endswith("  help: none is known\n")


def test_a_role_of_wide_characters_does_not_shift_the_margin(folder: Path) -> None:
    (folder / "t.jinja").write_text("{% for m in messages %}{{ m.content }}\n{% endfor %}")
    option = conversation(folder, {"role": "\u8bc4\u8bba\u5bb6", "content": "a"}, user("b"))
    assert rows(on_terminal("t.jinja", *option, cwd=folder)) == [
        "0 \u8bc4\u8bba\u5bb6 \u2502 a\u21b5",
        "1 user   \u2502 b\u21b5",
    ]


def test_on_a_terminal_each_line_stands_beside_its_message(folder: Path) -> None:
    shown = on_terminal("t.jinja", *conversation(folder, user("two\nlines ")), cwd=folder, NO_COLOR="1")
    assert shown == (
        "=== t.jinja (default): c.json, with generation prompt\n"
        "messages: 0 user\n"
        "\n"
        "0 user \u2502 <|im_start|>user\u21b5\n"
        "0 user \u2502 two\u21b5\n"
        "0 user \u2502 lines\u00b7<|im_end|>\u21b5\n"
        "       \u2502 <|im_start|>assistant\u21b5\n"
    )


def test_what_is_no_terminal_shows_the_same_where_it_is_asked_to(folder: Path) -> None:
    option = conversation(folder, user("two\nlines "))
    shown = tpllint("render", "t.jinja", *option, "--visible", cwd=folder).out
    assert shown == on_terminal("t.jinja", *option, cwd=folder, NO_COLOR="1")


def test_one_line_that_several_messages_wrote_is_cut_between_them(folder: Path) -> None:
    (folder / "t.jinja").write_text("<s>{% for m in messages %}[{{ m.content }}]{% endfor %}")
    option = conversation(folder, user("a question"), {"role": "assistant", "content": "an answer"})
    assert rows(on_terminal("t.jinja", *option, cwd=folder)) == [
        "            \u2502 <s>",
        "0 user      \u2502 [a question]",
        "1 assistant \u2502 [an answer]",
    ]


def test_messages_have_colours_and_special_tokens_stand_out(folder: Path) -> None:
    shown = on_terminal("t.jinja", *conversation(folder, user("a"), {"role": "assistant", "content": "b"}), cwd=folder)
    assert "\x1b[32m0 user\x1b[0m, \x1b[36m1 assistant\x1b[0m" in shown
    closer = "\x1b[1m<|im_end|>\x1b[0m\x1b[2m\u21b5\x1b[0m\n"
    assert f"\x1b[32m0 user     \x1b[0m \u2502 \x1b[32ma\x1b[0m{closer}" in shown
    assert f"\x1b[36m1 assistant\x1b[0m \u2502 \x1b[36mb\x1b[0m{closer}" in shown
    assert "\x1b[1m<|im_start|>\x1b[0m\x1b[2muser\x1b[0m\x1b[2m\u21b5\x1b[0m\n" in shown


@pytest.mark.parametrize(
    ("options", "environment", "coloured"),
    [
        ((), {}, True),
        ((), {"NO_COLOR": "1"}, False),
        (("--color", "never"), {}, False),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
    ],
)
def test_colours_are_the_users_choice(
    folder: Path, options: tuple[str, ...], environment: dict[str, str], coloured: bool
) -> None:
    shown = on_terminal("t.jinja", "--canonical", "user", *options, cwd=folder, **environment)
    assert bool(STYLE.search(shown)) is coloured


def test_whitespace_is_visible_where_it_is_easily_overlooked(folder: Path) -> None:
    (folder / "t.jinja").write_text("{{ messages[0].content }}")
    option = conversation(folder, user(" a b  c\td\u00a0e\u3000f \n\n"))
    assert rows(on_terminal("t.jinja", *option, cwd=folder)) == [
        "0 user \u2502 \u00b7a b\u00b7\u00b7c\u2192d\\u{a0}e\\u{3000}f\u00b7\u21b5",
        "0 user \u2502 \u21b5",
    ]


def test_text_that_looks_like_a_mark_is_shown_by_its_number(folder: Path) -> None:
    (folder / "t.jinja").write_text("{{ messages[0].content }}")
    option = conversation(folder, user("\u00b7\u2192\u21b5"))
    assert rows(on_terminal("t.jinja", *option, cwd=folder)) == ["0 user \u2502 \\u{b7}\\u{2192}\\u{21b5}"]


def test_a_terminal_that_knows_only_ascii_gets_ascii(folder: Path) -> None:
    (folder / "t.jinja").write_text("{{ messages[0].content }}")
    option = conversation(folder, user(" a\tb\n\u00e9"))
    shown = on_terminal("t.jinja", *option, cwd=folder, PYTHONIOENCODING="ascii")
    assert [line for line in STYLE.sub("", shown).splitlines() if "|" in line] == ["0 user | \\sa\\tb\\n", "0 user | \\xe9"]


def test_nothing_of_a_stranger_controls_the_terminal(folder: Path) -> None:
    write_model(folder / "model", "{{ odd_token }}" + HOSTILE + CHATML, odd_token=HOSTILE)
    option = conversation(
        folder, {"role": HOSTILE, "content": HOSTILE}, user(HOSTILE + "\n" + HOSTILE), tools=[{HOSTILE: HOSTILE}]
    )
    shown = on_terminal("model", *option, "-v", "--token-ids", "--var", f"x={json.dumps(HOSTILE)}", cwd=folder)
    assert STYLE.sub("", shown).replace("\n", "").isprintable()
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b]", shown)
    assert shown.count("\\u{202e}evil") > 3


def test_a_message_that_the_template_refuses_is_told_safely(folder: Path) -> None:
    (folder / "t.jinja").write_text("{{ raise_exception(messages[0].content) }}")
    shown = on_terminal("t.jinja", *conversation(folder, user(HOSTILE)), cwd=folder)
    assert shown.replace("\n", "").isprintable()
    assert "error: c.json does not render: \\u{1b}]0;title" in shown


def test_a_line_of_a_megabyte_is_shown_whole(folder: Path) -> None:
    option = conversation(folder, user("word\x1b " * 170_000 + "end"))
    _, row, _ = rows(on_terminal("t.jinja", *option, cwd=folder))
    assert row == "0 user \u2502 " + "word\\u{1b} " * 170_000 + "end<|im_end|>\u21b5"


def test_a_chat_of_many_messages_has_a_short_legend(folder: Path) -> None:
    shown = on_terminal("t.jinja", *conversation(folder, *[user(f"turn {index}") for index in range(100)]), cwd=folder)
    legend = STYLE.sub("", shown).splitlines()[1]
    assert legend.endswith("19 user, and 80 more")
    assert rows(shown)[-2].startswith("99 user \u2502 turn 99")


@pytest.mark.parametrize("role", [None, 7, ["user"], "r" * 1000])
def test_a_role_may_be_anything(folder: Path, role: object) -> None:
    (folder / "t.jinja").write_text("{{ messages[0].content }}")
    shown = on_terminal("t.jinja", *conversation(folder, {"role": role, "content": "a word"}), cwd=folder, NO_COLOR="1")
    assert rows(shown) == [f"0 {'r' * 16}... \u2502 a word" if isinstance(role, str) else "0 \u2502 a word"]


def test_every_conversation_is_shown_with_its_own_messages(folder: Path) -> None:
    shown = on_terminal("t.jinja", "--all-conversations", cwd=folder, NO_COLOR="1")
    assert (
        "\n\n=== t.jinja (default): user, with generation prompt\nmessages: 0 user\n\n0 user \u2502 <|im_start|>user" in shown
    )
    assert "\n\n=== t.jinja (default): system-user, with generation prompt\nmessages: 0 system, 1 user\n\n" in shown


def _run(program: str, folder: Path, **environment: str) -> Done:
    """What the program prints, run as a user does: in the folder where tpllint ran."""
    command = [sys.executable, "-W", "ignore", "-c", program]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", **(environment or {"HF_HUB_OFFLINE": "1"})}
    done = subprocess.run(command, cwd=folder, capture_output=True, env=environment, check=False, timeout=60)
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def _reproduces(folder: Path, *arguments: str, stdin: bytes = b"") -> str:
    """The program that is told for a render, after a run of it that printed the same prompt."""
    done = tpllint("render", *arguments, "-v", cwd=folder, stdin=stdin)
    assert done.code == 0, done.err
    assert done.err.isascii()
    ran = _run(done.err, folder)
    assert (ran.code, ran.out) == (0, done.out), ran.err
    return done.err


TALK: tuple[dict[str, Any], ...] = (
    {"role": "system", "content": "caf\u00e9 \U0001f600 'quoted' \"twice\" \\n\n"},
    {"role": "user", "content": "hi", "name": None},
    {
        "role": "assistant",
        "content": None,
        "reasoning": "why",
        "tool_calls": [{"function": {"arguments": {"x": [1.5, True, None]}}}],
    },
    {"role": "user", "content": "more " * 60},
)
EVERYTHING = (
    "{{ bos_token }}{{ eos_token }}{{ messages | tojson }}{{ tools }}{{ documents }}{{ add_generation_prompt }}"
    "{{ style | default('-') }}{{ pad_token is defined }}"
)


def test_a_model_folder_is_reproduced_by_its_tokenizer(folder: Path) -> None:
    write_model(folder / "model", EVERYTHING)
    option = conversation(folder, *TALK, tools=[{"name": "f"}], documents=[{"title": "t", "text": ""}], style="plain")
    assert "AutoTokenizer.from_pretrained('model')" in _reproduces(folder, "model", *option)


def test_a_model_on_the_hub_is_reproduced_at_its_commit(folder: Path) -> None:
    files = {path.name: path.read_bytes() for path in write_model(folder / "model").iterdir()}
    with LocalHub() as hub:
        commit = hub.add("org/model", {**files, "config.json": b"{}"})
        hub.add("org/model", {"chat_template.jinja": b"later"}, revision="later")
        environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "home"), "NO_PROXY": "*", "HF_TOKEN": ""}
        done = tpllint("render", "org/model", "--canonical", "user", "-v", cwd=folder, env=environment)
        assert f"AutoTokenizer.from_pretrained('org/model', revision='{commit}')" in done.err
        ran = _run(done.err, folder, **environment)
    assert (ran.out, done.out) == (EXACT, EXACT), ran.err


def test_a_template_of_its_own_is_reproduced_by_the_function_behind_the_tokenizer(folder: Path) -> None:
    (folder / "it's.jinja").write_text(EVERYTHING)
    assert 'Path("it\'s.jinja").read_text' in _reproduces(folder, "it's.jinja", *conversation(folder, *TALK))


def test_standard_input_is_reproduced_from_its_text(folder: Path) -> None:
    _reproduces(folder, "-", *conversation(folder, *TALK), stdin=(EVERYTHING + "\n\u00e9\\").encode())


@pytest.mark.parametrize("name", ["default", "tool_use"])
def test_one_of_several_templates_is_asked_for_by_name(folder: Path, name: str) -> None:
    named = [{"name": "default", "template": "one {{ messages }}"}, {"name": "tool_use", "template": "two {{ messages }}"}]
    write_model(folder / "model", named)
    program = _reproduces(folder, "model", "--template", name, *conversation(folder, user("hi"), tools=[]))
    assert f"tokenizer.chat_template['{name}']" in program


def test_a_template_inside_a_file_is_read_from_it(folder: Path) -> None:
    write_model(folder / "model", [{"name": "default", "template": EVERYTHING}])
    _reproduces(folder, "model/tokenizer_config.json", *conversation(folder, user("hi")))


def test_a_template_put_in_place_of_the_models_is_reproduced(folder: Path) -> None:
    write_model(folder / "model")
    (folder / "t.jinja").write_text(EVERYTHING)
    _reproduces(folder, "model", "--chat-template", "t.jinja", *conversation(folder, user("hi")))


def test_the_clock_stands_still_in_the_program_too(folder: Path) -> None:
    write_model(folder / "model", "{{ strftime_now('%Y-%m-%d %H:%M:%S') }}")
    _reproduces(folder, "model", *conversation(folder, user("hi")))


def test_a_continued_message_and_a_chat_without_messages_are_reproduced(folder: Path) -> None:
    write_model(folder / "model")
    option = conversation(folder, user("hi"), {"role": "assistant", "content": "so "})
    assert "continue_final_message=True" in _reproduces(folder, "model", "--continue-final-message", *option)
    assert "render_jinja_template" in _reproduces(folder, "model", *conversation(folder))


def test_numbers_that_only_python_reads_are_reproduced(folder: Path) -> None:
    (folder / "t.jinja").write_text("{{ messages }}")
    (folder / "c.json").write_text('[{"role": "user", "content": "inf", "x": [NaN, -Infinity, 1e400]}]')
    _reproduces(folder, "t.jinja", "--conversation", "c.json")


def test_on_a_terminal_the_program_follows_the_prompt(folder: Path) -> None:
    shown = on_terminal("t.jinja", "--canonical", "user", "-v", cwd=folder, NO_COLOR="1")
    prompt, program = shown.split("\n\n", 2)[1:]
    assert prompt.endswith("\u2502 <|im_start|>assistant\u21b5")
    assert _run(program, folder).out == EXACT
