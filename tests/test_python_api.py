"""The functions of the package: live tokenizers and processors as targets, beside paths, and what they raise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tpllint
from tests.live import GOOD, NO_PROMPT, Processor, tokenizer

CHAT = [{"role": "user", "content": "Hello"}]
TWO_TOKENS = "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ pad_token }}{% endfor %}"


def said(report: tpllint.Report) -> list[tuple[str, str]]:
    return [(finding.rule, finding.path) for finding in report.findings]


def test_a_live_tokenizer_is_told_what_the_folder_it_saves_is_told(tmp_path: Path) -> None:
    for template in (GOOD, NO_PROMPT, None, {"default": GOOD, "tool_use": NO_PROMPT}, "{% for", TWO_TOKENS, {}):
        live = tokenizer(template)
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        live.save_pretrained(folder)
        seen, saved = tpllint.check(live, select=["ALL"]), tpllint.check(folder, select=["ALL"])
        assert seen.findings or template == GOOD
        assert [(each.rule, each.message, each.template, each.span) for each in seen.findings] == [
            (each.rule, each.message, each.template, each.span) for each in saved.findings
        ]
        assert seen.targets[0].templates == saved.targets[0].templates


def test_a_finding_names_the_class_the_origin_and_the_file_that_would_be_written() -> None:
    (finding,) = tpllint.check(tokenizer(NO_PROMPT, name_or_path="org/model")).findings
    assert (finding.target, finding.path) == (
        "<TokenizersBackend org/model>",
        "<TokenizersBackend org/model>/chat_template.jinja",
    )


def test_a_named_template_is_found_in_its_own_file() -> None:
    (finding,) = tpllint.check(tokenizer({"default": GOOD, "rag": NO_PROMPT})).findings
    assert (finding.template, finding.path) == ("rag", "<TokenizersBackend>/additional_chat_templates/rag.jinja")


def test_a_tokenizer_without_template_is_a_folder_without_one() -> None:
    assert said(tpllint.check(tokenizer(None))) == [("no-chat-template", "<TokenizersBackend>")]


def test_the_tokens_of_a_live_tokenizer_are_all_it_has() -> None:
    (finding,) = tpllint.check(tokenizer(TWO_TOKENS), select=["undefined-special-token"]).findings
    assert "pad_token" in finding.message
    assert tpllint.check(tokenizer(TWO_TOKENS, pad_token="<pad>"), select=["undefined-special-token"]).findings == ()


def test_a_tokenizer_without_any_token_has_no_placeholders() -> None:
    bare = tokenizer("[{{ bos_token }}]{{ messages[0].content }}", bos_token=None, eos_token=None)
    assert tpllint.render(bare, CHAT) == "[]Hello"


def test_a_processors_own_template_wins_and_its_tokenizer_has_the_tokens() -> None:
    processor = Processor(tokenizer(NO_PROMPT, bos_token="<first>"), chat_template=GOOD)
    assert tpllint.check(processor).findings == ()
    assert tpllint.render(processor, CHAT) == processor.apply_chat_template(CHAT, tokenize=False)
    assert tpllint.render(processor, CHAT).startswith("<first>")


def test_a_processor_without_template_publishes_its_tokenizers() -> None:
    report = tpllint.check(Processor(tokenizer(NO_PROMPT)))
    assert said(report) == [("generation-prompt-missing", "<Processor>/chat_template.jinja")]


def test_a_tokenizer_that_has_something_else_called_tokenizer_is_a_tokenizer() -> None:
    odd = tokenizer(GOOD)
    odd.tokenizer = object()
    assert tpllint.check(odd).findings == ()


def test_anything_that_keeps_a_template_as_transformers_does_is_a_target() -> None:
    class Own:
        chat_template = GOOD
        special_tokens_map = {"bos_token": "<own>"}  # noqa: RUF012

    assert tpllint.render(Own(), CHAT).startswith("<own>")


def test_targets_of_every_kind_mix_in_one_call(tmp_path: Path) -> None:
    (tmp_path / "bad.jinja").write_text(NO_PROMPT, encoding="utf-8")
    one, other = tokenizer(GOOD), tokenizer(NO_PROMPT)
    report = tpllint.check(one, str(tmp_path / "bad.jinja"), tmp_path / "bad.jinja", other, one, Processor(one))
    assert [result.target for result in report.targets] == [
        "<TokenizersBackend>",
        str(tmp_path / "bad.jinja"),
        "<TokenizersBackend #2>",
        "<Processor>",
    ]
    assert {finding.target for finding in report.findings} == {str(tmp_path / "bad.jinja"), "<TokenizersBackend #2>"}


def test_a_path_is_never_taken_for_a_model_on_the_hub_or_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report = tpllint.check(Path("org/model"), Path("-"))
    assert [(result.target, result.error and result.error.kind) for result in report.targets] == [
        ("./org/model", "no-such-path"),
        ("./-", "no-such-path"),
    ]
    assert not report.passed


@pytest.mark.parametrize("target", [None, 5, b"folder", object(), {}, [], type(tokenizer(GOOD))])
def test_what_is_no_target_is_a_type_error(target: Any) -> None:
    for call in (tpllint.check, lambda given: tpllint.diff(given, given), lambda given: tpllint.render(given, CHAT)):
        with pytest.raises(TypeError, match="is not a target; expected a path, a model on the Hub, or a tokenizer"):
            call(target)


def test_an_untrusted_name_reaches_no_terminal_as_it_is() -> None:
    (target,) = tpllint.check(tokenizer(GOOD, name_or_path="a\x1b[31m\n\u202e" + 500 * "x")).targets
    assert target.target.isprintable()
    assert len(target.target) < 200


@pytest.mark.parametrize("name", ["../../escaped", "a/b", "", "nul\0"])
def test_a_template_whose_name_no_file_can_have_was_not_analysed(name: str) -> None:
    report = tpllint.check(tokenizer({"default": GOOD, name: NO_PROMPT}))
    assert [finding.rule for finding in report.findings] == ["not-fully-analysed"]
    assert not report.passed


@pytest.mark.parametrize(
    ("template", "rule", "words"),
    [
        ("{{ 'x' }}" + 2_000_001 * "x", "not-fully-analysed", "is larger than 2 MB"),
        ("lone \ud800 surrogate", "not-fully-analysed", "holds a lone surrogate"),
        (5, "unreadable-template-config", 'holds a "chat_template" that is a number'),
        ({"default": None}, "unreadable-template-config", 'holds a chat template "default" that is null'),
    ],
)
def test_a_template_that_no_file_could_give_back_is_a_finding(template: Any, rule: str, words: str) -> None:
    (finding,) = tpllint.check(tokenizer(template)).findings
    assert finding.rule == rule
    assert words in finding.message


def test_own_conversations_have_to_render() -> None:
    strict = tokenizer("{% if messages[0].mood %}{{ raise_exception('no moods') }}{% endif %}" + GOOD)
    moody = [{"role": "user", "content": "Hello", "mood": "grim"}]
    assert tpllint.check(strict, conversations=[CHAT]).passed
    for form in (moody, tuple(moody), {"messages": moody, "tools": None}):
        (finding,) = tpllint.check(strict, conversations=[CHAT, form]).findings
        assert finding.message == "the conversation does not render: no moods"
        assert finding.evidence.conversation == "conversations[1]"


def test_what_is_no_conversation_is_refused_before_a_worker_starts() -> None:
    live = tokenizer(GOOD)
    text: Any = [["Hello"]]
    with pytest.raises(tpllint.ConversationError, match="every message must be an object"):
        tpllint.check(live, conversations=text)
    with pytest.raises(TypeError, match="not JSON serializable"):
        tpllint.diff(live, live, conversations=[[{"role": "user", "content": object()}]])


@pytest.mark.parametrize("level", ["warning", tpllint.Severity.WARNING])
def test_a_severity_may_be_a_word(level: str) -> None:
    report = tpllint.check(tokenizer(NO_PROMPT), severity={"generation-prompt-missing": level})
    assert (len(report.findings), report.count(tpllint.Severity.WARNING), report.errors, report.passed) == (1, 1, (), True)
    assert tpllint.as_text(report).endswith("\n1 warning in 1 template")
    assert not tpllint.check(tokenizer(None), severity={"no-chat-template": "error"}).passed


@pytest.mark.parametrize("level", ["eror", "ERROR", "", None, 2])
def test_an_unknown_severity_is_refused_with_those_that_are_known(level: Any) -> None:
    with pytest.raises(tpllint.RepairableError) as caught:
        tpllint.check(tokenizer(NO_PROMPT), severity={"generation-prompt-missing": level})
    assert caught.value.message == f'severity["generation-prompt-missing"]: unknown severity "{level}"'
    assert "known are info, warning, error" in caught.value.hint


@pytest.mark.parametrize("name", ["select", "ignore", "expect"])
def test_a_text_is_no_list_of_words(name: str) -> None:
    live = tokenizer(NO_PROMPT)
    given: Any = {name: "system"}
    calls = (lambda: tpllint.check(live, **given), lambda: tpllint.diff(live, live, **given))
    for call in calls if name != "expect" else calls[:1]:
        with pytest.raises(TypeError, match=rf"{name} must be a list of words, not text; write {name}=\['system'\]"):
            call()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("messages", "belongs to the conversation"),
        ("tools", "belongs to the conversation"),
        ("a b", "is no name of a variable"),
    ],
)
def test_a_variable_cannot_stand_in_for_the_conversation(name: str, words: str) -> None:
    live = tokenizer(GOOD)
    for call in (lambda: tpllint.check(live, variables={name: 1}), lambda: tpllint.diff(live, live, variables={name: 1})):
        with pytest.raises(tpllint.RepairableError, match=f'variables: "{name}" {words}'):
            call()


def test_a_report_passes_only_where_everything_was_examined(tmp_path: Path) -> None:
    assert tpllint.check(tokenizer(GOOD)).passed
    assert tpllint.check(tokenizer(None)).passed  # a warning
    assert not tpllint.check(tokenizer(NO_PROMPT)).passed
    missing = tpllint.check(tmp_path / "missing")
    assert (missing.errors, missing.passed) == ((), False)


def test_a_report_as_text_is_what_the_command_prints(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text(NO_PROMPT, encoding="utf-8")
    command = [sys.executable, "-m", "tpllint", "check", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert tpllint.as_text(tpllint.check(tmp_path)) + "\n" == done.stdout


def test_the_package_does_not_import_transformers() -> None:
    program = (
        "import sys, tpllint\n"
        "class Own: chat_template = '{{ messages[0].content }}'; special_tokens_map = {}\n"
        "tpllint.check(Own()); tpllint.diff(Own(), Own())\n"
        "print({'transformers', 'jinja2', 'deepdiff', 'huggingface_hub'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_what_holds_itself_is_no_conversation() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(tpllint.ConversationError, match="nests deeper"):
        tpllint.check(tokenizer(GOOD), conversations=[[{"role": "user", "content": endless}]])


def test_a_final_message_is_continued_as_transformers_continues_it() -> None:
    live = tokenizer(GOOD)
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hel"}]
    expected = live.apply_chat_template(messages, tokenize=False, continue_final_message=True)
    assert tpllint.render(live, messages, continue_final_message=True) == expected
    with pytest.raises(ValueError, match="exclude each other"):
        tpllint.render(live, messages, continue_final_message=True, add_generation_prompt=True)
    with pytest.raises(TypeError, match="tokenize is no template variable"):
        tpllint.render(live, messages, tokenize=False)
