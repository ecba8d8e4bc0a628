"""The configuration file: where it is found, what each key does, and what is said about a bad one."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.command import Done, tpllint
from tests.test_plugins import FINDS, RAISES, RULE
from tpllint import Severity
from tpllint.analysis.template import Template
from tpllint.api import check
from tpllint.config import discovered, named
from tpllint.errors import RepairableError
from tpllint.job import Job, Variant, job_from_json
from tpllint.rule import PROFILES, RuleInfo
from tpllint.selection import Selection

if TYPE_CHECKING:
    from pathlib import Path

NO_PROMPT = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
PRINTS_PARTS = NO_PROMPT + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
SPOKEN = '[{"role": "user", "content": "kelp"}, {"role": "assistant", "content": "weed"}]'
MISSING = "generation-prompt-missing"
STRANGER = 54_321
"""A user who is neither root nor runs the tests."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "t.jinja").write_text(NO_PROMPT)
    return tmp_path


def configure(folder: Path, text: str, name: str = "tpllint.toml") -> None:
    (folder / name).write_text(text)


def run(folder: Path, *arguments: str) -> Done:
    return tpllint("check", *(arguments or ("t.jinja",)), "--output-format", "json", cwd=folder)


def rules(done: Done) -> list[str]:
    return [finding["rule"] for finding in done.json()["findings"]]


def error(done: Done) -> dict[str, str]:
    (target,) = done.json()["targets"]
    told: dict[str, str] = target["error"]
    return told


def test_nothing_is_configured_where_no_file_is(folder: Path) -> None:
    assert rules(run(folder)) == [MISSING]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tpllint.toml", 'ignore = ["TPL101"]'),
        ("pyproject.toml", '[tool.tpllint]\nignore = ["TPL101"]'),
        ("pyproject.toml", '[tool]\ntpllint = { ignore = ["TPL101"] }'),
    ],
)
def test_a_file_is_found_upwards_from_the_working_directory(folder: Path, name: str, text: str) -> None:
    configure(folder, text, name)
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    (below / "t.jinja").write_text(NO_PROMPT)
    assert rules(run(below)) == []


def test_the_nearest_file_holds_and_tpllint_toml_wins_in_one_folder(folder: Path) -> None:
    configure(folder, 'ignore = ["TPL101"]')
    configure(folder, "this is no TOML, and tpllint does not look at it", "pyproject.toml")
    assert rules(run(folder)) == []
    below = folder / "below"
    below.mkdir()
    configure(below, '[tool.other]\nname = "not about tpllint"', "pyproject.toml")
    assert rules(run(below, "../t.jinja")) == []
    configure(below, "[tool.tpllint]", "pyproject.toml")
    assert rules(run(below, "../t.jinja")) == [MISSING]


def test_a_target_does_not_configure_its_own_check(folder: Path) -> None:
    model = folder / "model"
    model.mkdir()
    (model / "chat_template.jinja").write_text(NO_PROMPT)
    configure(model, 'ignore = ["ALL"]')
    assert rules(run(folder, "model")) == [MISSING]
    assert rules(run(folder, "model/chat_template.jinja")) == [MISSING]


def test_a_file_can_be_named_and_files_can_be_left_unread(folder: Path) -> None:
    configure(folder, "broken [")
    configure(folder, 'ignore = ["TPL101"]', "other.toml")
    configure(folder, "[tool]", "pyproject.toml")
    assert rules(run(folder, "t.jinja", "--config", "other.toml")) == []
    assert rules(run(folder, "t.jinja", "--no-config")) == [MISSING]
    assert error(run(folder, "t.jinja", "--config", "other.toml", "--no-config"))["kind"] == "contradiction"
    assert error(run(folder, "t.jinja", "--config", "none.toml"))["kind"] == "no-such-path"
    assert "has no [tool.tpllint]" in error(run(folder, "t.jinja", "--config", "pyproject.toml"))["message"]


