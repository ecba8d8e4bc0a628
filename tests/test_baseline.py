"""`check --write-baseline` and `--baseline`: what is known is not told again, what is new is, and nothing gets lost."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.command import Done, tpllint
from tests.live import GOOD
from tests.local_hub import LocalHub

if TYPE_CHECKING:
    from pathlib import Path

MISSING = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
"""No generation prompt: one error."""
SPOILT = MISSING + "{{ messages.__class__ }}"
RULE = "generation-prompt-missing"
ESCAPE = GOOD + "{{ messages.__class__ }}"
FILE = "baseline.json"


def model(folder: Path, template: str = MISSING) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")


def check(folder: Path, *words: str) -> Done:
    return tpllint("check", *words, "--output-format", "json", cwd=folder)


def record(folder: Path, *words: str) -> Done:
    return check(folder, *words, "--write-baseline", FILE)


def rules(done: Done) -> list[str]:
    return [finding["rule"] for finding in done.json()["findings"]]


def baselined(done: Done) -> int:
    number: int = done.json()["summary"]["baselined"]
    return number


def entries(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / FILE).read_text(encoding="ascii"))["findings"]
    return found


def refusal(done: Done) -> tuple[str, str]:
    assert done.code == 2
    (error,) = {json.dumps(target["error"]) for target in done.json()["targets"]}
    told = json.loads(error)
    assert told["hint"]
    return told["kind"], told["message"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model(tmp_path / "old")
    return tmp_path


def test_what_is_recorded_is_told_once_and_then_no_more(folder: Path) -> None:
    written = record(folder, "old")
    assert (written.code, rules(written), written.err) == (0, [RULE], f"1 finding recorded in {FILE}\n")
    done = check(folder, "old", "--baseline", FILE)
    assert (done.code, rules(done), baselined(done), done.err) == (0, [], 1, "")
    assert tpllint("check", "old", "--baseline", FILE, cwd=folder).out == "no findings in 1 template (1 in the baseline)\n"


def test_the_file_has_one_finding_on_each_line_in_an_order_that_stays(folder: Path) -> None:
    model(folder / "another")
    record(folder, "old", "another")
    text = (folder / FILE).read_text(encoding="ascii")
    lines = text.splitlines()
    assert lines[:2] == ["{", ' "schema": "tpllint-baseline-v1",']
    assert [json.loads(line.strip().rstrip(","))["path"] for line in lines[3:5]] == [
        "another/chat_template.jinja",
        "old/chat_template.jinja",
    ]
    assert [entry | {"message": ""} for entry in entries(folder)][1] == {
        "path": "old/chat_template.jinja",
        "template": "default",
        "rule": RULE,
        "message": "",
        "severity": "error",
        "count": 1,
    }
    record(folder, "another", "old")
    assert (folder / FILE).read_text(encoding="ascii") == text
    model(folder / "another", GOOD)
    record(folder, "another")
    assert entries(folder) == []


def test_a_finding_that_moved_is_known_and_a_new_one_is_not(folder: Path) -> None:
    record(folder, "old")
    model(folder / "old", "{# a comment #}\n\n" + MISSING)
    assert rules(check(folder, "old", "--baseline", FILE)) == []
    model(folder / "old", SPOILT)
    done = check(folder, "old", "--baseline", FILE)
    assert (done.code, RULE in rules(done), baselined(done)) == (1, False, 1)


def test_of_findings_that_are_alike_so_many_are_known_as_were_recorded(folder: Path) -> None:
    escape = "{{ messages.__class__ }}"
    model(folder / "old", GOOD + 2 * escape)
    told = [finding["message"] for finding in record(folder, "old").json()["findings"]]
    assert [(entry["count"], entry["message"]) for entry in entries(folder)] == [(2, told[0])]
    model(folder / "old", GOOD + 3 * escape)
    done = check(folder, "old", "--baseline", FILE)
    assert (done.code, len(rules(done)), baselined(done)) == (1, 1, 2)


def test_a_security_finding_that_the_user_recorded_is_known_too(folder: Path) -> None:
    model(folder / "old", ESCAPE)
    assert record(folder, "old").json()["findings"][0]["category"] == "security"
    assert check(folder, "old", "--baseline", FILE).code == 0


def test_it_works_from_any_folder_and_for_files_and_folders_alike(folder: Path) -> None:
    model(folder / "deep" / "model")
    record(folder, "old", "deep/model/chat_template.jinja")
    inside = folder / "deep" / "model"
    for words in ((".",), ("chat_template.jinja",), (str(inside),), ("../model/",), ("../../old",)):
        done = check(inside, *words, "--baseline", f"../../{FILE}")
        assert (done.code, baselined(done), done.err) == (0, 1, "")


def test_a_known_finding_of_one_model_is_a_new_one_of_another(folder: Path) -> None:
    record(folder, "old")
    model(folder / "new")
    done = check(folder, "old", "new", "--baseline", FILE)
    assert (done.code, [finding["target"] for finding in done.json()["findings"]], baselined(done)) == (1, ["new"], 1)


def test_a_model_whose_template_is_gone_and_standard_input_have_names_too(folder: Path) -> None:
    (folder / "empty").mkdir()
    (folder / "empty" / "tokenizer_config.json").write_text("{}")
    done = record(folder, "empty", "--select", "ALL")
    assert "empty" in entries(folder)[0]["path"]
    assert rules(check(folder, "empty", "--select", "ALL", "--baseline", FILE)) == []
    assert len(rules(done)) > 0
    spoken = tpllint("check", "-", "--write-baseline", FILE, cwd=folder, stdin=MISSING.encode())
    assert (spoken.code, [entry["path"] for entry in entries(folder)]) == (0, ["<stdin>"])
    assert tpllint("check", "-", "--baseline", FILE, cwd=folder, stdin=MISSING.encode()).code == 0


def test_what_no_longer_occurs_is_told_in_one_line(folder: Path) -> None:
    model(folder / "other")
    record(folder, "old", "other")
    model(folder / "old", GOOD)
    done = check(folder, "old", "--baseline", FILE)
    said = f"note: 1 finding of {FILE} no longer occurs; write it anew with --write-baseline {FILE}\n"
    assert (done.code, done.err) == (0, said)
    assert check(folder, "old/chat_template.jinja", "--baseline", FILE).err == said
    assert check(folder, "other", "--baseline", FILE).err == ""
    assert tpllint("check", "old", "-q", "--baseline", FILE, cwd=folder).err == ""


def test_what_this_run_does_not_look_for_is_not_called_stale(folder: Path) -> None:
    record(folder, "old", "--profile", "all")
    for words in (("--ignore", RULE), ("--select", "TPL5"), ()):
        assert check(folder, "old", *words, "--baseline", FILE).err == ""
    model(folder / "old", "{% if %}")
    assert check(folder, "old", "--baseline", FILE).err == ""
    (folder / "old" / "additional_chat_templates").mkdir()
    (folder / "old" / "additional_chat_templates" / "rag.jinja").write_text(GOOD)
    assert check(folder, "old", "--template", "rag", "--baseline", FILE).err == ""
    shutil.rmtree(folder / "old")
    assert check(folder, "old", "--baseline", FILE).err == ""


def test_a_run_with_errors_writes_nothing(folder: Path) -> None:
    (folder / FILE).write_text("before")
    done = record(folder, "old", "nowhere")
    assert (done.code, done.err) == (2, f"note: {FILE} is not written: not everything could be checked\n")
    assert (folder / FILE).read_text() == "before"


def test_the_configuration_names_a_baseline_and_writing_does_not_read_it(folder: Path) -> None:
    record(folder, "old")
    (folder / "tpllint.toml").write_text(f'baseline = "{FILE}"')
    assert baselined(check(folder, "old")) == 1
    assert baselined(check(folder / "old", ".")) == 1
    assert check(folder, "old", "--no-config").code == 1
    again = record(folder, "old")
    assert (rules(again), len(entries(folder))) == ([RULE], 1)
    (folder / "tpllint.toml").write_text("baseline = []")
    assert refusal(check(folder, "old")) == ("bad-config", "tpllint.toml: baseline must be text, not a list")


def test_what_the_lock_tells_is_never_recorded(folder: Path) -> None:
    model(folder / "old", GOOD)
    assert tpllint("lock", "old", cwd=folder).code == 0
    model(folder / "old", GOOD.replace("role", "role|upper", 1))
    done = record(folder, "old", "--locked")
    assert done.code == 1
    assert "template-changed-since-lock" not in {entry["rule"] for entry in entries(folder)}
    assert check(folder, "old", "--locked", "--baseline", FILE).code == 1


def test_a_model_on_the_hub_is_known_by_its_name_whatever_its_commit(tmp_path: Path) -> None:
    with LocalHub() as hub:
        env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "NO_PROXY": "*"}

        def run(*words: str) -> Done:
            return tpllint("check", *words, "--output-format", "json", cwd=tmp_path, env=env)

        hub.add("org/model", {"chat_template.jinja": MISSING.encode()})
        run("org/model", "--write-baseline", FILE)
        assert entries(tmp_path)[0]["path"] == "org/model:chat_template.jinja"
        hub.add("org/model", {"chat_template.jinja": b"\n" + MISSING.encode()})
        for target in ("org/model", f"{hub.url}/org/model/blob/main/chat_template.jinja"):
            assert baselined(run(target, "--baseline", FILE)) == 1
        hub.add("org/model", {"chat_template.jinja": GOOD.encode()})
        assert "no longer occurs" in run("org/model", "--baseline", FILE).err


def test_contradictions_are_told(folder: Path) -> None:
    for words in (
        ("--baseline", FILE, "--write-baseline", FILE),
        ("--write-baseline", "./old/chat_template.jinja"),
        ("--write-baseline", FILE, "--output", FILE),
    ):
        done = tpllint("check", "old/chat_template.jinja", *words, cwd=folder)
        assert (done.code, "help: " in done.err) == (2, True)
    assert (folder / "old" / "chat_template.jinja").read_text() == MISSING
    assert not (folder / FILE).exists()


def test_a_baseline_replaces_no_file_of_a_model(folder: Path) -> None:
    (folder / "link").symlink_to("old")
    (folder / "list").write_text("old\n")
    for words in (
        ("old", "--write-baseline", "old/chat_template.jinja"),
        ("old", "--write-baseline", "link/chat_template.jinja"),
        ("link", "--write-baseline", "old/tokenizer_config.json"),
        ("old/chat_template.jinja", "--write-baseline", "old/config.json"),
        ("old", "--write-baseline", "old/additional_chat_templates/rag.jinja"),
        ("--from-file", "list", "--write-baseline", "old/chat_template.jinja"),
        ("--from-file", "list", "--write-baseline", "list"),
    ):
        done = tpllint("check", *words, cwd=folder)
        assert (done.code, "--write-baseline" in done.err, "help: name another file" in done.err) == (2, True, True)
    assert (folder / "old" / "chat_template.jinja").read_text() == MISSING
    assert [path.name for path in (folder / "old").iterdir()] == ["chat_template.jinja"]
    assert (folder / "list").read_text() == "old\n"


@pytest.mark.parametrize("option", ["--baseline", "--write-baseline", "--output"])
@pytest.mark.parametrize("name", ["", "-"])
def test_what_is_no_name_of_a_file_is_refused_before_anything_is_checked(folder: Path, option: str, name: str) -> None:
    if (option, name) == ("--output", "-"):
        assert tpllint("check", "old", option, name, cwd=folder).code == 1
        return
    done = tpllint("check", "old", option, name, cwd=folder)
    said = f"error: {option} takes the name of a file, not '{name}'\n  help: write {option} FILE, or leave it out\n"
    assert (done.code, done.err, "generation" in done.out) == (2, said, False)
    assert sorted(path.name for path in folder.iterdir()) == ["old"]


def test_what_is_known_is_not_fixed(folder: Path) -> None:
    record(folder, "old")
    model(folder / "new")
    for words in (("--baseline", FILE), ()):
        shown = tpllint("check", "--diff-fixes", "old", "new", *words, cwd=folder)
        assert (shown.code, "+++ b/new/" in shown.out, "old" in shown.out) == (1, True, False)
        done = tpllint("check", "--fix", "old", "new", *words, cwd=folder)
        assert done.out.splitlines() == [
            f"fixed: {RULE} in new/chat_template.jinja",
            "no findings in 2 templates (1 in the baseline)",
        ]
        assert (done.code, done.err, (folder / "old" / "chat_template.jinja").read_text()) == (0, "", MISSING)
        model(folder / "new")
        (folder / "tpllint.toml").write_text(f'baseline = "{FILE}"')


def test_with_fixes_what_is_left_is_recorded(folder: Path) -> None:
    model(folder / "old", SPOILT)
    done = tpllint("check", "--fix", "old", "--write-baseline", FILE, cwd=folder)
    assert (done.code, done.out.splitlines()[0]) == (0, f"fixed: {RULE} in old/chat_template.jinja")
    left = {entry["rule"] for entry in entries(folder)}
    assert left
    assert RULE not in left


def test_a_diff_of_fixes_records_nothing_and_says_so(folder: Path) -> None:
    done = tpllint("check", "--diff-fixes", "old", "--write-baseline", FILE, cwd=folder)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: --diff-fixes checks nothing that --write-baseline could record\n  help: ")
    assert not (folder / FILE).exists()


def test_a_byte_order_mark_before_a_baseline_is_read_over(folder: Path) -> None:
    record(folder, "old")
    (folder / FILE).write_bytes(b"\xef\xbb\xbf" + (folder / FILE).read_bytes())
    assert baselined(check(folder, "old", "--baseline", FILE)) == 1


def test_a_baseline_that_is_not_there_is_told(folder: Path) -> None:
    assert refusal(check(folder, "old", "--baseline", FILE)) == ("no-such-path", f"no such file: {FILE}")
    assert refusal(check(folder, "old", "--baseline", "old")) == ("not-a-file", "not a regular file: old")


ENTRY = {"path": "p", "template": "default", "rule": "r", "message": "m", "severity": "error", "count": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not usable JSON in line 1, column 1"),
        ('{\n "schema": x', "not usable JSON in line 2, column 12"),
        ("[" * 100_000, "not usable JSON: it nests too deeply"),
        (f"[{'9' * 5000}]", "not usable JSON: a number has too many digits"),
        ('{"schema": "", "schema": "", "findings": []}', "a key stands there twice"),
        ("[]", "it is not an object of schema and findings"),
        (json.dumps({"schema": "x", "findings": []}), 'its schema is not "tpllint-baseline-v1"'),
        (json.dumps({"schema": "tpllint-baseline-v1", "findings": [], "more": 1}), "it is not an object"),
        *(
            (json.dumps({"schema": "tpllint-baseline-v1", "findings": [entry]}), "finding 1 has not the form of one")
            for entry in (
                3,
                ENTRY | {"count": 0},
                ENTRY | {"count": int("9" * 4300)},
                ENTRY | {"count": 1_000_001},
                ENTRY | {"count": True},
                ENTRY | {"severity": "fatal"},
                ENTRY | {"more": 1},
            )
        ),
        (json.dumps({"schema": "tpllint-baseline-v1", "findings": [ENTRY, ENTRY]}), "finding 2 stands there twice"),
    ],
)
def test_a_file_that_is_no_baseline_is_told(folder: Path, text: str, said: str) -> None:
    (folder / FILE).write_text(text)
    kind, message = refusal(check(folder, "old", "--baseline", FILE))
    assert kind == "bad-baseline"
    assert message.startswith(f"{FILE} is no baseline: {said}")


def test_a_baseline_that_cannot_be_written_is_told(folder: Path) -> None:
    done = check(folder, "old", "--write-baseline", "nowhere/baseline.json")
    assert done.code == 2
    assert "nowhere/baseline.json cannot be written" in done.err
    assert rules(done) == [RULE]
