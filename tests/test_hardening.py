"""Whoever wrote a model, a conversation or a configuration file wants to break the program that looks at it, and does not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.command import Done, tpllint
from tpllint.errors import RepairableError
from tpllint.job import Job, Variant
from tpllint.pool import Order, Pool
from tpllint.registry import load
from tpllint.report.json_text import json_text
from tpllint.selection import Selection
from tpllint.sources.hub_client import require_host
from tpllint.sources.hub_target import HubTarget
from tpllint.sources.opening import NotRegularError, opened, opened_below, opened_inside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(("tests.packs.confesses",), size=1) as made:
        yield made


CHAT = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
CHAT += "{% if add_generation_prompt %}<|assistant|>{% endif %}"
BROKEN = "{% for %}"
ELSEWHERE = "is a link to a place outside the model's folder"


def check(folder: Path, *arguments: str) -> Done:
    return tpllint("check", "--no-config", *arguments, cwd=folder)


def report(folder: Path, *arguments: str) -> Any:
    return check(folder, *arguments, "--output-format", "json").json()


def messages(told: Any) -> list[str]:
    return [finding["message"] for finding in told["findings"]]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


def configuration(folder: Path, templates: object) -> None:
    write(folder / "tokenizer_config.json", json.dumps({"chat_template": templates}))


# --- files ---


@pytest.mark.parametrize(
    "links", [("../out/secret.jinja",), ("a", "b", "../out/secret.jinja"), ("sub/../../out/secret.jinja",)]
)
def test_no_chain_of_links_leads_out_of_a_model(tmp_path: Path, links: tuple[str, ...]) -> None:
    write(tmp_path / "out" / "secret.jinja", "{{ 'TOP SECRET' }}{% for %}")
    (tmp_path / "model" / "sub").mkdir(parents=True)
    for name, to in zip(("chat_template.jinja", *links), links, strict=False):
        (tmp_path / "model" / name).symlink_to(to)
    done = check(tmp_path, "model")
    assert f"chat_template.jinja {ELSEWHERE}" in done.out
    assert "SECRET" not in done.out


def test_a_folder_of_templates_that_is_a_link_is_not_entered(tmp_path: Path) -> None:
    write(tmp_path / "out" / "tool_use.jinja", "{{ 'TOP SECRET' }}{% for %}")
    write(tmp_path / "model" / "chat_template.jinja", CHAT)
    (tmp_path / "model" / "additional_chat_templates").symlink_to(tmp_path / "out")
    done = check(tmp_path, "model")
    assert f"tool_use.jinja {ELSEWHERE}" in done.out
    assert "SECRET" not in done.out


def test_the_blobs_of_the_hubs_cache_are_inside(tmp_path: Path) -> None:
    write(tmp_path / "models--a--b" / "blobs" / "0123", CHAT)
    write(tmp_path / "models--a--b" / "refs" / "main", CHAT)
    snapshot = tmp_path / "models--a--b" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "chat_template.jinja").symlink_to("../../blobs/0123")
    assert report(tmp_path, str(snapshot))["targets"][0]["templates"] == ["default"]
    (snapshot / "chat_template.jinja").unlink()
    (snapshot / "chat_template.jinja").symlink_to("../../refs/main")
    assert messages(report(tmp_path, str(snapshot))) == [f"chat_template.jinja {ELSEWHERE}, so it was not read"]


@pytest.mark.parametrize("replaced", ["folder", "file"])
def test_a_link_that_is_put_there_after_the_look_is_not_followed(tmp_path: Path, replaced: str) -> None:
    write(tmp_path / "out" / "t.jinja", "secret")
    write(tmp_path / "model" / "folder" / "t.jinja", "public")
    with opened_below(tmp_path / "model", ("folder", "t.jinja")) as stream:
        assert stream.read() == b"public"
    if replaced == "folder":
        (tmp_path / "model" / "folder").rename(tmp_path / "before")
        (tmp_path / "model" / "folder").symlink_to(tmp_path / "out")
    else:
        (tmp_path / "model" / "folder" / "t.jinja").unlink()
        (tmp_path / "model" / "folder" / "t.jinja").symlink_to(tmp_path / "out" / "t.jinja")
    with pytest.raises((OSError, NotRegularError)):
        opened_below(tmp_path / "model", ("folder", "t.jinja"))


def test_what_is_no_regular_file_is_not_opened_at_all(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "itself").symlink_to(".")
    for name in ("pipe", "folder", "device"):
        with pytest.raises(NotRegularError):
            opened(tmp_path / name)
    for name in ("pipe", "folder", "itself"):
        with pytest.raises(NotRegularError):
            opened_inside(tmp_path / name, tmp_path)


def test_pipes_and_folders_in_place_of_files_are_told_and_not_waited_for(tmp_path: Path) -> None:
    for name in ("chat_template.jinja", "tokenizer_config.json", "tokenizer.json", "model.gguf"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "generation_config.json").mkdir()
    assert sorted(messages(report(tmp_path, "."))) == [
        f"{name} is not a regular file, so it was not read"
        for name in ("chat_template.jinja", "generation_config.json", "tokenizer_config.json")
    ]


def test_what_counts_is_what_is_read_and_not_what_a_file_says_of_its_size(tmp_path: Path) -> None:
    mounted = "/proc/self/environ"  # whose size is 0 and whose content is not
    (tmp_path / "t.jinja").symlink_to(mounted)
    if not os.path.exists(mounted):
        pytest.skip("no such file system")
    done = tpllint("check", "--no-config", "t.jinja", cwd=tmp_path, env={"FILLED": "{% for %}" + "x" * 100_000})
    assert "template-syntax-error" in done.out


def test_more_named_templates_than_anybody_has_are_left_unread(tmp_path: Path) -> None:
    for number in range(120):
        write(tmp_path / "additional_chat_templates" / f"t{number:03}.jinja", CHAT)
    told = report(tmp_path, ".")
    assert len(told["targets"][0]["templates"]) < 100
    assert not told["targets"][0]["fully_analysed"]
    assert any("is beyond the first 100 files" in message for message in messages(told))


# --- what is written ---

SURROGATE = re.compile(r"(?<!\\)(?:\\\\)*\\u(?:d[89ab]..(?!\\ud[c-f])|d[c-f]..)")
COMMANDS = "\n::error::x\n##[stop-commands]x\n##vso[task.setvariable variable=x]y\u2028\u202e\x1b]0;x\x07\x9b2J\u3164"
FORMATS = ("text", "json", "jsonl", "github", "sarif")


def hostile(folder: Path) -> None:
    """A model each part of which would like to speak to whatever shows the report."""
    templates = [
        {"name": "default", "template": CHAT + "{{ raise_exception('" + COMMANDS.replace("\n", "\\n") + "') }}"},
        {"name": f"n{COMMANDS}", "template": f"{BROKEN} {COMMANDS}"},
        {"name": "\ud800", "template": f"##[x] {{% include '##[y]\ud800' %}} {{{{ x | a }}}} {{{{ '\udfff' }}}} {COMMANDS}"},
        {"name": "split", "template": "##{% for %}[stop-commands]"},
    ]
    configuration(folder, templates)
    for name in ("a\nb", "::error::x", "##vso[x]y", "\x1b[2J", os.fsdecode(b"\xff\xfe")):
        write(folder / "additional_chat_templates" / f"{name}.jinja", BROKEN)


@pytest.mark.parametrize("output_format", FORMATS)
def test_no_report_holds_anything_that_a_terminal_or_a_runner_obeys(tmp_path: Path, output_format: str) -> None:
    hostile(tmp_path / "loads")
    hostile(tmp_path / "model##[x]\u202e")
    (tmp_path / "model##[x]\u202e" / "tokenizer_config.json").unlink()
    for path in (tmp_path / "loads" / "additional_chat_templates").iterdir():
        path.unlink()
    done = check(tmp_path, "loads", "model##[x]\u202e", "./no##[such]\x1b", "--output-format", output_format, "--select", "ALL")
    assert done.code == 2
    for text in (done.out, done.err):
        assert "template-syntax-error" in text or "TPL001" in text or text is done.err
        assert not re.search("[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\u2028\u2029\u202e\u3164]", text)
        assert not re.search(r"##[a-z]*\[", text)
        assert not re.search(r"(?m)^\s*::(?!:)", text) or output_format == "github"
        assert "Traceback" not in text


@pytest.mark.parametrize("output_format", ["json", "jsonl", "sarif"])
def test_a_strict_reader_takes_every_report(tmp_path: Path, output_format: str) -> None:
    hostile(tmp_path)
    done = check(tmp_path, ".", "--output-format", output_format, "--select", "ALL")
    assert done.out.isascii()
    assert not SURROGATE.search(done.out)
    assert json.loads(done.out)
    assert output_format != "jsonl" or done.out.count("\n") == 1


def test_what_is_no_number_in_json_is_null(tmp_path: Path) -> None:
    write(tmp_path / "t.jinja", CHAT)
    write(tmp_path / "c.json", '[{"role": "user", "content": "\\ud800", "x": [NaN, 1e999]}]')
    done = tpllint("render", "t.jinja", "--conversation", "c.json", "--output-format", "json", cwd=tmp_path)
    (render,) = json.loads(done.out, parse_constant=pytest.fail)["renders"]
    assert render["inputs"]["messages"] == [{"role": "user", "content": "\ufffd", "x": [None, None]}]


def test_json_text_changes_nothing_that_a_strict_reader_takes() -> None:
    for value in ("\U0001f600", "\\ud800 \\\\ud800", "## ##a ##[ ##vso[", ["\x00\u2028"], {"a": 1.5}):
        assert json.loads(json_text(value)) == value
    assert json_text("\ud83d \ude00\ud83d\ude00\\") == r'"\ufffd \ufffd\ud83d\ude00\\"'


def test_a_report_does_not_grow_with_what_a_template_says(tmp_path: Path) -> None:
    entries = [{"name": f"{number}" + "n" * 100_000, "template": BROKEN} for number in range(120)]
    configuration(tmp_path / "names", entries)
    write(tmp_path / "words" / "chat_template.jinja", "{{ x | " + "f" * 1_000_000 + " }}{{ raise_exception('A' * 3000000) }}")
    odd = "".join(f"{{{{ m{number}.__class__ }}}}{{% include 'x' %}}" for number in range(2000))
    write(tmp_path / "many" / "chat_template.jinja", odd)
    done = check(tmp_path, "names", "words", "many", "--output-format", "json", "--select", "ALL")
    assert done.code == 1
    assert len(done.out) < 4_000_000
    assert max(map(len, messages(done.json()))) <= 2000


# --- the command line ---


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "t.jinja", "--var", f"x={'a' * 100_000}"),
        ("check", "t.jinja", "--var", "x=\x1b[2J"),
        ("check", "t.jinja", "--var", "messages=[]"),
        ("check", "t.jinja", "--fail-on", "\x1b[2J" + "A" * 100_000),
        ("check", "t.jinja", "--severity", "\n::error::x" + "A" * 100_000),
        ("check", "t.jinja", "--conversation", "deep.json"),
        ("check", "t.jinja", "--conversation", "digits.json"),
        ("check", "t.jinja", "--conversation", "wide.json"),
        ("check", "t.jinja", "--conversation", "pipe"),
        ("check", "t.jinja", "--config", "long.toml"),
        ("check", "t.jinja", "--config", "digits.toml"),
        ("check", "t.jinja", "--config", "control.toml"),
        ("check", "t.jinja", "--config", "pipe"),
        ("check", "--from-file", "control.txt"),
        ("explain", "\x1b[2J##[x]"),
    ],
    ids=lambda arguments: " ".join(arguments)[:40].encode("unicode_escape").decode(),
)
def test_what_cannot_be_used_is_one_short_message(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    write(tmp_path / "t.jinja", CHAT)
    write(tmp_path / "deep.json", "[" * 200_000)
    write(tmp_path / "digits.json", '[{"role": "user", "content": ' + "9" * 9000 + "}]")
    (tmp_path / "wide.json").write_bytes("[".encode("utf-16-le") + b"\xff")
    write(tmp_path / "long.toml", f'"{"k" * 500_000}" = 1')
    write(tmp_path / "digits.toml", f"variables = {{ x = {'9' * 9000} }}")
    write(tmp_path / "control.toml", 'select = ["\\u001b[2J##[x]"]')
    write(tmp_path / "control.txt", "a\x1b[2J\n")
    os.mkfifo(tmp_path / "pipe")
    done = tpllint(*arguments, cwd=tmp_path)
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 2
    assert len(done.err) < 10_000
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]|##\[", done.err)


# --- the network ---


@pytest.mark.parametrize(
    ("endpoint", "url", "allowed"),
    [
        ("https://huggingface.co", "https://huggingface.co/api/models/a/b", True),
        ("https://huggingface.co", "https://cas-bridge.xethub.hf.co/x", True),
        ("https://huggingface.co", "http://huggingface.co/api", False),
        ("https://huggingface.co", "https://huggingface.co.example.org/api", False),
        ("https://huggingface.co", "https://nothf.co/api", False),
        ("https://huggingface.co", "https://169.254.169.254/latest", False),
        ("https://hub.example.org", "https://files.example.com/x", True),
        ("https://hub.example.org", "http://files.example.com/x", False),
        ("http://127.0.0.1:8000", "http://127.0.0.1:9000/x", True),
    ],
)
def test_a_redirect_leads_to_hosts_of_the_hub_and_never_into_the_clear(
    endpoint: str, url: str, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
    target = HubTarget("org/model", None)
    if allowed:
        require_host(target, url)
        return
    with pytest.raises(RepairableError) as caught:
        require_host(target, url)
    assert caught.value.kind == "malformed-hub-answer"


WITHOUT_SOCKETS = """
import sys
def refuse(event, arguments):
    if event.startswith("socket."):
        raise RuntimeError("a socket")
