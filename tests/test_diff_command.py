"""`tpllint diff` as a whole: what is printed, in which form, with which exit code, and bad input."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tpllint as package
from tests.command import tpllint
from tests.gguf_model import write_gguf
from tests.live import GOOD, NO_PROMPT
from tests.local_hub import LocalHub
from tests.small_tokenizer import tokenizer_json
from tpllint.report.difference import text

TOKENS = '{"bos_token": "<s>", "eos_token": "</s>"}'
TRIMMED = GOOD.replace("\n", "")
HOSTILE = "{{ '\x1b[31m##[error]|`<b>@someone\u202e' }}" + GOOD


def model(folder: Path, template: str, tokens: str = TOKENS) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(tokens, encoding="utf-8")
    return folder


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A working directory with the model folders `good`, `copy`, `noted`, `mute` and `trimmed`."""
    for name, template in (("good", GOOD), ("copy", GOOD), ("noted", "{# a note #}" + GOOD)):
        model(tmp_path / name, template)
    model(tmp_path / "mute", NO_PROMPT)
    model(tmp_path / "trimmed", TRIMMED)
    return tmp_path


@pytest.mark.parametrize(
    ("right", "code", "first"),
    [
        ("copy", 0, "identical: the same source and the same prompts"),
        ("noted", 0, r"cosmetic: the source differs, none of \d+ prompts does"),
        ("mute", 1, r"behavioural: of \d+ prompts \d+ differ"),
    ],
)
def test_the_verdict_stands_first_and_decides_the_exit_code(there: Path, right: str, code: int, first: str) -> None:
    done = tpllint("diff", "good", right, cwd=there)
    assert (done.code, done.err) == (code, "")
    assert re.fullmatch(first, done.out.splitlines()[0])
    assert done.out.splitlines()[1:3] == ["  left   good", f"  right  {right}"]


def test_where_nothing_differs_nothing_more_is_said(there: Path) -> None:
    assert len(tpllint("diff", "good", "copy", cwd=there).out.splitlines()) == 3


def test_a_change_is_shown_once_with_its_characters_marked_and_its_code(there: Path) -> None:
    lines = tpllint("diff", "good", "trimmed", cwd=there).out.splitlines()
    assert len([line for line in lines if line.startswith("--- ")]) == 1
    assert "    - <s><|user|>question-amber</s>\u21b5" in lines
    assert "      " + " " * len("<s><|user|>question-amber</s>") + "^" in lines
    assert "    + <s><|user|>question-amber</s>" in lines
    assert any(re.fullmatch(r"    left  --> good/chat_template\.jinja:\d+:\d+", line) for line in lines)
    assert any(re.fullmatch(r"    right --> trimmed/chat_template\.jinja:\d+:\d+", line) for line in lines)


def test_what_a_caller_meets_is_told_in_words(there: Path) -> None:
    out = tpllint("diff", "good", "mute", cwd=there).out
    assert re.search(r'^ +generation prompt +"<\|assistant\|>" +nothing$', out, re.MULTILINE)
    assert "+ error[generation-prompt-missing]" in out
    assert "--> mute/chat_template.jinja:" in out


def test_blanks_that_only_one_side_has_are_put_into_words(there: Path) -> None:
    out = tpllint("diff", "good", "trimmed", cwd=there).out
    assert r'(blanks after the marker: "\n" on the left, nothing on the right)' in out


def test_every_conversation_is_shown_to_who_asks(there: Path) -> None:
    told = tpllint("diff", "good", "trimmed", "--all-conversations", cwd=there).out
    body = tpllint("diff", "good", "trimmed", "--output-format", "json", cwd=there).json()
    changed = [each for each in body["conversations"] if each["status"] == "different"]
    assert len([line for line in told.splitlines() if line.startswith("--- ")]) == len(changed) > 50


def test_both_sides_stand_beside_each_other_on_request(there: Path) -> None:
    lines = tpllint("diff", "good", "trimmed", "--view", "split", cwd=there).out.splitlines()
    (beside,) = [line for line in lines if " | " in line and "question-amber" in line]
    assert beside.count("question-amber") == 2


def test_colours_are_for_terminals_and_for_who_asks(there: Path) -> None:
    assert "\x1b[" not in tpllint("diff", "good", "trimmed", cwd=there).out
    assert "\x1b[7m" in tpllint("diff", "good", "trimmed", "--color", "always", cwd=there).out