@pytest.mark.parametrize(
    ("text", "options", "found"),
    [
        ('select = ["TPL2"]', (), []),
        ('select = ["TPL2"]', ("--select", "TPL1"), [MISSING]),
        ('select = ["TPL2"]', ("--profile", "default"), [MISSING]),
        ('ignore = ["TPL101"]', ("--select", "TPL1"), []),
        ('ignore = ["TPL2"]', ("--ignore", "TPL101"), []),
        ('profile = "security"', (), []),
        ('profile = "security"', ("--profile", "default"), [MISSING]),
        ('profile = "security"', ("--select", "TPL1"), [MISSING]),
        ('[per-path-ignores]\n"t.jinja" = ["TPL1"]', (), []),
        ('[per-path-ignores]\n"*.jinja" = ["ALL"]', ("--select", "TPL1"), []),
        ('[per-path-ignores]\n"u.jinja" = ["TPL1"]\n"t.jinja" = ["TPL2"]', (), [MISSING]),
    ],
)
def test_file_and_command_line_decide_together_what_is_told(
    folder: Path, text: str, options: tuple[str, ...], found: list[str]
) -> None:
    configure(folder, text)
    assert rules(run(folder, "t.jinja", *options)) == found


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        ('[severity]\ngeneration-prompt-missing = "warning"', (), 0),
        ('[severity]\nTPL1 = "warning"', ("--severity", "TPL101=error"), 1),
        ('[severity]\nTPL101 = "warning"\nTPL1 = "error"', ("--severity", "TPL101=info"), 0),
        ('fail-on = "warning"\n[severity]\nTPL1 = "warning"', (), 1),
        ('fail-on = "warning"\n[severity]\nTPL1 = "warning"', ("--fail-on", "error"), 0),
    ],
)
def test_file_and_command_line_decide_together_how_bad_it_is(
    folder: Path, text: str, options: tuple[str, ...], code: int
) -> None:
    configure(folder, text)
    assert run(folder, "t.jinja", *options).code == code


def test_globs_start_at_the_file_that_holds_them(folder: Path) -> None:
    configure(folder, '[per-path-ignores]\n"old/*" = ["ALL"]')
    for name in ("old/deep", "new/old"):
        (folder / name).mkdir(parents=True)
        (folder / name / "t.jinja").write_text(NO_PROMPT)
    assert [f["path"] for f in run(folder, "old/deep", "old/deep/t.jinja", "new/old/t.jinja").json()["findings"]] == [
        "new/old/t.jinja"
    ]
    assert rules(run(folder / "old", "deep/t.jinja")) == []
    assert rules(run(folder / "new", "old/t.jinja")) == [MISSING]
    assert rules(run(folder / "new", "../old/deep/t.jinja")) == []
    assert rules(run(folder / "new", str(folder / "old" / "deep" / "t.jinja"))) == []


