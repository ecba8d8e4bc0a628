"""`tpllint check` as a whole: targets, exit codes, the JSON contract, and bad input of every kind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.command import Done, tpllint
from tests.local_hub import LocalHub

if TYPE_CHECKING:
    from pathlib import Path

GOOD = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
NO_PROMPT = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
BROKEN = "{% for m in messages %}"


def write(folder: Path, **files: str) -> None:
    """Write files; `__` in a name stands for a dot."""
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_bytes(text.encode())


def said(done: Done) -> list[tuple[str, str]]:
    return [(finding["rule"], finding["target"]) for finding in done.json()["findings"]]


def errors(done: Done) -> list[str]:
    return [target["error"]["kind"] for target in done.json()["targets"] if target["error"]]


def check_json(folder: Path, *arguments: str, **more: Any) -> Done:
    return tpllint("check", *arguments, "--output-format", "json", cwd=folder, **more)


def test_a_good_template_is_one_line_and_exit_0(tmp_path: Path) -> None:
    write(tmp_path, good__jinja=GOOD)
    done = tpllint("check", "good.jinja", cwd=tmp_path)
    assert done == Done(0, "no findings in 1 template\n", "")


def test_a_finding_is_exit_1_and_names_place_evidence_and_help(tmp_path: Path) -> None:
    write(tmp_path, bad__jinja=NO_PROMPT)
    done = tpllint("check", "bad.jinja", cwd=tmp_path)
    assert done.code == 1
    assert done.out.startswith("error[generation-prompt-missing]: add_generation_prompt adds nothing")
    assert "--> bad.jinja:2:16\n" in done.out
    assert " 2 | {{ m.content }}<|im_end|>\n   |                ^^^^^^^^^^" in done.out
    assert "= conversation: user\n" in done.out
    assert "= help: end the template with" in done.out


def test_the_json_report_keeps_its_contract(tmp_path: Path) -> None:
    write(tmp_path, bad__jinja=NO_PROMPT)
    report = check_json(tmp_path, "bad.jinja").json()
    assert report["schema"] == "tpllint-check-v1"
    assert report["targets"] == [{"target": "bad.jinja", "templates": ["default"], "fully_analysed": True, "error": None}]
    (finding,) = report["findings"]
    assert finding.keys() == {
        *("code", "rule", "category", "severity", "message", "help", "target", "template", "path", "line", "column"),
        *("end_line", "end_column", "related", "fingerprint", "evidence", "fixable", "url"),
    }
    assert finding["evidence"].keys() == {"conversation", "engine", "excerpt", "usual", "input"}
    assert report["summary"] == {"errors": 1, "warnings": 0, "infos": 0, "suppressed": 0, "baselined": 0}


def test_what_cannot_be_had_is_exit_2_and_the_other_targets_are_still_checked(tmp_path: Path) -> None:
    write(tmp_path, bad__jinja=NO_PROMPT, good__jinja=GOOD)
    done = check_json(tmp_path, "missing.jinja", "bad.jinja", "good.jinja")
    assert done.code == 2
    assert errors(done) == ["no-such-path"]
    assert said(done) == [("generation-prompt-missing", "bad.jinja")]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), 1),
        (("--exit-zero",), 0),
        (("--ignore", "TPL1"), 0),
        (("--select", "TPL3"), 0),
        (("--select", "generation-prompt-missing"), 1),
        (("--severity", "generation-prompt-missing=warning"), 0),
        (("--severity", "TPL101=warning", "--fail-on", "warning"), 1),
    ],
)
def test_options_decide_the_exit_code(tmp_path: Path, options: tuple[str, ...], code: int) -> None:
    write(tmp_path, bad__jinja=NO_PROMPT)
    assert tpllint("check", "bad.jinja", *options, cwd=tmp_path).code == code


def test_exit_zero_hides_no_error_of_a_target(tmp_path: Path) -> None:
    assert check_json(tmp_path, "missing", "--exit-zero").code == 2


def test_information_is_silent_unless_rules_are_selected(tmp_path: Path) -> None:
    write(
        tmp_path,
        t__jinja="{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}{% endfor %}" + GOOD,
    )
    assert said(check_json(tmp_path, "t.jinja")) == []
    assert ("role-rejected", "t.jinja") in said(check_json(tmp_path, "t.jinja", "--select", "ALL"))


def test_an_unknown_rule_is_an_error_that_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, good__jinja=GOOD)
    done = check_json(tmp_path, "good.jinja", "--select", "generation-promt-missing")
    assert done.code == 2
    assert 'did you mean "generation-prompt-missing"?' in done.json()["targets"][0]["error"]["hint"]


def test_a_finding_inside_json_points_into_the_file_that_the_user_has_open(tmp_path: Path) -> None:
    template = "{# é \U0001f600 #}\n{{ messages[0].content | nope }}"
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>", "chat_template": template}, indent=2))
    (finding,) = check_json(tmp_path, "tokenizer_config.json").json()["findings"]
    line = (tmp_path / "tokenizer_config.json").read_text().split("\n")[finding["line"] - 1]
    assert line[finding["column"] - 1 : finding["end_column"] - 1] == "nope"


def test_every_named_template_is_checked(tmp_path: Path) -> None:
    named = [{"name": "default", "template": GOOD}, {"name": "rag", "template": BROKEN}]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": named}))
    report = check_json(tmp_path, ".").json()
    assert report["targets"][0]["templates"] == ["default", "rag"]
    assert [(finding["template"], finding["rule"]) for finding in report["findings"]] == [("rag", "template-syntax-error")]
    assert check_json(tmp_path, ".", "--template", "default").json()["findings"] == []
    assert errors(check_json(tmp_path, ".", "--template", "nope")) == ["no-such-template"]


def test_a_jinja_file_wins_over_the_configuration_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path, tokenizer_config__json=json.dumps({"chat_template": BROKEN}), chat_template__jinja=GOOD)
    assert said(check_json(tmp_path, ".")) == [("shadowed-template", ".")]


def test_the_neighbours_of_a_template_tell_its_tokens(tmp_path: Path) -> None:
    twice = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{{ eos_token }}{% endfor %}"
    write(tmp_path, tokenizer_config__json='{"eos_token": "<|end|>"}', chat_template__jinja=twice)
    assert ("eos-duplicated", "chat_template.jinja") in said(check_json(tmp_path, "chat_template.jinja"))


def test_another_template_can_be_tried_with_the_tokens_of_a_target(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    write(tmp_path / "model", tokenizer_config__json=json.dumps({"eos_token": "</s>", "chat_template": GOOD}))
    write(tmp_path, other__jinja=BROKEN)
    done = check_json(tmp_path, "model", "--chat-template", "other.jinja")
    assert [(finding["rule"], finding["path"]) for finding in done.json()["findings"]] == [
        ("template-syntax-error", "other.jinja")
    ]


@pytest.mark.parametrize("source", [BROKEN, json.dumps({"chat_template": BROKEN})])
def test_standard_input_is_a_template_or_a_configuration(tmp_path: Path, source: str) -> None:
    done = check_json(tmp_path, "-", stdin=source.encode())
    assert said(done) == [("template-syntax-error", "-")]


def test_a_lone_configuration_without_a_template_is_silent(tmp_path: Path) -> None:
    write(tmp_path, tokenizer_config__json='{"bos_token": "<s>"}', processor_config__json="{}")
    done = tpllint("check", "tokenizer_config.json", "processor_config.json", cwd=tmp_path)
    assert done == Done(0, "no findings in 0 templates\n", "")


def test_identical_templates_are_each_reported(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, chat_template__jinja=NO_PROMPT)
    done = check_json(tmp_path, "one", "two")
    assert [(finding["target"], finding["path"]) for finding in done.json()["findings"]] == [
        ("one", "one/chat_template.jinja"),
        ("two", "two/chat_template.jinja"),
    ]


def test_many_targets_are_checked_by_several_workers_in_a_stable_order(tmp_path: Path) -> None:
    names = [f"t{number:02}.jinja" for number in range(24)]
    for number, name in enumerate(names):
        (tmp_path / name).write_text(f"{{# {number} #}}{NO_PROMPT}")
    assert said(check_json(tmp_path, *names)) == [("generation-prompt-missing", name) for name in names]


@pytest.mark.parametrize(
    ("name", "data", "rule"),
    [
        ("tokenizer_config.json", b'{"chat_template": ', "unreadable-template-config"),
        ("tokenizer_config.json", b"[]", "unreadable-template-config"),
        ("tokenizer_config.json", b'{"chat_template": 7}', "unreadable-template-config"),
        ("tokenizer_config.json", b'{"chat_template": [{"name": "x"}]}', "unreadable-template-config"),
        ("tokenizer_config.json", b'{"chat_template": {"x": []}}', "unreadable-template-config"),
        ("tokenizer_config.json", b'{"chat_template": "\xff"}', "unreadable-template-config"),
        ("tokenizer_config.json", b'\xef\xbb\xbf{"chat_template": "x"}', "unreadable-template-config"),
        ("tokenizer_config.json", b'{"a": ' + b"[" * 200_000 + b"}", "unreadable-template-config"),
        ("tokenizer_config.json", b'{"a": ' + b"9" * 9000 + b"}", "unreadable-template-config"),
        ("chat_template.jinja", b"\xff\xfe{\x00", "unreadable-template-config"),
        ("chat_template.jinja", b"x" * 2_000_001, "not-fully-analysed"),
        ("chat_template.jinja", b"{% include 'x' %}", "loader-statement"),
        ("chat_template.json", b'{"chat_template": "{{"}', "template-syntax-error"),
        ("processor_config.json", b'{"chat_template": "{{"}', "template-syntax-error"),
    ],
)
@pytest.mark.parametrize("alone", [True, False])
def test_what_is_wrong_inside_a_file_is_a_finding(tmp_path: Path, name: str, data: bytes, rule: str, alone: bool) -> None:
    (tmp_path / name).write_bytes(data)
    done = check_json(tmp_path, name if alone else ".")
    assert done.code == 1
    assert errors(done) == []
    assert rule in [finding["rule"] for finding in done.json()["findings"]]


def test_a_folder_without_a_template_is_a_warning(tmp_path: Path) -> None:
    done = check_json(tmp_path, ".")
    assert (done.code, said(done)) == (0, [("no-chat-template", ".")])


@pytest.mark.parametrize("target", ["missing.jinja", "model.bin", "a\x1b[2Jb", "pipe"])
def test_what_is_no_target_is_one_message_and_a_hint(tmp_path: Path, target: str) -> None:
    (tmp_path / "model.bin").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    done = tpllint("check", target, cwd=tmp_path)
    assert done.code == 2
    assert done.out.startswith("error: ")
    assert "\n  help: " in done.out
    assert "\x1b" not in done.out + done.err


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.jinja").write_text(BROKEN)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "chat_template.jinja").symlink_to(tmp_path / "secret.jinja")
    assert said(check_json(tmp_path, "model")) == [("not-fully-analysed", "model")]


def test_untrusted_text_reaches_the_terminal_escaped(tmp_path: Path) -> None:
    write(tmp_path, t__jinja="{{ messages | \u202eevil }}{% if x %}{{ '\x1b[2J' | nope }}{% endif %}")
    write(tmp_path, u__jinja="{% for m in messages %}\x1b[31m{{ m.content }}\u202e<|end|>{% endfor %}")
    done = tpllint("check", "t.jinja", "u.jinja", "--select", "ALL", cwd=tmp_path)
    assert not set("\x1b\u202e") & set(done.out + done.err)


def test_the_report_can_go_into_a_file(tmp_path: Path) -> None:
    write(tmp_path, bad__jinja=NO_PROMPT)
    done = check_json(tmp_path, "bad.jinja", "--output", "report.json")
    assert done.out == ""
    assert json.loads((tmp_path / "report.json").read_text())["summary"]["errors"] == 1
    assert tpllint("check", "bad.jinja", "--output", "no/such/folder", cwd=tmp_path).code == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--var", "enable_thinking"), "NAME=JSON"),
        (("--var", "x=yes"), "not JSON"),
        (("--var", "messages=[]"), "belongs to the conversation"),
        (("--conversation", "nope.json"), "no such file"),
        (("--conversation", "bad.json"), "not a conversation"),
        (("--conversation", "broken.json"), "not usable JSON"),
        (("--severity", "TPL101"), "RULE=LEVEL"),
        (("--output-format", "nope"), "nope"),
        (("--frobnicate",), "frobnicate"),
    ],
)
def test_bad_options_are_one_message_and_a_hint(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    write(tmp_path, good__jinja=GOOD, bad__json='{"role": "user"}', broken__json="{")
    done = tpllint("check", "good.jinja", *options, cwd=tmp_path)
    assert done.code == 2
    assert words in done.err
    assert "  help: " in done.err
    assert "Traceback" not in done.err


def test_a_model_on_the_hub_is_checked_by_commit(tmp_path: Path) -> None:
    with LocalHub() as hub:
        commit = hub.add("org/model", {"chat_template.jinja": BROKEN.encode(), "model.safetensors": b"x"})
        env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
        done = check_json(tmp_path, "org/model", "org/model@nope", "org/none", env=env)
    assert done.code == 2
    assert errors(done) == ["no-such-revision", "no-such-repository"]
    assert [(finding["rule"], finding["path"]) for finding in done.json()["findings"]] == [
        ("template-syntax-error", f"org/model@{commit}:chat_template.jinja")
    ]


def test_no_network_is_told(tmp_path: Path) -> None:
    env = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "home")}
    assert errors(check_json(tmp_path, "org/model", env=env)) == ["hub-unreachable"]
    assert errors(check_json(tmp_path, "org/model", "--offline", env=env)) == ["not-cached"]


def test_a_conversation_of_your_own_has_to_render_and_to_show(tmp_path: Path) -> None:
    refuses = "{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}{% endfor %}" + GOOD
    write(tmp_path, t__jinja=refuses, silent__jinja=GOOD.replace("m.content", "m.content | replace('kelp', '')"))
    write(tmp_path, agent__json='[{"role": "user", "content": "kelp"}, {"role": "tool", "content": "x"}]')
    done = check_json(tmp_path, "t.jinja", "silent.jinja", "--conversation", "agent.json", "--ignore", "TPL807")
    assert [(f["rule"], f["target"], f["evidence"]["conversation"]) for f in done.json()["findings"]] == [
        ("template-render-error", "t.jinja", "agent.json"),
        ("role-dropped", "silent.jinja", "agent.json"),
    ]


def test_json_is_printed_even_where_nothing_can_be_checked(tmp_path: Path) -> None:
    write(tmp_path, good__jinja=GOOD)
    done = check_json(tmp_path, "good.jinja", "--var", "x=yes")
    assert (done.code, errors(done)) == (2, ["bad-variable"])


def test_several_files_of_one_folder_are_one_target(tmp_path: Path) -> None:
    write(tmp_path, tokenizer_config__json=json.dumps({"chat_template": BROKEN}), chat_template__jinja=GOOD)
    done = check_json(tmp_path, "tokenizer_config.json", "chat_template.jinja")
    both = "tokenizer_config.json chat_template.jinja"
    assert said(done) == [("shadowed-template", both)]
    assert [target["target"] for target in done.json()["targets"]] == [both]


def test_templates_of_other_names_in_one_folder_are_targets_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, a__jinja=GOOD, b__jinja=BROKEN)
    assert said(check_json(tmp_path, "a.jinja", "b.jinja")) == [("template-syntax-error", "b.jinja")]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full is Linux's")
@pytest.mark.parametrize("command", ["check", "render"])
def test_a_full_disk_is_told(tmp_path: Path, command: str) -> None:
    write(tmp_path, good__jinja=GOOD)
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tpllint", command, "good.jinja"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: standard output cannot be written")