def test_the_json_is_the_contract(there: Path) -> None:
    body = tpllint("diff", "good", "trimmed", "--output-format", "json", cwd=there).json()
    assert (body["schema"], body["left"], body["right"]) == ("tpllint-diff-v1", "good", "trimmed")
    assert (body["verdict"], body["source_changed"], body["error"]) == ("behavioural", True, None)
    assert set(body["conversations"][0]) >= {"name", "add_generation_prompt", "status", "left", "right"}
    assert set(body["findings"]) == {"added", "removed"}
    (example,) = body["examples"]
    (passage,) = example["passages"]
    assert (passage["left"]["text"], passage["right"]["text"]) == ("\n", "")
    assert passage["left"]["code"]["path"] == "good/chat_template.jinja"
    assert example["alike"] == sum(each["status"] == "different" for each in body["conversations"]) - 1


def test_the_markdown_shows_a_strangers_words_as_code_alone(there: Path) -> None:
    model(there / "hostile", HOSTILE)
    done = tpllint("diff", "good", "hostile", "--output-format", "markdown", cwd=there)
    assert done.code == 1
    outside = re.sub(r"^(`{3,}).*?^\1$|(`+).*?\2", "", done.out, flags=re.DOTALL | re.MULTILINE)
    assert "@someone" in done.out
    assert "@someone" not in outside
    assert not {"\x1b", "\u202e"} & set(done.out)
    assert "```diff\n" in done.out


@pytest.mark.parametrize("output_format", ["text", "markdown", "json"])
def test_no_format_commands_a_terminal_or_a_runner(there: Path, output_format: str) -> None:
    model(there / "hostile", HOSTILE)
    out = tpllint("diff", "good", "hostile", "--output-format", output_format, cwd=there).out
    assert not {"\x1b", "\u202e"} & set(out)
    assert "##[" not in out


def test_a_report_can_go_into_a_file(there: Path) -> None:
    done = tpllint("diff", "good", "mute", "--output-format", "json", "--output", "report.json", cwd=there)
    assert (done.code, done.out) == (1, "")
    assert json.loads((there / "report.json").read_text(encoding="utf-8"))["verdict"] == "behavioural"


def test_files_of_every_kind_can_be_sides(there: Path) -> None:
    config = {"bos_token": "<s>", "eos_token": "<|im_end|>"}
    write_gguf(there / "model.gguf", GOOD)
    model(there / "converted", GOOD, json.dumps(config))
    (there / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": GOOD}), encoding="utf-8")
    for right in ("model.gguf", "tokenizer_config.json", "converted/chat_template.jinja"):
        assert tpllint("diff", "converted", right, cwd=there).code == 0
    done = tpllint("diff", "good", "-", cwd=there, stdin=NO_PROMPT.encode())
    assert (done.code, done.out.splitlines()[2]) == (1, "  right  -")


def test_revisions_of_a_model_on_the_hub_are_compared(tmp_path: Path) -> None:
    with LocalHub() as hub:
        old = hub.add("org/model", {"chat_template.jinja": GOOD.encode(), "tokenizer_config.json": TOKENS.encode()})
        hub.add("org/model", {"chat_template.jinja": NO_PROMPT.encode(), "tokenizer_config.json": TOKENS.encode()})
        hub.add("org/model", {"chat_template.jinja": TRIMMED.encode(), "tokenizer_config.json": TOKENS.encode()}, "refs/pr/3")
        environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "NO_PROXY": "*"}
        done = tpllint("diff", f"org/model@{old}", "org/model", cwd=tmp_path, env=environment)
        proposed = tpllint("diff", f"org/model@{old}", "org/model@pr/3", cwd=tmp_path, env=environment)
    assert (done.code, proposed.code) == (1, 1)
    assert 'blanks after the marker: "\\n" on the left, nothing on the right' in proposed.out
    assert "+ error[generation-prompt-missing]" in done.out
    assert re.search(r"right --> org/model@[0-9a-f]{40}:chat_template\.jinja:1:\d+", done.out)


def test_a_fine_tune_is_compared_with_the_base_model_of_its_card(there: Path) -> None:
    (there / "mute" / "README.md").write_text("---\nbase_model: org/base\n---\n", encoding="utf-8")
    with LocalHub() as hub:
        hub.add("org/base", {"chat_template.jinja": GOOD.encode(), "tokenizer_config.json": TOKENS.encode()})
        environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(there), "NO_PROXY": "*"}
        done = tpllint("diff", "--base-model", "mute", cwd=there, env=environment)
    assert done.code == 1
    assert done.out.splitlines()[1:3] == ["  left   hf:org/base", "  right  mute"]