def test_conversations_and_variables_of_the_file_are_used_with_those_of_the_command_line(folder: Path) -> None:
    template = (
        "{% for m in messages %}{% if m.content == 'kelp' %}{{ raise_exception(mood) }}{% endif %}{% endfor %}" + NO_PROMPT
    )
    (folder / "t.jinja").write_text(template)
    (folder / "talks").mkdir()
    (folder / "talks" / "kelp.json").write_text(SPOKEN)
    (folder / "more.json").write_text(SPOKEN)
    configure(folder, 'conversations = ["talks/kelp.json"]\nvariables = { mood = "no kelp" }')
    found = run(folder, "t.jinja", "--select", "template-render-error").json()["findings"]
    assert [(f["evidence"]["conversation"], "no kelp" in f["message"]) for f in found] == [("talks/kelp.json", True)]
    more = run(folder, "t.jinja", "--select", "TPL", "--conversation", "more.json", "--var", 'mood="never"').json()["findings"]
    said = {f["evidence"]["conversation"] for f in more if f["rule"] == "template-render-error" and "never" in f["message"]}
    assert said == {"talks/kelp.json", "more.json"}
    below = run(folder / "talks", "../t.jinja", "--select", "template-render-error").json()["findings"]
    assert [f["evidence"]["conversation"] for f in below] == ["kelp.json"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('selct = ["TPL1"]', 'tpllint.toml: unknown key "selct" | did you mean "select"? known are select, ignore,'),
        ('select = "TPL1"', "tpllint.toml: select must be a list of text, not text"),
        ("select = []", "tpllint.toml: select names no rule"),
        ("ignore = [1]", "tpllint.toml: ignore[0] must be text, not a number"),
        ('ignore = [""]', "tpllint.toml: ignore[0] is empty text"),
        ('ignore = ["eos-duplicatd"]', 'tpllint.toml: ignore: unknown rule "eos-duplicatd" | did you mean "eos-duplicated"?'),
        ('[per-path-ignores]\n"*" = ["nope"]', 'tpllint.toml: per-path-ignores."*": unknown rule "nope"'),
        ('[per-path-ignores]\n"*" = "ALL"', 'tpllint.toml: per-path-ignores."*" must be a list of text, not text'),
        ("per-path-ignores = 1.5", "tpllint.toml: per-path-ignores must be a table, not a number"),
        ('[severity]\nTPL1 = "eror"', 'tpllint.toml: severity."TPL1": unknown severity "eror" | did you mean "error"?'),
        ('[severity]\nnope = "error"', 'tpllint.toml: severity: unknown rule "nope"'),
        ("fail-on = true", "tpllint.toml: fail-on must be text, not true or false"),
        (
            'profile = "agnet"',
            'tpllint.toml: profile: unknown profile "agnet" | did you mean "agent"? known are default, agent,',
        ),
        ('expect = ["imges"]', 'tpllint.toml: expect: unknown capability "imges" | did you mean "images"? known are system,'),
        ('conversations = ["none.json"]', "tpllint.toml: conversations: no such file: none.json"),
        ('rules = ["none"]', "tpllint.toml: rules: no such folder: "),
        ("variables = { messages = 1 }", "messages belongs to the conversation"),
        ('variables = { "a-b" = 1 }', 'variables."a-b" is no name of a variable'),
        ("variables = { day = 2026-01-01 }", 'variables."day" holds a date or a time'),
        ("variables." + "a." * 2_000 + "a = 1", 'variables."a" nests too deeply'),
        ("a = [", "tpllint.toml is not valid TOML: "),
        ("a = " + "[" * 100_000, "tpllint.toml "),
        ("#" * 1_000_001, "tpllint.toml is larger than 1 MB"),
    ],
)
def test_a_mistake_is_one_error_that_names_file_and_key(folder: Path, text: str, words: str) -> None:
    configure(folder, text)
    message, _, hint = words.partition(" | ")
    done = run(folder)
    assert done.code == 2
    assert message in error(done)["message"]
    assert hint in error(done)["hint"]
    assert done.err == ""


def test_a_file_that_is_not_text_is_told_without_harm_to_the_terminal(folder: Path) -> None:
    (folder / "tpllint.toml").write_bytes(b"ignore = ['\xff']")
    assert error(run(folder))["message"] == "tpllint.toml is not UTF-8: byte 11 cannot be decoded"
    configure(folder, '"\\u001b[2J" = 1')
    done = tpllint("check", "t.jinja", cwd=folder)
    assert done.code == 2
    assert done.err.startswith("error: tpllint.toml: unknown key")
    assert "\x1b" not in done.err


def test_the_table_of_a_project_has_to_be_a_table(folder: Path) -> None:
    configure(folder, "[tool]\ntpllint = 3", "pyproject.toml")
    assert error(run(folder))["message"] == "pyproject.toml: tool.tpllint must be a table, not a number"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--profile", "agnet"), 'unknown profile "agnet" | did you mean "agent"? known are default, agent,'),
        (("--expect", "system,imges"), 'unknown capability "imges" | did you mean "images"? known are system,'),
    ],
)
def test_unknown_names_on_the_command_line_are_told_with_the_nearest(
    folder: Path, options: tuple[str, ...], words: str
) -> None:
    told = error(run(folder, "t.jinja", *options))
    message, _, hint = words.partition(" | ")
    assert told["message"] == message
    assert told["hint"].startswith(hint)