sys.addaudithook(refuse)
from tpllint.cli import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize("command", [["check", "--select", "ALL"], ["render"], ["describe"], ["rules"], ["--version"]])
def test_what_lies_on_this_machine_is_looked_at_without_a_socket(tmp_path: Path, command: list[str]) -> None:
    write(tmp_path / "chat_template.jinja", CHAT)
    write(
        tmp_path / "tokenizer_config.json",
        '{"auto_map": {"AutoTokenizer": ["org/evil--tokenizer.Evil", null]}, "eos_token": "x"}',
    )
    targets = [] if command[0] in ("rules", "--version") else ["."]
    line = [sys.executable, "-c", WITHOUT_SOCKETS, *command, *targets]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (0, 1)
    assert "socket" not in done.stderr
    line[3:] = ["check", "org/model-on-the-hub"]
    asked = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert asked.returncode > 1, "the hook sees what it is there to see"


def test_a_worker_has_no_environment_no_files_and_no_sockets_and_is_in_no_folder_of_the_users(pool: Pool) -> None:
    (answers,) = pool.run([Order("local", Job((Variant("default", "confess"),), {}, tokens_known=False, rules=("confess",)))])
    told = {message["message"] for message in answers.messages if message["kind"] == "problem"}
    assert told == {
        "folder /",
        "environment []",
        "isolated 1",
        "files OSError",
        "new files OSError",
        "sockets OSError",
        "children OSError",
        "memory 1000000000",
    }


def test_the_profile_for_vetting_runs_its_families_and_the_rules_that_vet() -> None:
    rules = [rule.info() for rule in load(()).values()]
    chosen = Selection(profile="security").chosen(rules)
    assert {rule.category for rule in chosen if not rule.vets} == {"storage", "syntax", "security"}
    assert {"role-dropped", "sandbox-violation", "random-output"} <= {rule.name for rule in chosen if rule.vets}
    assert {"tools", "thinking", "training", "special-tokens"}.isdisjoint(rule.category for rule in chosen)