def test_conversations_of_ones_own_are_compared_in_any_form(there: Path) -> None:
    model(there / "moody", GOOD + "{% for m in messages if m.content == 'Hi, who?' %}!{% endfor %}")
    model(there / "calm", GOOD + "{% for m in messages if m.content == 'Hi, ' ~ 'who?' %}{% endfor %}")
    rows = [{"conversations": [{"from": "human", "value": text}]} for text in ("Hi, who?", "Hi")]
    (there / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    body = tpllint("diff", "moody", "calm", "--conversation", "rows.jsonl", "--output-format", "json", cwd=there).json()
    own = {each["name"]: each["status"] for each in body["conversations"] if "rows" in each["name"]}
    assert own == {"rows.jsonl:1": "different", "rows.jsonl:2": "same"}


def test_own_conversations_do_not_replace_canonical_ones_of_their_name(there: Path) -> None:
    (there / "user").write_text('[{"role": "user", "content": "Hello"}]', encoding="utf-8")
    body = tpllint("diff", "good", "mute", "--conversation", "user", "--output-format", "json", cwd=there).json()
    assert {"user", "./user"} <= {each["name"] for each in body["conversations"]}


def test_a_variable_that_the_user_sets_is_not_set_otherwise(there: Path) -> None:
    model(there / "thinks", GOOD + "{% if think %}{{ think }}{% endif %}")
    body = tpllint("diff", "good", "thinks", "--var", "think=false", "--output-format", "json", cwd=there).json()
    assert not [each["name"] for each in body["conversations"] if "think=" in each["name"]]


def test_a_matrix_agrees_with_each_pair_also_about_named_templates(there: Path) -> None:
    for name, template in (("good", GOOD), ("copy", NO_PROMPT)):
        folder = there / name / "additional_chat_templates"
        folder.mkdir()
        (folder / "rag.jinja").write_text(template, encoding="utf-8")
    body = tpllint("diff", "good", "copy", "noted", "--output-format", "json", cwd=there).json()
    assert [target["group"] for target in body["targets"]] == [0, 1, 2]
    assert {pair["verdict"] for pair in body["pairs"]} == {"behavioural"}


def test_a_matrix_tells_who_renders_like_whom(there: Path) -> None:
    done = tpllint("diff", "good", "mute", "noted", "copy", cwd=there)
    lines = done.out.splitlines()
    assert done.code == 1
    assert lines[0] == "behavioural: 4 targets in 2 groups of equal prompts"
    assert [line.split()[-1] for line in lines[3:7]] == ["A", "B", "A", "A"]
    assert lines[3].split()[2:6] == ["-", lines[4].split()[2], "~", "="]
    assert tpllint("diff", "good", "noted", "copy", cwd=there).code == 0


def test_a_matrix_has_its_json_and_markdown_and_no_html(there: Path) -> None:
    body = tpllint("diff", "good", "mute", "copy", "--output-format", "json", cwd=there).json()
    assert body["schema"] == "tpllint-diff-matrix-v1"
    assert [target["group"] for target in body["targets"]] == [0, 1, 0]
    assert [pair["verdict"] for pair in body["pairs"]] == ["behavioural", "identical", "behavioural"]
    told = tpllint("diff", "good", "mute", "copy", "--output-format", "markdown", cwd=there).out
    assert "| 3 `copy` | = |" in told
    refused = tpllint("diff", "good", "mute", "copy", "--output-format", "html", cwd=there)
    assert (refused.code, refused.err.splitlines()[0]) == (
        2,
        "error: the format html, --all-conversations, --token-counts and --generate are about two sides",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("good",), "there is no RIGHT"),
        (("good", "nowhere"), "no such file or folder: nowhere"),
        (("-", "-"), "standard input cannot be two sides"),
        (("--base-model", "good", "mute"), "--base-model compares one target with its base"),
        (("--base-model", "good"), "good: neither a model card beside the file nor the file itself names its base_model"),
        (("good", "mute", "--select", "nothing-such"), 'unknown rule "nothing-such"'),
        (("good", "mute", "--conversation", "good/tokenizer_config.json"), "is not a conversation"),
        (("good", "mute", "--template", "rag"), "rag"),
        (("good", "mute", "empty"), "no chat template in empty"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_hint(there: Path, arguments: tuple[str, ...], message: str) -> None:
    (there / "empty").mkdir()
    done = tpllint("diff", *arguments, cwd=there)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert "\n  help: " in done.err
    assert "Traceback" not in done.err


def test_the_json_tells_an_error_too(there: Path) -> None:
    assert tpllint("diff", "good", "--output-format", "json", cwd=there).json()["error"]["kind"] == "missing-target"
    done = tpllint("diff", "good", "nowhere", "--output-format", "json", cwd=there)
    assert done.code == 2
    body = done.json()
    assert (body["schema"], body["left"], body["right"], body["verdict"]) == ("tpllint-diff-v1", "good", "nowhere", None)
    assert body["error"]["kind"] == "no-such-path"


def test_a_template_that_never_ends_is_refused_and_not_called_different(there: Path) -> None:
    model(there / "endless", "{% macro more() %}{{ more() }}{% endmacro %}{{ more() }}")
    done = tpllint("diff", "good", "endless", cwd=there)
    assert done.code == 2
    assert "endless cannot be compared: a limit ended rendering" in done.err


def test_what_only_one_side_cannot_render_is_told_with_its_reason(there: Path) -> None:
    model(there / "strict", "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + GOOD)
    out = tpllint("diff", "good", "strict", cwd=there).out
    assert 'right raises "no system", left renders it' in out
    assert re.search(r'system messages +accepted +rejected: "no system"', out)


def test_two_templates_that_render_nothing_are_not_called_alike(there: Path) -> None:
    for name, template in (("broken", "{% if %}"), ("torn", "{% for m in %}")):
        model(there / name, template)
    done = tpllint("diff", "broken", "torn", cwd=there)
    assert (done.code, done.out) == (2, "")
    assert "neither broken nor torn renders any conversation" in done.err
    half = tpllint("diff", "good", "broken", cwd=there)
    assert half.code == 1
    assert "default: there is no conversation that both sides render" in half.out


def test_a_template_that_only_one_side_has_is_told_in_the_first_line(there: Path) -> None:
    more = there / "copy" / "additional_chat_templates"
    more.mkdir()
    (more / "rag.jinja").write_text(GOOD, encoding="utf-8")
    lines = tpllint("diff", "good", "copy", cwd=there).out.splitlines()
    assert re.fullmatch(r"behavioural: of \d+ prompts none differs, and 1 template on one side only", lines[0])
    assert "  only on the right: template rag" in lines


def test_the_offsets_of_the_json_are_into_the_prompts_themselves(there: Path) -> None:
    model(there / "other", "{% for m in messages %}[{{ m.role }}] {{ m.content | trim }} [/{{ m.role }}]{% endfor %}")
    body = tpllint("diff", "good", "other", "--output-format", "json", cwd=there).json()
    prompts = {(each["name"], each["add_generation_prompt"]): each for each in body["conversations"]}
    aligned = [example for example in body["examples"] if example["aligned"]]
    assert aligned
    for example in aligned:
        prompt = prompts[example["name"], example["add_generation_prompt"]]
        for passage in example["passages"]:
            for side in ("left", "right"):
                told = passage[side]
                assert prompt[side][told["start"] : told["end"]] == told["text"]


def test_who_asks_for_token_counts_is_told_why_there_are_none(there: Path) -> None:
    done = tpllint("diff", "good", "mute", "--token-counts", cwd=there)
    assert done.code == 2
    assert "no tokenizer.json beside good" in done.err
    (there / "good" / "tokenizer.json").write_text(tokenizer_json(), encoding="utf-8")
    (there / "mute" / "tokenizer.json").write_text("{", encoding="utf-8")
    assert "mute/tokenizer.json cannot be used" in tpllint("diff", "good", "mute", "--token-counts", cwd=there).err
    told = tpllint("diff", "good", "mute", cwd=there)
    assert re.search(r"^    left  \d+ tokens: user \d+, around them \d+$", told.out, re.MULTILINE)
    assert "tokens:" not in tpllint("diff", "good", "mute", "--no-token-counts", cwd=there).out


def test_a_report_does_not_replace_what_it_is_about(there: Path) -> None:
    template = there / "good" / "chat_template.jinja"
    for output_format in ("text", "json"):
        form = ("--output-format", output_format, "--output", "good/chat_template.jinja")
        done = tpllint("diff", template, "mute", *form, cwd=there)
        assert done.code == 2
        assert "--output good/chat_template.jinja would replace" in done.err
        assert template.read_text(encoding="utf-8") == GOOD


def test_the_exit_code_can_be_given_up(there: Path) -> None:
    assert tpllint("diff", "good", "mute", "--exit-zero", cwd=there).code == 0
    assert tpllint("diff", "good", "nowhere", "--exit-zero", cwd=there).code == 2


def test_the_table_fits_a_narrow_terminal(there: Path) -> None:
    stream = io.StringIO()
    text.write(package.diff(there / "good", there / "mute"), stream, text.View(columns=60))
    table = [line for line in stream.getvalue().split("\n\n")[1].splitlines() if not line.strip().startswith("(")]
    assert max(map(len, table)) <= 60


def test_nothing_heavy_is_loaded_before_it_is_needed(tmp_path: Path) -> None:
    program = "import sys, tpllint.cli.diff; print([name for name in ('deepdiff', 'numpy', 'jinja2') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