def test_the_list_of_rules_is_json_in_every_case(folder: Path) -> None:
    done = tpllint("rules", "--output-format", "json", "--config", "none.toml", cwd=folder)
    body = done.json()
    assert (done.code, body["schema"], body["rules"]) == (2, "tpllint-rules-v1", [])
    (told,) = body["errors"]
    assert (told["target"], told["kind"], told["message"]) == (None, "no-such-path", "no such file: none.toml")
    assert done.err == f"error: {told['message']}\n  help: {told['hint']}\n"
    assert tpllint("rules", "--config", "none.toml", cwd=folder).out == ""
    assert tpllint("rules", "--output-format", "json", cwd=folder).json()["errors"] == []


def test_a_rule_folder_is_a_rule_pack(folder: Path) -> None:
    pack = folder / "house" / "inner"
    pack.mkdir(parents=True)
    (pack / "__init__.py").write_text("")
    (pack / "words.py").write_text('SAID = "it shouts"')
    (folder / "house" / "shouting.py").write_text(RULE.format(body=FINDS).replace('"it shouts"', "SAID"))
    with (folder / "house" / "shouting.py").open("a") as stream:
        stream.write("\nfrom .inner.words import SAID\n")
    configure(folder, 'rules = ["house", "./house"]\nselect = ["shouting"]')
    assert [(f["code"], f["message"]) for f in run(folder).json()["findings"]] == [("XYZ001", "it shouts")]
    assert "XYZ001  shouting" in tpllint("rules", cwd=folder).out
    assert "# shouting (XYZ001)" in tpllint("explain", "shouting", cwd=folder).out
    assert tpllint("explain", "shouting", "--no-config", cwd=folder).code == 2


def test_rule_folders_do_not_stand_in_each_others_way(folder: Path) -> None:
    for name, code in (("house/json", "XYZ001"), ("other/json", "XYZ002")):
        (folder / name).mkdir(parents=True)
        body = RULE.format(body=FINDS).replace("XYZ001", code).replace("shouting", f"shouting-{code.lower()}")
        (folder / name / "__init__.py").write_text(body)
    configure(folder, 'rules = ["house/json", "other/json"]\nselect = ["XYZ"]')
    assert rules(run(folder)) == ["shouting-xyz001", "shouting-xyz002"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import nothing_of_this_name", "No module named 'nothing_of_this_name'"),
        ("raise LookupError('broken')", "LookupError: broken"),
        ("def", "SyntaxError: "),
        (RULE.format(body=FINDS).replace("XYZ001", "TPL001"), "has a second rule TPL001"),
    ],
)
def test_a_broken_rule_folder_is_an_error_that_names_it(folder: Path, source: str, words: str) -> None:
    (folder / "house").mkdir()
    (folder / "house" / "shouting.py").write_text(source)
    configure(folder, 'rules = ["house"]')
    told = error(run(folder))
    assert told["kind"] == "broken-plug-in"
    assert str(folder / "house") in told["message"]
    assert words in told["message"]


def test_a_rule_in_a_folder_that_raises_is_a_defect_that_names_it(folder: Path) -> None:
    (folder / "house").mkdir()
    (folder / "house" / "shouting.py").write_text(RULE.format(body=RAISES))
    configure(folder, 'rules = ["house"]')
    done = run(folder)
    assert (done.code, done.json()["crashes"][0]["rule"]) == (3, "shouting")


def give_away(path: Path) -> int:
    """Make a file somebody else's, and return the user who finds it: us where we may do so, else somebody else still."""
    if os.geteuid() == 0:
        os.chown(path, STRANGER, -1, follow_symlinks=False)
        return 0
    return STRANGER


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tpllint.toml", 'rules = ["house"]'),
        ("tpllint.toml", 'ignore = ["ALL"]'),
        ("tpllint.toml", ""),
        ("pyproject.toml", '[tool.tpllint]\nignore = ["ALL"]'),
    ],
)
def test_a_file_of_another_user_is_refused_until_it_is_named(folder: Path, name: str, text: str) -> None:
    (folder / "house").mkdir()
    configure(folder, text, name)
    assert discovered(str(folder), os.geteuid()).file is not None
    user = give_away(folder / name)
    with pytest.raises(RepairableError, match="belongs to another user and would decide what is told") as caught:
        discovered(str(folder), user)
    assert caught.value.kind == "foreign-config"
    assert "--config" in caught.value.hint
    assert "--no-config" in caught.value.hint
    assert named(str(folder / name), str(folder)).file == name


