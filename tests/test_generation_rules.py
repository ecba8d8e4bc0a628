"""Rules about what a model writes: how its words reach them, when these rules run, and what they make of whole formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.in_process import InProcess, crashes, harmful
from tests.model_folders.families import FAMILIES, Family
from tpllint import wire
from tpllint.analysis.loops import loop_at_end
from tpllint.analysis.template import Template
from tpllint.checking import Check, check, examined
from tpllint.conversations import canonical
from tpllint.job import Job, Variant, job_from_json
from tpllint.markers import BARE_MARKER, common_prefix
from tpllint.pool import Pool
from tpllint.registry import load
from tpllint.replies import Fit, Generated, Reply
from tpllint.selection import Selection
from tpllint.severity import Severity
from tpllint.targets import Request, opened
from tpllint.testing import said_through

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tpllint.finding import Report

TURNS = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
TEMPLATE = TURNS + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
EMPTY = Reply("user", "", "<|im_end|>", tokens=1, limit=64)
RIGHT = Reply("user", "Paris", "<|im_end|>", tokens=2, limit=64)
LONE_SURROGATE, BIDI = "\ud800", "\u202e"
HOSTILE = f"\x1b[2J\n::error file=x::owned\n##[error]\r{LONE_SURROGATE}{BIDI}\x00<script>"
ENOUGH = 48


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool() as pool:
        yield pool


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    return tmp_path


def judged(folder: Path, pool: Pool, *replies: Reply, fit: Fit | None = None, **request: Any) -> Report:
    given = Request(generated=said_through(Generated(replies, fit)), **request)
    return check([str(folder)], pool, Check(given, Selection(tells_infos=True)))


def rules_in(report: Report) -> list[str]:
    return [finding.rule for finding in report.findings]


def test_what_a_model_said_reaches_the_worker_as_it_was() -> None:
    reply = Reply("user", HOSTILE, None, tokens=64, limit=64, control=("<|im_start|>",), bos=2, encoded_otherwise=True)
    said = {"default": Generated((reply, RIGHT), Fit(3, 0.25, {"without the generation prompt": 1.5})), "tools": Generated(())}
    job = Job((Variant("default", TEMPLATE),), {}, tokens_known=False, generated=said)
    body = wire.encode(job.as_json())[wire.PREFIX.size :]
    assert job_from_json(wire.decode(body)).generated == said


def test_a_job_without_a_model_says_nothing_of_one() -> None:
    job = Job((Variant("default", TEMPLATE),), {}, tokens_known=False)
    assert job_from_json(wire.decode(wire.encode(job.as_json())[wire.PREFIX.size :])).generated is None


def test_only_the_rules_about_replies_run_where_there_are_some(model: Path, pool: Pool) -> None:
    (model / "chat_template.jinja").write_text(TURNS, encoding="utf-8")
    plain = check([str(model)], pool, Check(selection=Selection(select=("ALL",))))
    assert "generation-prompt-missing" in rules_in(plain)
    assert plain.rules
    assert not any(rule.judges_replies for rule in plain.rules)
    report = judged(model, pool, EMPTY)
    assert rules_in(report) == ["completion-empty"]
    assert {rule.category for rule in report.rules} == {"generation"}
    assert len(report.rules) + len(plain.rules) == len(pool.rules)


def test_a_check_without_replies_does_not_list_their_rules_as_undecided(model: Path, pool: Pool) -> None:
    (model / "chat_template.jinja").write_text("{{ raise_exception('no') }}", encoding="utf-8")
    plain = check([str(model)], pool, Check(selection=Selection(select=("ALL",))))
    waiting = {rule.name for rule in pool.rules if rule.judges_replies}
    assert plain.skipped
    assert {one.rule for one in plain.skipped}.isdisjoint(waiting)
    assert {one.rule for one in judged(model, pool, EMPTY).skipped} == waiting


def test_a_target_that_is_open_is_judged_like_one_that_is_named(model: Path, pool: Pool) -> None:
    request = Request(generated=said_through(Generated((EMPTY,))))
    targets = opened([str(model)], request)
    assert rules_in(examined(targets, pool.rules, pool, Check(request))) == ["completion-empty"]


def test_a_finding_shows_the_prompt_of_the_users_own_conversation(model: Path, pool: Pool) -> None:
    own = {"name": "user", "data": [{"role": "user", "content": "What is the capital of France?"}]}
    (finding,) = judged(model, pool, EMPTY, conversations=(own,)).findings
    assert finding.evidence is not None
    assert finding.evidence.conversation == "user"
    assert "capital of France" in (finding.evidence.excerpt or "")


def test_an_answer_that_was_begun_is_shown_with_its_beginning(model: Path, pool: Pool) -> None:
    reply = Reply("user-assistant", "assistant\nx", "<|im_end|>", tokens=3, limit=64)
    (finding,) = judged(model, pool, reply).findings
    assert finding.evidence is not None
    assert (finding.evidence.excerpt or "").endswith("<|im_start|>assistant\nanswer-birch")


def test_what_was_said_through_another_template_or_to_an_unknown_conversation_does_not_count(model: Path, pool: Pool) -> None:
    assert judged(model, pool, EMPTY._replace(conversation="nobody-asked-this")).findings == ()
    request = Request(generated={"another": Generated((EMPTY,))})
    assert check([str(model)], pool, Check(request)).findings == ()


def test_a_comment_covers_what_is_said_of_a_model(model: Path, pool: Pool) -> None:
    text = "{# tpllint: ignore[completion-empty] it is silent on purpose #}\n" + TEMPLATE
    (model / "chat_template.jinja").write_text(text, encoding="utf-8")
    report = judged(model, pool, EMPTY)
    assert (report.findings, report.targets[0].suppressed) == ((), 1)
    assert "unused-suppression" not in rules_in(check([str(model)], pool, Check(selection=Selection(select=("ALL",)))))


def test_words_of_a_model_command_no_terminal_and_no_workflow(model: Path) -> None:
    pool = InProcess()
    stop = f"</s>{HOSTILE}"
    report = judged(
        model,
        pool,
        Reply("user", HOSTILE, stop, tokens=3, limit=64),
        Reply("system-user", f"assistant\n{HOSTILE}<|im_start|>user {HOSTILE}", stop, tokens=3, limit=64),
        Reply("user-assistant-user", "::error::x\n" * 20, None, tokens=64, limit=64),
        fit=Fit(6, 7.0, {HOSTILE: 0.5}),
    )
    assert {
        "completion-stops-elsewhere",
        "completion-opens-again",
        "completion-writes-another-turn",
        "completion-repeats-itself",
        "template-does-not-fit",
    } <= set(rules_in(report))
    assert crashes(pool.told) == []
    assert harmful(report) == []


CUT_OFF = [Reply(name, "It is", None, tokens=ENOUGH, limit=ENOUGH) for name in ("user", "user-assistant-user", "system-user")]


@pytest.mark.parametrize(
    ("replies", "fit", "level"),
    [
        (CUT_OFF, None, Severity.INFO),
        ([], Fit(2, 7.0, {"without the generation prompt": 0.1}), Severity.INFO),
        ([], Fit(3, 7.0, {"without the generation prompt": 0.1}), Severity.ERROR),
        ([], Fit(3, 1.1, {"without the generation prompt": 0.5}), Severity.WARNING),
    ],
)
def test_a_milder_case_has_a_milder_level(
    model: Path, pool: Pool, replies: list[Reply], fit: Fit | None, level: Severity
) -> None:
    (finding,) = judged(model, pool, *replies, fit=fit).findings
    assert finding.severity is level


def test_a_toggle_that_two_conversations_show_without_effect_is_a_warning(model: Path, pool: Pool) -> None:
    template = TEMPLATE.replace(
        "assistant\n{% endif", "assistant\n{% if not enable_thinking %}<think></think>{% endif %}{% endif"
    )
    (model / "chat_template.jinja").write_text(template, encoding="utf-8")
    own: list[dict[str, Any]] = [
        {"name": f"{word} {value}", "data": {"messages": [{"role": "user", "content": word}], "enable_thinking": value}}
        for word in ("one", "two")
        for value in (True, False)
    ]
    replies = [RIGHT._replace(conversation=each["name"]) for each in own]
    (finding,) = judged(model, pool, *replies, conversations=tuple(own)).findings
    assert (finding.rule, finding.severity) == ("thinking-toggle-without-effect", Severity.WARNING)
    replies[0] = replies[0]._replace(text="<think>It is</think>Paris")
    assert judged(model, pool, *replies, conversations=tuple(own)).findings == ()


@pytest.mark.parametrize(
    ("text", "words", "times"),
    [
        ("So: " + "no no " * 12, "no", 24),
        ("the capital of " * 4 + "the cap", "the capital of", 4),
        ("x" * 50, "x", 50),
    ],
)
def test_a_loop_is_its_shortest_words(text: str, words: str, times: int) -> None:
    loop = loop_at_end(text)
    assert loop is not None
    assert (loop.words.strip(), loop.times) == (words, times)


@pytest.mark.parametrize(
    "text", ["", "no " * 8, "-" * 200, "one two three four five six seven eight nine ten " * 3, " \n" * 99]
)
def test_few_words_and_rules_of_tables_are_no_loop(text: str) -> None:
    assert loop_at_end(text) is None


def written(family: Family, name: str) -> tuple[str, Generated]:
    """What a template of a family writes as the answer of a conversation, as if its model had, and to which prompt."""
    template = Template("default", family.template, family.tokens)
    conversation = template.conversation(name)
    asked = template.render_conversation(conversation.first(1), generation_prompt=True).text
    whole = template.render_conversation(conversation).text
    assert asked is not None
    assert whole is not None
    text = whole[common_prefix(asked, whole) :]
    stop = family.ends or family.stops[0]
    prompt = "tools-declared" if conversation.tools else "user"
    return prompt, Generated((spoken(prompt, text[: text.rindex(stop)] if stop in text else text, stop),))


def spoken(prompt: str, text: str, stop: str | None) -> Reply:
    control = tuple(dict.fromkeys(BARE_MARKER.findall(text)))
    return Reply(prompt, text, stop, tokens=ENOUGH, limit=ENOUGH, control=control)


def said_of(family: Family, generated: Generated) -> set[str]:
    template = Template("default", family.template, family.tokens, generated=generated)
    rules = [rule for rule in load(()).values() if rule.judges_replies]
    return {rule.name for rule in rules for _ in rule.check_template(template)}


ANSWERS = [
    (family, name)
    for family in FAMILIES
    for name in ("user-assistant", "reasoning-last", "think-tags-last", *(["tool-call"] if family.has_tools else []))
]


@pytest.mark.parametrize(("family", "name"), ANSWERS, ids=lambda value: getattr(value, "name", value))
def test_a_model_that_writes_what_its_template_writes_is_told_nothing(family: Family, name: str) -> None:
    _, generated = written(family, name)
    assert generated.replies[0].text
    assert said_of(family, generated) == set()


def _on_and_on(text: str, template: Template, end: str) -> tuple[str, str | None]:
    return f"{text}{end}{_next_question(template)}And then?", None


def _for_the_user(text: str, template: Template, end: str) -> tuple[str, str | None]:
    return f"{text}\n{_next_question(template)}And then?", end


def _elsewhere(text: str, template: Template, end: str) -> tuple[str, str | None]:
    return text, "<|another end|>"


def _nothing(text: str, template: Template, end: str) -> tuple[str, str | None]:
    return "", end


def _next_question(template: Template) -> str:
    return (template.anatomy.between_rounds or "").removeprefix(template.anatomy.assistant_closer or "")


@pytest.mark.parametrize("family", [family for family in FAMILIES if family.ends], ids=lambda family: family.name)
@pytest.mark.parametrize(
    ("defect", "rule"),
    [
        (_on_and_on, "completion-never-stops"),
        (_for_the_user, "completion-writes-another-turn"),
        (_elsewhere, "completion-stops-elsewhere"),
        (_nothing, "completion-empty"),
    ],
)
def test_a_model_that_does_not_know_the_format_is_found_out(
    family: Family, defect: Callable[[str, Template, str], tuple[str, str | None]], rule: str
) -> None:
    prompt, generated = written(family, "user-assistant")
    template = Template("default", family.template, family.tokens)
    text, stop = defect(generated.replies[0].text, template, family.ends or "")
    assert said_of(family, Generated((spoken(prompt, text, stop),))) == {rule}


def test_every_finding_shows_a_prompt() -> None:
    for rule in load(()).values():
        for example in rule.examples if rule.judges_replies else ():
            template = Template("default", example.template or "", {}, generated=example.generated)
            assert all(problem.render is not None for problem in rule.check_template(template))


def test_the_examples_ask_what_is_canonical() -> None:
    asked = {
        reply.conversation
        for rule in load(()).values()
        for example in rule.examples
        for reply in (example.generated.replies if example.generated else ())
    }
    assert asked
    assert asked <= canonical().keys()
