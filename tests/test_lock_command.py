"""`tpllint lock` and `tpllint check --locked`: a gate that tells every change of a prompt, and never passes unasked."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.command import tpllint
from tests.live import GOOD
from tests.local_hub import LocalHub
from tpllint import checking, locking
from tpllint.checking import Check
from tpllint.conversations import canonical
from tpllint.errors import RepairableError
from tpllint.lock import FILE, Lock, files_of, key_of, lock_to_extend, read_lock
from tpllint.pool import Pool
from tpllint.selection import Selection
from tpllint.targets import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.command import Done

RULE = "template-changed-since-lock"
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
COMMENTED = "{# the same #}" + GOOD
ELSEWISE = GOOD.replace("\n{% endfor %}", "{%- endfor %}")
NESTED = "{% for i in range(99999) %}" * 4 + "{% endfor %}" * 4
ENDLESS = "{% macro deeper(n) %}{{ deeper(n + 1) }}{% endmacro %}{{ deeper(0) }}"
HELP = "look at what changed; to accept it, run tpllint lock TARGET"
EVERY = len(canonical())


def model(folder: Path, template: str | None = GOOD, *, named: dict[str, str] | None = None, **config: Any) -> None:
    """Write the files of a model over those that are there."""
    (folder / "additional_chat_templates").mkdir(parents=True, exist_ok=True)
    if template is not None:
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    for name, text in (named or {}).items():
        (folder / "additional_chat_templates" / f"{name}.jinja").write_text(text, encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(TOKENS | config), encoding="utf-8")


def check(folder: Path, *words: str, env: dict[str, str] | None = None) -> Done:
    return tpllint("check", "--locked", "--output-format", "json", *words, cwd=folder, env=env)


def told(done: Done) -> list[tuple[str, str | None, str]]:
    """Severity, template and message of what the rule says; no other rule speaks of these templates."""
    findings = done.json()["findings"]
    assert {finding["rule"] for finding in findings} <= {RULE}
    return [(finding["severity"], finding["template"], finding["message"]) for finding in findings]


def refusals(done: Done) -> list[tuple[str, str]]:
    """Kind and message of every error in the report."""
    assert done.code == 2
    errors = [target["error"] for target in done.json()["targets"] if target["error"]]
    assert all(error["hint"] for error in errors)
    return [(error["kind"], error["message"]) for error in errors]


def changed(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Edit the lock file by hand."""
    path = folder / "tpllint.lock"
    loaded = json.loads(path.read_text(encoding="utf-8"))
    edit(loaded)
    path.write_text(json.dumps(loaded), encoding="utf-8")


def since(pool: Pool, folder: Path, *targets: str) -> list[tuple[str, str | None, str]]:
    """As `told`, by the same way through other doors: where the command line is not the question it only takes time."""
    with contextlib.chdir(folder):
        report = checking.check(targets, pool, Check(Request(lock=read_lock(FILE)), Selection(select=(RULE,))))
    assert [target.error for target in report.targets if target.error] == []
    assert report.crashes == ()
    return [(str(finding.severity), finding.template, finding.message) for finding in report.findings]