def test_a_link_of_another_user_to_a_file_of_ones_own_is_refused(folder: Path) -> None:
    configure(folder, 'ignore = ["ALL"]', "mine.toml")
    (folder / "tpllint.toml").symlink_to("mine.toml")
    user = give_away(folder / "tpllint.toml")
    with pytest.raises(RepairableError, match="belongs to another user"):
        discovered(str(folder), user)


def test_a_file_of_another_user_that_does_not_configure_is_passed_by(folder: Path) -> None:
    configure(folder, "[tool.other]", "pyproject.toml")
    assert discovered(str(folder), give_away(folder / "pyproject.toml")).file is None


def test_a_file_of_root_holds_for_everybody_and_ones_own_for_oneself(folder: Path) -> None:
    configure(folder, 'ignore = ["TPL101"]')
    finder = STRANGER if os.geteuid() == 0 else os.geteuid()
    assert discovered(str(folder), finder).ignore == ("TPL101",)


def test_the_command_refuses_what_the_function_refuses(folder: Path) -> None:
    configure(folder, 'ignore = ["ALL"]')
    refused = give_away(folder / "tpllint.toml") == os.geteuid()
    assert (run(folder).code, rules(run(folder))) == ((2, []) if refused else (0, []))
    assert rules(run(folder, "t.jinja", "--no-config")) == [MISSING]
    assert run(folder, "t.jinja", "--config", "tpllint.toml").code == 0


def test_a_profile_raises_what_is_information_otherwise(folder: Path) -> None:
    (folder / "t.jinja").write_text(PRINTS_PARTS)
    assert rules(run(folder)) == []
    agent = run(folder, "t.jinja", "--profile", "agent").json()["findings"]
    assert ("python-repr-content", "warning") in {(f["rule"], f["severity"]) for f in agent}
    assert {f["severity"] for f in agent} == {"warning"}
    everything = run(folder, "t.jinja", "--profile", "all").json()["findings"]
    assert ("python-repr-content", "info") in {(f["rule"], f["severity"]) for f in everything}
    levelled = run(folder, "t.jinja", "--profile", "agent", "--severity", "TPL305=info")
    assert "python-repr-content" not in rules(levelled)


def test_a_profile_raises_nothing_that_is_no_information() -> None:
    rule = RuleInfo("X1", "x", "tools", Severity.ERROR, "", "", "p", True, raised_by={"agent": Severity.WARNING})
    assert Selection(profile="agent").level(rule, Severity.ERROR) is Severity.ERROR
    assert Selection(profile="training").level(rule, Severity.INFO) is Severity.INFO
    assert Selection(profile="agent").level(rule, Severity.INFO) is Severity.WARNING


def test_the_security_profile_runs_what_vetting_needs(folder: Path) -> None:
    (folder / "t.jinja").write_text("{% for m in messages %}")
    assert rules(run(folder, "t.jinja", "--profile", "security")) == ["template-syntax-error"]


def test_what_is_expected_reaches_the_template() -> None:
    job = Job((Variant("default", NO_PROMPT),), {}, tokens_known=False, expect=("system", "tools"))
    assert job_from_json(json.loads(json.dumps(job.as_json()))).expect == ("system", "tools")
    template = Template("default", NO_PROMPT, {}, expected=job.expect)
    assert template.expected == {"system", "tools"}
    assert template.with_source("x").expected == {"system", "tools"}


def test_the_python_function_reads_no_file_and_takes_a_profile(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(folder, 'ignore = ["ALL"]')
    monkeypatch.chdir(folder)
    assert [finding.rule for finding in check("t.jinja").findings] == [MISSING]
    assert check("t.jinja", profile="security").findings == ()
    told = check("t.jinja", profile="nope").targets[0].error
    assert told is not None
    assert all(profile in told.hint for profile in PROFILES)
