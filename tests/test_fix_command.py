"""`tpllint check --fix` and `--diff-fixes`: what they write, what they show, and what they leave alone."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.command import Done, tpllint
from tests.gguf_model import write_gguf
from tests.live import GOOD, tokenizer
from tests.local_hub import LocalHub
from tpllint import writing
from tpllint.cli import fixes, run
from tpllint.repairs import FileChange
from tpllint.report import patch

MARK = "\ufeff"
MISSING = GOOD.partition("\n{% endfor %}")[0] + "\n{% endfor %}"
BLOCK = "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
MOVE = "legacy-template-storage"


def write(folder: Path, **files: str | bytes) -> Path:
    """A model folder: `root` is its chat_template.jinja, `config` its tokenizer_config.json."""
    names = {"root": "chat_template.jinja", "config": "tokenizer_config.json", "legacy": "chat_template.json"}
    folder.mkdir(parents=True, exist_ok=True)
    for key, text in {"config": json.dumps(TOKENS), **files}.items():
        (folder / names[key]).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def config(template: Any, **more: Any) -> str:
    return json.dumps({**TOKENS, "chat_template": template, **more}, indent=2)


def held(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def fix(folder: Path, *words: str) -> Done:
    return tpllint("check", "--fix", *words, cwd=folder)


def refused(done: Done) -> str:
    assert (done.code, done.out) == (2, "")
    first, _, rest = done.err.partition("\n")
    assert rest.startswith("  help: ")
    return first.removeprefix("error: ")


def test_what_is_fixed_is_told_in_a_line_and_what_remains_is_reported(tmp_path: Path) -> None:
    write(tmp_path / "model", root=MARK + MISSING)
    done = fix(tmp_path, "model")
    lines = [
        "fixed: bom-in-template in model/chat_template.jinja",
        "fixed: generation-prompt-missing in model/chat_template.jinja",
    ]
    assert (done.code, done.out.splitlines(), done.err) == (0, [*lines, "no findings in 1 template"], "")
    assert (tmp_path / "model" / "chat_template.jinja").read_text() == f"{MISSING}\n{BLOCK}"


def test_to_fix_twice_changes_nothing_more(tmp_path: Path) -> None:
    write(tmp_path / "model", config=config(MARK + MISSING), legacy=json.dumps({"chat_template": MARK + MISSING}))
    assert fix(tmp_path, "model", "--profile", "all").code == 0
    once = held(tmp_path)
    assert once["model/chat_template.jinja"].decode() == f"{MISSING}\n{BLOCK}"
    assert once["model/tokenizer_config.json"].decode() == json.dumps(TOKENS, indent=2)
    assert list(once) == ["model/chat_template.jinja", "model/tokenizer_config.json"]
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert "fixed:" not in fix(tmp_path, "model", "--profile", "all").out
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == times


def test_a_template_moves_only_where_its_rule_is_told(tmp_path: Path) -> None:
    write(tmp_path / "model", config=config(GOOD))
    before = held(tmp_path)
    assert fix(tmp_path, "model").out == "no findings in 1 template\n"
    assert held(tmp_path) == before
    done = fix(tmp_path, "model", "--select", MOVE)
    assert (done.code, done.out.splitlines()[0]) == (0, f"fixed: {MOVE} in model/tokenizer_config.json")
    assert sorted(held(tmp_path)) == ["model/chat_template.jinja", "model/tokenizer_config.json"]


def test_what_is_not_fixed_is_told_with_the_reason(tmp_path: Path) -> None:
    write(tmp_path / "model", config=config(GOOD))
    (tmp_path / "model" / "preprocessor_config.json").write_text("{}")
    done = fix(tmp_path, "model", "--select", MOVE)
    why = "the processor, which loads no template now, would load chat_template.jinja"
    assert done.out.splitlines()[0] == f"not fixed: {MOVE} in model/tokenizer_config.json: {why}"
    assert "info[legacy-template-storage]" in done.out


def test_a_machine_reads_its_format_alone(tmp_path: Path) -> None:
    write(tmp_path / "model", root=MISSING)
    done = fix(tmp_path, "model", "--output-format", "json")
    assert (done.code, done.json()["findings"]) == (0, [])
    assert done.err == "fixed: generation-prompt-missing in model/chat_template.jinja\n"
    write(tmp_path / "model", root=MISSING)
    assert fix(tmp_path, "model", "--quiet").out == ""


def test_a_finding_says_that_it_can_be_fixed(tmp_path: Path) -> None:
    write(tmp_path / "model", root=MISSING.replace("{{ bos_token }}", "{{ bos_token }}{{ bos_token }}"))
    findings = tpllint("check", "model", "--output-format", "json", cwd=tmp_path).json()["findings"]
    assert {finding["rule"]: finding["fixable"] for finding in findings} == {
        "bos-duplicated": False,
        "generation-prompt-missing": True,
    }
    assert fix(tmp_path, "model").code == 1


def test_a_file_by_itself_is_fixed_and_its_neighbours_are_not(tmp_path: Path) -> None:
    write(tmp_path / "model", root=MISSING, config=config(MISSING))
    done = fix(tmp_path, "model/tokenizer_config.json")
    assert done.out.splitlines()[0] == "fixed: generation-prompt-missing in model/tokenizer_config.json"
    assert json.loads((tmp_path / "model" / "tokenizer_config.json").read_bytes())["chat_template"] == f"{MISSING}\n{BLOCK}"
    assert (tmp_path / "model" / "chat_template.jinja").read_text() == MISSING
    (tmp_path / "any.jinja").write_bytes(MISSING.replace("\n", "\r\n").encode() + b"\r\n")
    assert fix(tmp_path, "any.jinja").code == 0
    assert (tmp_path / "any.jinja").read_bytes().decode() == f"{MISSING}\n{BLOCK}\n".replace("\n", "\r\n")


def test_all_targets_are_fixed_though_one_cannot_be(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        write(tmp_path / name, root=MISSING)
    (tmp_path / "two" / "chat_template.jinja").rename(tmp_path / "two" / "own.jinja")
    (tmp_path / "two" / "chat_template.jinja").symlink_to("own.jinja")
    done = fix(tmp_path, "one", "nope", "two", "three")
    assert done.code == 2
    assert [line for line in done.out.splitlines() if line.startswith("fixed: ")] == [
        "fixed: generation-prompt-missing in one/chat_template.jinja",
        "fixed: generation-prompt-missing in three/chat_template.jinja",
    ]
    assert "error: two/chat_template.jinja is a link, and is not written\n  help: fix what it leads to" in done.err
    assert (tmp_path / "two" / "own.jinja").read_text() == MISSING
    assert (tmp_path / "two" / "chat_template.jinja").is_symlink()


def test_a_file_that_two_targets_share_is_fixed_once(tmp_path: Path) -> None:
    write(tmp_path / "model", root=MISSING)
    (tmp_path / "link").symlink_to("model")
    done = fix(tmp_path, "model", "model/chat_template.jinja", "link")
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "model" / "chat_template.jinja").read_text() == f"{MISSING}\n{BLOCK}"


def test_what_is_done_once_is_told_once(tmp_path: Path) -> None:
    write(tmp_path / "model", root=MARK + MISSING)
    write(tmp_path / "fast", config=config(GOOD))
    (tmp_path / "fast" / "preprocessor_config.json").write_text("{}")
    (tmp_path / "link").symlink_to("model")
    names = ("model", "model/", "./model", "model/chat_template.jinja", "link", "fast", "fast/", "--profile", "all")
    shown = tpllint("check", "--diff-fixes", *names, cwd=tmp_path)
    assert (shown.out.count("--- "), shown.err.count("not fixed: ")) == (1, 1)
    done = fix(tmp_path, *names)
    lines = [line for line in done.out.splitlines() if "fixed: " in line]
    assert [line.partition(" in ")[0] for line in lines] == [
        "fixed: bom-in-template",
        "fixed: generation-prompt-missing",
        f"not fixed: {MOVE}",
    ]


def test_permissions_stay(tmp_path: Path) -> None:
    path = write(tmp_path / "model", root=MISSING) / "chat_template.jinja"
    path.chmod(0o600)
    assert fix(tmp_path, "model").code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir() if each.name.endswith(".tpllint")] == []


def test_the_diff_is_what_fixing_changes(tmp_path: Path) -> None:
    for side in ("patched", "fixed"):
        write(tmp_path / side / "a b", root=MARK + MISSING.replace("\n", "\r\n") + "\r\n")
        entries = [{"name": "default", "template": GOOD}, {"name": "rag", "template": MISSING + "\u2028\x85\x0c"}]
        write(tmp_path / side / "moved", config=config(entries, more="\u2028é"))
    before = held(tmp_path)
    shown = tpllint("check", "--diff-fixes", "--profile", "all", "a b", "moved", cwd=tmp_path / "patched")
    assert (shown.code, shown.err, held(tmp_path)) == (1, "", before)
    assert shown.out.startswith("--- a/a b/chat_template.jinja\t\n+++ b/a b/chat_template.jinja\t\n@@ ")
    fix(tmp_path / "fixed", "--profile", "all", "a b", "moved")
    done = subprocess.run(
        ["git", "apply"], cwd=tmp_path / "patched", input=shown.out.encode(), capture_output=True, check=False
    )
    assert done.stderr == b""
    assert held(tmp_path / "patched") == held(tmp_path / "fixed") != before


ODD = (
    b"z\n--- a/victim\n+++ b/victim\n@@ -1 +1 @@\n-a\n+b",
    b"tab\there",
    b"bad\xffn",
    "é 漢".encode(),
    b'"quoted" \\n',
    b"\x1b[2J",
)


@pytest.mark.parametrize("command", [["git", "apply"], ["patch", "-p1", "--silent"]], ids=["git", "patch"])
@pytest.mark.parametrize("name", ODD)
def test_a_name_is_no_more_than_a_name_in_a_diff(tmp_path: Path, name: bytes, command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]}")
    folder = write(tmp_path / os.fsdecode(name), root=MISSING)
    (tmp_path / "victim").write_text("a\n")
    shown = tpllint("check", "--diff-fixes", os.fsdecode(name), cwd=tmp_path)
    heads = [line for line in shown.out.splitlines() if line.startswith(("--- ", "+++ ", "@@ "))]
    assert (shown.code, shown.out.isascii(), len(heads)) == (1, True, 3)
    done = subprocess.run(command, cwd=tmp_path, input=shown.out.encode(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (folder / "chat_template.jinja").read_text() == f"{MISSING}\n{BLOCK}"
    assert (tmp_path / "victim").read_text() == "a\n"


def test_a_diff_goes_where_it_is_told_and_says_when_there_is_none(tmp_path: Path) -> None:
    write(tmp_path / "model", root=MISSING)
    done = tpllint("check", "--diff-fixes", "model", "--output", "fixes.patch", "--exit-zero", cwd=tmp_path)
    assert (done.code, done.out) == (0, "")
    assert "+++ b/model/chat_template.jinja" in (tmp_path / "fixes.patch").read_text()
    write(tmp_path / "model", root=GOOD)
    done = tpllint("check", "--diff-fixes", "model", cwd=tmp_path)
    assert (done.code, done.out, done.err) == (0, "", "")
    done = tpllint("check", "--diff-fixes", "model", "nope", cwd=tmp_path)
    assert (done.code, done.out, done.err.partition("\n")[0]) == (2, "", "error: no such file or folder: nope")


def test_neither_a_diff_nor_a_report_replaces_a_file_of_a_model(tmp_path: Path) -> None:
    write(tmp_path / "model", root=MISSING)
    (tmp_path / "model" / "tokenizer.json").write_text("{}")
    (tmp_path / "rows.jsonl").write_text('{"messages": []}\n')
    before = held(tmp_path)
    to = ("--output", "model/chat_template.jinja")
    for words in (
        ("check", "model", *to),
        ("check", "--diff-fixes", "model", *to),
        ("check", "model/chat_template.jinja", "--output", "model/generation_config.json"),
        ("describe", "model", *to),
        ("render", "model", "--output", "model/tokenizer.json"),
        ("diff", "model", "model", *to),
        ("review", "model", "model", *to),
        ("data", "model", "rows.jsonl", *to),
        ("data", "model", "rows.jsonl", "--output", "rows.jsonl"),
        ("lock", "model", "--lock-file", "model/special_tokens_map.json"),
    ):
        done = tpllint(*words, cwd=tmp_path)
        assert (done.code, "help: name another file" in done.err) == (2, True), words
        assert held(tmp_path) == before
    assert tpllint("check", "model", "--exit-zero", "--output", "model/report.json", cwd=tmp_path).code == 0


def test_a_run_that_fails_leaves_the_report_of_before(tmp_path: Path) -> None:
    write(tmp_path / "model", root=MISSING)
    (tmp_path / "report").write_text("before")
    assert tpllint("check", "model", "--severity", "nope=bad", "--output", "report", cwd=tmp_path).code == 2
    assert sorted(held(tmp_path)) == ["model/chat_template.jinja", "model/tokenizer_config.json", "report"]
    assert (tmp_path / "report").read_text() == "before"


def test_a_model_on_the_hub_is_shown_and_not_fixed(tmp_path: Path) -> None:
    with LocalHub() as hub:
        env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "NO_PROXY": "*", "HF_HUB_OFFLINE": "", "HF_TOKEN": ""}
        hub.add("org/model", {"chat_template.jinja": MISSING.encode(), "tokenizer_config.json": json.dumps(TOKENS).encode()})
        shown = tpllint("check", "--diff-fixes", "org/model", cwd=tmp_path, env=env)
        assert (shown.code, shown.err) == (1, "")
        assert f"+{BLOCK}\n" in shown.out
        done = tpllint("check", "--fix", "org/model", cwd=tmp_path, env=env)
        assert refused(done) == "--fix does not fix a model on the Hub: org/model"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--fix", "--diff-fixes", "model"), "--fix and --diff-fixes exclude each other"),
        (("--fix", "-"), "--fix does not fix standard input"),
        (("--diff-fixes", "model", "-"), "--diff-fixes does not fix standard input"),
        (("--fix", "model", "model.gguf"), "--fix does not fix a GGUF file: model.gguf"),
        (("--fix", "hf:org/model"), "--fix does not fix a model on the Hub: hf:org/model"),
        (
            ("--fix", "https://huggingface.co/org/model"),
            "--fix does not fix a model on the Hub: https://huggingface.co/org/model",
        ),
        (("--fix", "model", "--chat-template", "any.jinja"), "--fix and --chat-template exclude each other"),
        (("--diff-fixes", "model", "--chat-template", "any.jinja"), "--diff-fixes and --chat-template exclude each other"),
        (("--fix", "--locked", "model"), "--fix and --locked exclude each other"),
        (
            ("--diff-fixes", "model", "--output-format", "json"),
            "--diff-fixes writes a diff and no report: --output-format json",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_and_nothing_changes(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    write(tmp_path / "model", root=MISSING)
    (tmp_path / "any.jinja").write_text(MISSING)
    lock = {"schema": "tpllint-lock-v1", "version": "0.1.0", "targets": {}}
    (tmp_path / "tpllint.lock").write_text(json.dumps(lock))
    before = held(tmp_path)
    done = tpllint("check", *words, cwd=tmp_path, stdin=MISSING.encode())
    assert held(tmp_path) == before
    if "json" in words:
        assert (done.code, done.json()["targets"][0]["error"]["message"]) == (2, says)
    else:
        assert refused(done) == says


def test_a_folder_of_a_gguf_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    write_gguf(tmp_path / "model" / "model.gguf", MISSING)
    before = held(tmp_path)
    done = fix(tmp_path, "model")
    assert "not fixed: generation-prompt-missing in model/model.gguf: it is stored in a GGUF file" in done.out
    assert (done.code, held(tmp_path)) == (1, before)


def test_a_pipe_where_a_template_should_be_is_waited_for_by_nobody(tmp_path: Path) -> None:
    write(tmp_path / "model", config=config(GOOD))
    os.mkfifo(tmp_path / "model" / "chat_template.jinja")
    done = fix(tmp_path, "model", "--select", MOVE)
    assert "not fixed" in done.out
    assert stat.S_ISFIFO((tmp_path / "model" / "chat_template.jinja").stat().st_mode)


def test_what_may_not_be_written_is_an_error_that_tells_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "model", root=MISSING)

    def read_only(*_: object, **__: object) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tpllint.writing._write_new", read_only)
    assert run(["check", "--fix", "model"]) == 2
    assert (tmp_path / "model" / "chat_template.jinja").read_text() == MISSING
    told = capsys.readouterr()
    assert "fixed: " not in told.out
    assert told.err == (
        "error: model/chat_template.jinja cannot be written: read-only file system\n"
        "  help: check the folder and its permissions; nothing was changed\n"
    )


def test_a_file_that_changes_while_it_is_fixed_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "model", root=MISSING) / "chat_template.jinja"

    def late(folder: str, changes: Any) -> None:
        path.write_text(GOOD)
        writing.write(folder, changes)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fixes, "write", late)
    assert run(["check", "--fix", "model"]) == 2
    assert path.read_text() == GOOD
    assert "error: model/chat_template.jinja has changed since it was read" in capsys.readouterr().err


def test_terminals_are_not_commanded_by_a_diff(tmp_path: Path) -> None:
    stream = io.StringIO()
    patch.write([FileChange("a", "a\x1b[2J", b"\x1b]0;no\x07\r\n\xe2\x80\xae", b"\tb\n")], stream, escaped=True)
    assert set(stream.getvalue()) & {"\x1b", "\x07", "\r", "\u202e", "\t"} == set()
    assert stream.getvalue().count("\n") == 7


def test_transformers_loads_and_renders_as_before(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    entries = {"default": "{# é\r\n #}" + GOOD, "tool_use": GOOD + "{{ tools }}"}
    for name, template in (("one", GOOD + "\n\n"), ("several", entries)):
        folder = tmp_path / name
        tokenizer(GOOD).save_pretrained(folder)
        (folder / "chat_template.jinja").unlink()
        loaded = json.loads((folder / "tokenizer_config.json").read_bytes())
        stored = template if isinstance(template, str) else [{"name": key, "template": text} for key, text in template.items()]
        (folder / "tokenizer_config.json").write_text(json.dumps({**loaded, "chat_template": stored}))
        before = AutoTokenizer.from_pretrained(folder).chat_template
        assert fix(tmp_path, name, "--select", MOVE).out.startswith("fixed: ")
        assert "chat_template" not in json.loads((folder / "tokenizer_config.json").read_bytes())
        after = AutoTokenizer.from_pretrained(folder).chat_template
        assert json.dumps(after, sort_keys=True) == json.dumps(before, sort_keys=True).replace("\\r", "")


def test_a_check_that_fixes_nothing_imports_nothing_of_it(tmp_path: Path) -> None:
    write(tmp_path / "model", root=GOOD)
    statement = (
        f"from tpllint.cli import run; import sys; run(['check', '-q', {str(tmp_path / 'model')!r}]); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", statement], cwd=Path(fixes.__file__).parents[2], capture_output=True, check=True
    )
    loaded = set(done.stdout.decode().split())
    own = {"cli.fixes", "fixing", "repairs", "writing", "text_edit", "report.patch", "diffing"}
    assert {f"tpllint.{name}" for name in own} & loaded == set()