def lock_in(pool: Pool, folder: Path, *targets: str) -> None:
    """Lock these targets, as the command does."""
    with contextlib.chdir(folder):
        lock = lock_to_extend(FILE)
        for one in locking.lock(targets, pool, Request()):
            assert one.error is None
            lock = lock.with_target(one.target, one.templates, whole=True)
        (folder / FILE).write_text(lock.as_text(), encoding="utf-8")


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """Workers that sign, for all tests that ask them in this process."""
    with Pool(rooms=("signatures",)) as started:
        yield started


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that is locked there, to be copied and left as it is."""
    folder = tmp_path_factory.mktemp("once")
    model(folder / "model")
    assert tpllint("lock", "model", cwd=folder).code == 0
    return folder


@pytest.fixture
def locked(once: Path, tmp_path: Path) -> Path:
    """A folder with a model that is locked there."""
    shutil.copytree(once, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_what_is_as_it_was_locked_is_fine(locked: Path) -> None:
    done = tpllint("check", "--locked", "model", cwd=locked)
    assert (done.code, done.out, done.err) == (0, "no findings in 1 template\n", "")


def test_locking_says_in_one_line_what_was_locked(tmp_path: Path) -> None:
    model(tmp_path / "one")
    model(tmp_path / "two", named={"tool_use": GOOD})
    done = tpllint("lock", "one", "two", cwd=tmp_path)
    assert (done.code, done.out, done.err) == (0, "3 templates of 2 targets locked in tpllint.lock\n", "")


def test_a_lock_is_small_sorted_and_the_same_each_time(locked: Path) -> None:
    path = locked / "tpllint.lock"
    before = path.read_bytes()
    assert tpllint("lock", "model", cwd=locked).code == 0
    assert path.read_bytes() == before
    loaded = json.loads(before)
    assert (loaded["schema"], loaded["version"], list(loaded["targets"])) == ("tpllint-lock-v1", "0.1.0", ["model"])
    template = loaded["targets"]["model"]["default"]
    assert list(template["conversations"]) == sorted(canonical())
    assert json.dumps(loaded, indent=1, sort_keys=True).encode() + b"\n" == before
    assert len(before) < 80 * EVERY


def test_a_comment_is_information_and_shown_although_infos_are_not(locked: Path) -> None:
    model(locked / "model", COMMENTED)
    done = check(locked, "model")
    message = f"the source changed since it was locked; all {EVERY} conversations give the same prompts"
    assert (done.code, told(done)) == (0, [("info", "default", message)])
    (finding,) = done.json()["findings"]
    place = [finding[key] for key in ("path", "line", "column", "help")]
    assert place == ["model/chat_template.jinja", 1, 1, HELP]


def test_infos_of_other_rules_stay_silent(pool: Pool, locked: Path) -> None:
    model(locked / "model", "{% set unused = 1 %}" + GOOD)
    assert [severity for severity, _, _ in since(pool, locked, "model")] == ["info"]
    others = tpllint("check", "--locked", "--select", "ALL", "--output-format", "json", "model", cwd=locked)
    assert {"unused-set-or-macro", RULE} <= {finding["rule"] for finding in others.json()["findings"]}


def test_without_the_option_nothing_is_said(locked: Path) -> None:
    model(locked / "model", ELSEWISE)
    done = tpllint("check", "--select", RULE, "model", cwd=locked)
    assert (done.code, done.out) == (0, "no findings in 1 template\n")


def test_whitespace_that_reaches_a_prompt_is_an_error(locked: Path) -> None:
    model(locked / "model", ELSEWISE)
    done = check(locked, "model")
    ((severity, template, message),) = told(done)
    assert (done.code, severity, template) == (1, "error", "default")
    found = re.fullmatch(
        r"the prompts changed since they were locked: (\d+) of (\d+) conversations give others, first user", message
    )
    assert found
    assert 0 < int(found[1]) < int(found[2]) == EVERY
    (finding,) = done.json()["findings"]
    assert (finding["evidence"]["conversation"], finding["help"]) == ("user", HELP)
    assert finding["evidence"]["excerpt"] == "<s><|user|>question-amber</s><|assistant|>"


def test_text_shows_the_rule_the_conversation_and_its_prompt(locked: Path) -> None:
    model(locked / "model", ELSEWISE)
    done = tpllint("check", "--locked", "--select", RULE, "model", cwd=locked)
    assert done.code == 1
    assert done.out.startswith(f"error[{RULE}]: the prompts changed since they were locked: ")
    assert '= conversation: user\n   = prompt: "<s><|user|>question-amber</s><|assistant|>"\n' in done.out


def test_another_token_changes_prompts_of_the_same_source(pool: Pool, locked: Path) -> None:
    model(locked / "model", eos_token="<|end|>")
    ((severity, _, message),) = since(pool, locked, "model")
    assert (severity, message.partition(":")[0]) == ("error", "the prompts changed since they were locked")


def test_a_token_that_is_in_no_prompt_changes_nothing(pool: Pool, locked: Path) -> None:
    model(locked / "model", pad_token="<pad>")
    assert since(pool, locked, "model") == []


def test_line_ends_of_a_template_file_change_nothing(locked: Path) -> None:
    (locked / "model" / "chat_template.jinja").write_bytes(GOOD.replace("\n", "\r\n").encode())
    assert told(check(locked, "model", "--ignore", "TPL7")) == []


def test_a_conversation_that_raises_now_is_an_error_and_one_that_raises_in_other_words_is_none(
    pool: Pool, locked: Path
) -> None:
    refuses = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    model(locked / "model", refuses + GOOD)
    ((severity, _, message),) = since(pool, locked, "model")
    assert (severity, message.rpartition(" ")[2]) == ("error", "system-user")
    lock_in(pool, locked, "model")
    model(locked / "model", refuses.replace("no system", "it knows no system") + GOOD)
    assert [severity for severity, _, _ in since(pool, locked, "model")] == ["info"]


def test_a_template_that_is_new_or_gone_is_an_error(pool: Pool, tmp_path: Path) -> None:
    model(tmp_path / "model", named={"tool_use": GOOD})
    lock_in(pool, tmp_path, "model")
    (tmp_path / "model" / "additional_chat_templates" / "tool_use.jinja").rename(
        tmp_path / "model" / "additional_chat_templates" / "rag.jinja"
    )
    done = check(tmp_path, "model")
    assert (done.code, sorted(told(done), key=str)) == (
        1,
        [
            ("error", "rag", 'the template "rag" was not there when the model was locked'),
            ("error", None, 'the template "tool_use" was locked and is not there any more'),
        ],
    )


def test_a_model_whose_only_template_is_gone_does_not_pass(pool: Pool, tmp_path: Path) -> None:
    model(tmp_path, chat_template=GOOD, template=None)
    lock_in(pool, tmp_path, "tokenizer_config.json")
    model(tmp_path, template=None)
    done = check(tmp_path, "tokenizer_config.json")
    assert (done.code, told(done)) == (1, [("error", None, 'the template "default" was locked and is not there any more')])


def test_a_template_that_does_not_compile_any_more_is_an_error(locked: Path) -> None:
    model(locked / "model", GOOD + "{% if %}")
    done = tpllint("check", "--locked", "--select", RULE, "--output-format", "json", "model", cwd=locked)
    assert [severity for severity, _, _ in told(done)] == ["error"]


def test_what_a_limit_ends_is_not_locked_and_not_taken_for_unchanged(locked: Path) -> None:
    before = (locked / "tpllint.lock").read_bytes()
    model(locked / "model", ENDLESS)
    done = tpllint("lock", "model", cwd=locked)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: model cannot be locked: a limit ended rendering user, ")
    assert (locked / "tpllint.lock").read_bytes() == before
    done = check(locked, "model", "--select", RULE)
    ((severity, _, message),) = told(done)
    assert (done.code, severity) == (1, "error")
    assert message == "a limit ended the render of user, so that it cannot be compared with what was locked"


def test_a_template_that_takes_too_long_does_not_pass(locked: Path) -> None:
    model(locked / "model", NESTED)
    assert check(locked, "model", "--select", RULE).code in (1, 2)


def test_a_function_that_is_printed_by_mistake_is_no_change(pool: Pool, tmp_path: Path) -> None:
    model(tmp_path / "model", GOOD + "{{ messages[0].items }}")
    lock_in(pool, tmp_path, "model")
    assert since(pool, tmp_path, "model") == []


def test_entries_of_other_targets_stay(locked: Path) -> None:
    before = json.loads((locked / "tpllint.lock").read_text())["targets"]["model"]
    model(locked / "model", COMMENTED)
    model(locked / "other", ELSEWISE)
    assert tpllint("lock", "other", cwd=locked).code == 0
    after = json.loads((locked / "tpllint.lock").read_text())["targets"]
    assert (list(after), after["model"]) == (["model", "other"], before)
    done = check(locked, "model", "other")
    assert [(finding["target"], finding["severity"]) for finding in done.json()["findings"]] == [("model", "info")]


def test_locking_again_accepts_what_changed(pool: Pool, locked: Path) -> None:
    model(locked / "model", ELSEWISE)
    assert check(locked, "model").code == 1
    assert tpllint("lock", "model", cwd=locked).code == 0
    assert since(pool, locked, "model") == []


@pytest.mark.parametrize("name", ["model", "model/", "./model", "./model/", ".//model//"])
def test_a_path_is_the_same_however_it_is_typed(name: str) -> None:
    assert key_of(name) == "model"


def test_a_path_that_is_typed_in_another_way_is_found_and_locked_in_its_place(pool: Pool, locked: Path) -> None:
    before = (locked / "tpllint.lock").read_bytes()
    assert since(pool, locked, ".//model//") == []
    assert tpllint("lock", "./model/", cwd=locked).code == 0
    assert (locked / "tpllint.lock").read_bytes() == before


def test_files_of_a_locked_folder_stand_for_all_of_it(locked: Path) -> None:
    files = ("model/chat_template.jinja", "model/tokenizer_config.json")
    assert told(check(locked, *files)) == []
    model(locked / "model", eos_token="<|end|>")
    for named in (files, files[:1], files[1:], files[::-1]):
        done = check(locked, *named)
        assert [severity for severity, _, _ in told(done)] == ["error"]
        assert [target["target"] for target in done.json()["targets"]] == [" ".join(named)]


def test_the_folder_may_be_the_working_directory(pool: Pool, tmp_path: Path) -> None:
    model(tmp_path)
    lock_in(pool, tmp_path, ".")
    assert since(pool, tmp_path, "tokenizer_config.json") == []


def test_a_copy_that_nothing_loads_is_not_taken_for_the_template(pool: Pool, tmp_path: Path) -> None:
    model(tmp_path / "model", chat_template="{{ messages }}")
    lock_in(pool, tmp_path, "model")
    assert since(pool, tmp_path, "model/tokenizer_config.json") == []


def test_a_file_can_be_locked_by_itself(pool: Pool, tmp_path: Path) -> None:
    model(tmp_path / "model")
    lock_in(pool, tmp_path, "model/chat_template.jinja")
    assert since(pool, tmp_path, "model/chat_template.jinja") == []
    assert refusals(check(tmp_path, "model")) == [("not-locked", "model is not in tpllint.lock")]


def test_conversations_and_variables_of_your_own_count_where_they_were_locked(tmp_path: Path) -> None:
    model(tmp_path / "model", GOOD + "{{ '<think>' if thinking }}")
    (tmp_path / "own.json").write_text('[{"role": "user", "content": "my own words"}]')
    tpllint("lock", "model", "--conversation", "own.json", cwd=tmp_path)
    model(
        tmp_path / "model",
        GOOD + "{{ '<think>' if thinking }}{% for m in messages if m.content == 'my own words' %}x{% endfor %}",
    )
    ((severity, _, message),) = told(check(tmp_path, "model", "--conversation", "own.json", "--select", RULE))
    assert (severity, message.rpartition(" ")[2]) == ("error", "own.json")
    (tmp_path / "own.json").write_text('[{"role": "user", "content": "my own words", "name": "me"}]')
    missed = f"1 of {EVERY + 1} conversations was not compared with what is locked, first own.json"
    for own in ((), ("--conversation", "own.json")):
        said = told(check(tmp_path, "model", *own, "--select", RULE))
        assert [severity for severity, _, _ in said] == ["warning", "info"]
        assert said[0] == ("warning", "default", missed)


def test_with_other_variables_nothing_is_comparable_and_that_is_said(locked: Path) -> None:
    missed = f"{EVERY} of {EVERY} conversations were not compared with what is locked, first user"
    done = check(locked, "model", "--var", "thinking=true")
    assert (done.code, told(done)) == (0, [("warning", "default", missed)])
    assert "pass the same --conversation and --var" in done.json()["findings"][0]["help"]
    message = "the source changed since it was locked, and the lock's conversations are not those of this release"
    model(locked / "model", COMMENTED)
    done = check(locked, "model", "--var", "thinking=true")
    assert (done.code, told(done)) == (1, [("error", "default", message)])
    model(locked / "model", eos_token="<|end|>")
    done = check(locked, "model", "--var", "thinking=true")
    assert (done.code, told(done)) == (1, [("error", "default", message.replace("the source", "a special token"))])
    tpllint("lock", "model", "--var", "thinking=true", cwd=locked)
    assert told(check(locked, "model", "--var", "thinking=true")) == []


def test_variables_of_the_configuration_are_those_of_both(pool: Pool, tmp_path: Path) -> None:
    model(tmp_path / "model", GOOD + "{{ '<think>' if thinking }}")
    (tmp_path / "tpllint.toml").write_text("[variables]\nthinking = true\n")
    assert tpllint("lock", "model", cwd=tmp_path).code == 0
    model(tmp_path / "model", GOOD + "{{ '<thought>' if thinking }}")
    assert [severity for severity, _, _ in since(pool, tmp_path, "model")] == ["error"]


def test_a_conversation_that_is_another_one_by_now_is_not_compared(pool: Pool, locked: Path) -> None:
    def doctor(loaded: dict[str, Any]) -> None:
        held = loaded["targets"]["model"]["default"]["conversations"]
        held["user"] = f"{'0' * 16} {'1' * 16}"
        held["of-another-release"] = f"{'2' * 16} {'3' * 16}"

    changed(locked, doctor)
    missed = f"2 of {EVERY + 1} conversations were not compared with what is locked, first user"
    assert since(pool, locked, "model") == [("warning", "default", missed)]
    model(locked / "model", COMMENTED)
    message = f"the source changed since it was locked; all {EVERY - 1} conversations give the same prompts"
    done = check(locked, "model")
    assert (done.code, sorted(told(done))) == (0, [("info", "default", message), ("warning", "default", missed)])
    model(locked / "model", ELSEWISE)
    assert sorted(severity for severity, _, _ in since(pool, locked, "model")) == ["error", "warning"]


def test_a_lock_from_which_conversations_were_removed_does_not_look_complete(locked: Path) -> None:
    def doctor(loaded: dict[str, Any]) -> None:
        held = loaded["targets"]["model"]["default"]["conversations"]
        loaded["targets"]["model"]["default"]["conversations"] = {"user": held["user"]}

    changed(locked, doctor)
    done = check(locked, "model", "--fail-on", "warning")
    ((severity, template, message),) = told(done)
    assert (done.code, severity, template) == (1, "warning", "default")
    assert message.startswith(f"{EVERY - 1} of {EVERY} conversations were not compared with what is locked, first ")


def test_a_conversation_of_your_own_that_was_never_locked_is_not_asked_for(locked: Path) -> None:
    (locked / "own.json").write_text('[{"role": "user", "content": "my own words"}]')
    assert told(check(locked, "model", "--conversation", "own.json")) == []


def test_prompts_of_a_conversation_that_both_have_are_compared(pool: Pool, locked: Path) -> None:
    def doctor(loaded: dict[str, Any]) -> None:
        held = loaded["targets"]["model"]["default"]["conversations"]
        held["user"] = held["user"][:-1] + ("0" if held["user"][-1] != "0" else "1")

    changed(locked, doctor)
    message = f"the prompts changed since they were locked: 1 of {EVERY} conversations gives others, first user"
    assert since(pool, locked, "model") == [("error", "default", message)]


def test_one_template_of_several_can_be_locked_and_checked(pool: Pool, tmp_path: Path) -> None:
    model(tmp_path / "model", named={"tool_use": GOOD})
    lock_in(pool, tmp_path, "model")
    model(tmp_path / "model", COMMENTED, named={"tool_use": COMMENTED})
    assert [template for _, template, _ in told(check(tmp_path, "model", "--template", "tool_use"))] == ["tool_use"]
    assert tpllint("lock", "model", "--template", "tool_use", cwd=tmp_path).code == 0
    assert [template for _, template, _ in since(pool, tmp_path, "model")] == ["default"]


def test_another_template_can_be_held_to_what_is_locked(locked: Path) -> None:
    (locked / "candidate.jinja").write_text(COMMENTED)
    assert [severity for severity, _, _ in told(check(locked, "model", "--chat-template", "candidate.jinja"))] == ["info"]


@pytest.mark.parametrize("selected", [("--select", "TPL1"), ("--profile", "security"), ("--ignore", "TPL1")])
def test_what_else_is_selected_does_not_open_the_gate(locked: Path, selected: tuple[str, str]) -> None:
    model(locked / "model", eos_token="<|end|>")
    assert [severity for severity, _, _ in told(check(locked, "model", *selected))] == ["error"]


def test_a_comment_in_the_template_does_not_open_the_gate(locked: Path) -> None:
    model(locked / "model", f"{{# tpllint: ignore[{RULE}] #}}" + ELSEWISE)
    done = check(locked, "model", "--select", RULE)
    assert (done.code, [severity for severity, _, _ in told(done)]) == (1, ["error"])


def test_to_ask_for_the_rule_and_to_ignore_it_is_refused(locked: Path) -> None:
    assert refusals(check(locked, "model", "--ignore", "TPL9")) == [("contradiction", f"{RULE} is asked for and ignored")]
    done = tpllint("check", "--lock-file", "tpllint.lock", "model", cwd=locked)
    assert (done.code, done.err.partition("\n")[0]) == (2, "error: --lock-file is read with --locked only")


def test_a_target_that_is_not_locked_is_an_error_and_does_not_stop_the_others(locked: Path) -> None:
    model(locked / "other")
    model(locked / "model", COMMENTED)
    done = check(locked, "other", "model")
    assert refusals(done) == [("not-locked", "other is not in tpllint.lock")]
    assert [severity for severity, _, _ in told(done)] == ["info"]
    text = tpllint("check", "--locked", "other", cwd=locked)
    assert "error: other is not in tpllint.lock\n  help: run tpllint lock other\n" in text.out + text.err


def test_without_a_target_all_that_is_locked_is_checked(pool: Pool, tmp_path: Path) -> None:
    for name in ("one", "two"):
        model(tmp_path / name)
    pair = ("two/chat_template.jinja", "two/tokenizer_config.json")
    for targets in (("one", "two"), pair[:1], pair[1:], pair):
        lock_in(pool, tmp_path, *targets)
        model(tmp_path / "two", chat_template=GOOD)  # from now on, a file by itself can be locked
    lock_in(pool, tmp_path, "two")
    lock_in(pool, tmp_path, *pair)
    done = check(tmp_path, "--select", RULE)
    assert (done.code, told(done)) == (0, [])
    assert [target["target"] for target in done.json()["targets"]] == ["one", "two", pair[0], " ".join(pair), pair[1]]
    model(tmp_path / "two", ELSEWISE, chat_template=GOOD)
    done = check(tmp_path, "--select", RULE)
    found = {finding["target"] for finding in done.json()["findings"] if finding["severity"] == "error"}
    assert (done.code, found) == (1, {"two", pair[0], " ".join(pair)})


def test_a_locked_target_that_is_gone_is_no_less_an_error_without_naming_it(locked: Path) -> None:
    (locked / "model" / "chat_template.jinja").unlink()
    done = check(locked, "--ignore", "TPL0")
    assert (done.code, told(done)) == (1, [("error", None, 'the template "default" was locked and is not there any more')])
    shutil.rmtree(locked / "model")
    assert refusals(check(locked)) == [("no-such-path", "no such file or folder: model")]


def test_without_a_target_a_lock_that_holds_none_or_is_not_there_is_an_error(tmp_path: Path) -> None:
    assert refusals(check(tmp_path)) == [("no-such-path", "no such file: tpllint.lock")]
    (tmp_path / "my.lock").write_text(json.dumps(WHOLE | {"targets": {}}))
    assert refusals(check(tmp_path, "--lock-file", "my.lock")) == [("not-locked", "my.lock holds no targets")]
    text = tpllint("check", "--locked", "--lock-file", "my.lock", cwd=tmp_path)
    expected = "error: my.lock holds no targets\n  help: run tpllint lock TARGET --lock-file my.lock\n"
    assert (text.code, text.out, text.err) == (2, "", expected)
    (tmp_path / "none").write_text("")
    assert check(tmp_path, "--lock-file", "my.lock", "--from-file", "none").code == 0


def test_an_option_besides_does_not_make_a_target_superfluous(tmp_path: Path) -> None:
    done = tpllint("check", "--lock-file", "tpllint.lock", cwd=tmp_path)
    assert (done.code, done.err.partition("\n")[0]) == (2, "error: Missing argument 'TARGET...'.")


def test_files_that_were_locked_together_are_told_from_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model(tmp_path / "my model")
    pair = ["my model/tokenizer_config.json", "my model/chat_template.jinja"]
    assert files_of(" ".join(pair)) == pair
    for name in (pair[0], "my model", "no such file", f"{pair[0]} else", ""):
        assert files_of(name) == [name]


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ("new/chat_template.jinja new/tokenizer_config.json", "new"),
        ("new/tokenizer_config.json", "new"),
        ("./new/additional_chat_templates/rag.jinja", "new"),
        ("new/page.jinja", "new/page.jinja"),
        ("org/model@main", "org/model@main"),
    ],
)
def test_the_hint_names_the_folder_of_files(target: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model(tmp_path / "new", named={"rag": GOOD})
    (tmp_path / "new" / "page.jinja").write_text(GOOD)
    with pytest.raises(RepairableError) as raised:
        Lock("tpllint.lock").of(target)
    assert (raised.value.message, raised.value.hint) == (f"{target} is not in tpllint.lock", f"run tpllint lock {named}")


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{% if %}", "TemplateSyntaxError: Expected an expression, got 'end of statement block'"),
        ("{{ raise_exception('not this one') }}", "not this one"),
        ("{{ nothing.at.all }}", "UndefinedError: 'nothing' is undefined"),
        ("{# nothing #}", "every prompt is empty"),
    ],
)
def test_a_template_that_renders_no_conversation_is_not_locked(locked: Path, template: str, why: str) -> None:
    before = (locked / "tpllint.lock").read_bytes()
    model(locked / "other", named={"rag": template})
    done = tpllint("lock", "other", cwd=locked)
    message = f'error: other cannot be locked: its template "rag" renders no conversation: {why}\n'
    assert (done.code, done.out, done.err) == (2, "", f"{message}  help: run tpllint check on it\n")
    assert (locked / "tpllint.lock").read_bytes() == before


def test_a_template_that_renders_one_conversation_of_all_is_locked(pool: Pool, tmp_path: Path) -> None:
    model(tmp_path / "model", "{{ raise_exception('too long') if messages | length > 1 }}" + GOOD)
    assert tpllint("lock", "model", cwd=tmp_path).code == 0
    assert since(pool, tmp_path, "model") == []


def test_the_lock_can_be_another_file(tmp_path: Path) -> None:
    model(tmp_path / "model")
    assert tpllint("lock", "model", "--lock-file", "mine.json", cwd=tmp_path).code == 0
    assert not (tmp_path / "tpllint.lock").exists()
    assert told(check(tmp_path, "model", "--lock-file", "mine.json")) == []
    done = check(tmp_path, "other", "--lock-file", "mine.json")
    assert refusals(done) == [("no-such-path", "no such file or folder: other")]
    model(tmp_path / "other")
    (error,) = (target["error"] for target in check(tmp_path, "other", "--lock-file", "mine.json").json()["targets"])
    assert error["hint"] == "run tpllint lock other --lock-file mine.json"


def test_a_missing_lock_is_an_error_of_the_run(tmp_path: Path) -> None:
    model(tmp_path / "model")
    assert refusals(check(tmp_path, "model")) == [("no-such-path", "no such file: tpllint.lock")]
    text = tpllint("check", "--locked", "model", cwd=tmp_path)
    assert (text.code, text.out) == (2, "")
    assert text.err == "error: no such file: tpllint.lock\n  help: run tpllint lock on the targets first\n"


TEMPLATE = {"source": "0" * 16, "tokens": "0" * 16, "conversations": {"user": f"{'0' * 16} {'0' * 16}"}}
WHOLE = {"schema": "tpllint-lock-v1", "version": "0.1.0", "targets": {"model": {"default": TEMPLATE}}}
HOSTILE = {
    "empty": "",
    "broken JSON": '{"schema": "tpllint-lock-v1"',
    "no text": "\ufeff{}",
    "a list": [WHOLE],
    "a number": 1,
    "nothing": {},
    "another schema": WHOLE | {"schema": "tpllint-lock-v2"},
    "a version of numbers": WHOLE | {"version": 1},
    "more keys": WHOLE | {"extra": 1},
    "targets in a list": WHOLE | {"targets": []},
    "a target of text": WHOLE | {"targets": {"model": "default"}},
    "a target of nothing": WHOLE | {"targets": {"model": {}}},
    "a template of null": WHOLE | {"targets": {"model": {"default": None}}},
    "a template without tokens": WHOLE | {"targets": {"model": {"default": {"source": "0" * 16, "conversations": {}}}}},
    "a short signature": WHOLE | {"targets": {"model": {"default": TEMPLATE | {"source": "0"}}}},
    "a signature with a line end": WHOLE | {"targets": {"model": {"default": TEMPLATE | {"source": "0" * 16 + "\n"}}}},
    "a signature of numbers": WHOLE | {"targets": {"model": {"default": TEMPLATE | {"tokens": 10**16}}}},
    "conversations in a list": WHOLE | {"targets": {"model": {"default": TEMPLATE | {"conversations": []}}}},
    "a conversation of one": WHOLE | {"targets": {"model": {"default": TEMPLATE | {"conversations": {"user": "0" * 16}}}}},
    "a key that stands there twice": '{"schema": "tpllint-lock-v1", "version": "0.1.0", "targets": {}, "targets": {}}',
    "very deep": "[" * 100_000,
    "a long number": "9" * 100_000,
    "merged badly": f"<<<<<<< ours\n{json.dumps(WHOLE)}\n=======\n",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_file_of_another_form_is_no_lock(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "tpllint.lock"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    with pytest.raises(RepairableError, match=f"^{re.escape(str(path))} is no lock: ") as raised:
        read_lock(str(path))
    assert raised.value.kind == "bad-lock"


def test_the_form_that_is_asked_for_is_that_of_a_lock(tmp_path: Path) -> None:
    (tmp_path / "tpllint.lock").write_text(json.dumps(WHOLE))
    lock = read_lock(str(tmp_path / "tpllint.lock"))
    assert lock.of("model") == {"default": ("0" * 16, "0" * 16, {"user": ("0" * 16, "0" * 16)})}


@pytest.mark.parametrize("text", ["", json.dumps(HOSTILE["another schema"])])
def test_what_is_no_lock_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "tpllint.lock").write_text(text, encoding="utf-8")
    model(tmp_path / "model")
    ((kind, message),) = refusals(check(tmp_path, "model"))
    assert kind == "bad-lock"
    assert message.startswith("tpllint.lock is no lock: ")
    done = tpllint("lock", "model", cwd=tmp_path)
    assert (done.code, done.out, done.err.partition("\n")[0]) == (2, "", f"error: {message}")
    assert (tmp_path / "tpllint.lock").read_text(encoding="utf-8") == text


def test_a_lock_that_is_too_large_or_no_file_is_refused(tmp_path: Path) -> None:
    model(tmp_path / "model")
    (tmp_path / "large.lock").write_bytes(b" " * 8_000_001)
    (tmp_path / "folder.lock").mkdir()
    (tmp_path / "broken.lock").write_bytes(b"\xff\xfe{}")
    kinds = {"large.lock": "too-large", "folder.lock": "not-a-file", "/dev/zero": "not-a-file", "broken.lock": "bad-lock"}
    for name, kind in kinds.items():
        assert [told for told, _ in refusals(check(tmp_path, "model", "--lock-file", name))] == [kind]
        assert tpllint("lock", "model", "--lock-file", name, cwd=tmp_path).code == 2


def test_names_in_a_lock_are_shown_and_not_obeyed(locked: Path) -> None:
    def doctor(loaded: dict[str, Any]) -> None:
        loaded["targets"]["model"]["\x1b[2J\n::error::\ud800"] = TEMPLATE

    changed(locked, doctor)
    for output_format in ("text", "json", "github", "sarif"):
        done = tpllint("check", "--locked", "--output-format", output_format, "model", cwd=locked)
        assert done.code == 1
        assert "was locked and is not there any more" in done.out
        assert "\x1b" not in done.out
        assert not re.search(r"^::error::\W", done.out, re.MULTILINE)


@pytest.mark.parametrize("refused", ["nothing-there", "empty", "tokenizer_config.json"])
def test_where_a_target_cannot_be_locked_nothing_is_written(locked: Path, refused: str) -> None:
    before = (locked / "tpllint.lock").read_bytes()
    (locked / "empty").mkdir()
    (locked / "tokenizer_config.json").write_text("{}")
    model(locked / "other")
    done = tpllint("lock", "other", refused, cwd=locked)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert "\n  help: " in done.err
    assert (locked / "tpllint.lock").read_bytes() == before


def test_a_lock_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    model(tmp_path / "model")
    done = tpllint("lock", "model", "--lock-file", "no/such/folder.lock", cwd=tmp_path)
    assert (done.code, done.err.partition(":")[0]) == (2, "error")


def test_a_model_on_the_hub_is_held_to_the_branch_it_was_locked_at(tmp_path: Path) -> None:
    config = json.dumps(TOKENS).encode()
    with LocalHub() as hub:
        env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "NO_PROXY": "*", "HF_HUB_OFFLINE": "", "HF_TOKEN": ""}
        hub.add("org/model", {"chat_template.jinja": GOOD.encode(), "tokenizer_config.json": config})
        for name in ("org/model", "org/model@main"):
            assert tpllint("lock", name, cwd=tmp_path, env=env).code == 0
            assert told(check(tmp_path, name, env=env)) == []
        hub.add("org/model", {"chat_template.jinja": COMMENTED.encode(), "tokenizer_config.json": config})
        assert [severity for severity, _, _ in told(check(tmp_path, "org/model", env=env))] == ["info"]
        hub.add("org/model", {"chat_template.jinja": GOOD.encode(), "tokenizer_config.json": b'{"eos_token": "<|end|>"}'})
        for name in ("org/model", "org/model@main"):
            assert [severity for severity, _, _ in told(check(tmp_path, name, "--select", RULE, env=env))] == ["error"]
        assert refusals(check(tmp_path, "hf:org/model", env=env)) == [("not-locked", "hf:org/model is not in tpllint.lock")]
