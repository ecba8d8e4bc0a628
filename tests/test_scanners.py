"""benchmarks/scanners.py without the scanners: how answers are judged and counted, and what scanners are handed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.scanner_driver import Answer, Judged, judge_modelaudit, judge_modelscan, judge_pillar, judged_safely, worst
from benchmarks.scanner_inputs import Input, calculated, hostile, prepare, real
from benchmarks.scanners import ANY, SECURITY, Driver, Verdict, batches, joined, judge_tpllint, read, run_tpllint, table, write
from tests.command import tpllint

TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"
INPUTS = (
    Input("hostile/a", Path("a"), "report", "sandbox escape"),
    Input("hostile/b", Path("b"), "report", "files"),
    Input("hostile/c", Path("c"), "lookalike"),
    Input("templates/d", Path("d"), "real", official=True),
)


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def report(*findings: tuple[str, str, str], error: str | None = None) -> bytes:
    told = [{"target": "m", **dict(zip(("rule", "category", "severity"), finding, strict=True))} for finding in findings]
    other = {"target": "other", "rule": "duplicate-key", "category": "security", "severity": "error"}
    targets = [{"target": "m", "error": {"kind": error} if error else None}, {"target": "other", "error": None}]
    return json.dumps({"findings": [*told, other], "targets": targets}).encode()


@pytest.mark.parametrize(
    ("judged", "answer"),
    [
        (judge_pillar("malicious", 1, ()), Answer.FLAGGED),
        (judge_pillar("suspicious", 1, ()), Answer.FLAGGED),
        (judge_pillar("clean", 1, ()), Answer.CLEAN),
        (judge_pillar("clean", 0, ()), Answer.UNSEEN),
        (judge_pillar("error", 0, ()), Answer.INCOMPLETE),
        (judge_modelaudit([("critical", "walks")], 1, 1), Answer.FLAGGED),
        (judge_modelaudit([("warning", "walks")], 2, 1), Answer.FLAGGED),
        (judge_modelaudit([("info", "no licence")], 0, 1), Answer.CLEAN),
        (judge_modelaudit([("info", "too large")], 2, 1), Answer.INCOMPLETE),
        (judge_modelaudit([], 0, 0), Answer.UNSEEN),
        (judge_modelscan({"issues": [{"description": "os"}], "errors": []}), Answer.FLAGGED),
        (judge_modelscan({"issues": [], "errors": ["unreadable"]}), Answer.INCOMPLETE),
        (judge_modelscan({"issues": [], "errors": [], "summary": {"scanned": {"total_scanned": 1}}}), Answer.CLEAN),
        (judge_modelscan({"issues": [], "errors": [], "summary": {"scanned": {"total_scanned": 0}}}), Answer.UNSEEN),
    ],
)
def test_an_answer_of_another_scanner_counts_as_a_flag_from_a_warning_on(judged: Judged, answer: Answer) -> None:
    assert judged.answer is answer


@pytest.mark.parametrize(
    ("output", "security", "everything"),
    [
        (report(("role-forgery", "security", "error")), Answer.FLAGGED, Answer.FLAGGED),
        (report(("role-dropped", "content", "warning")), Answer.CLEAN, Answer.FLAGGED),
        (report(("role-forgery", "security", "info")), Answer.CLEAN, Answer.CLEAN),
        (report(error="not-a-file"), Answer.INCOMPLETE, Answer.INCOMPLETE),
        (b"", Answer.CRASH, Answer.CRASH),
        (None, Answer.TIMEOUT, Answer.TIMEOUT),
    ],
)
def test_a_report_of_tpllint_is_judged_by_security_and_by_everything(
    output: bytes | None, security: Answer, everything: Answer
) -> None:
    assert judge_tpllint(output, 1, "m", "security").answer is security
    assert judge_tpllint(output, 1, "m", None).answer is everything


def test_a_defect_of_tpllint_is_counted_as_a_crash() -> None:
    assert judge_tpllint(report(), 3, "m", None).answer is Answer.CRASH


def test_tpllint_is_run_on_each_hostile_input_alone_and_on_many_published_templates_at_once(tmp_path: Path) -> None:
    written(tmp_path, {"a/case.json": "{}", "a/chat_template.jinja": "{{ oops", "d/chat_template.jinja": TEMPLATE})
    published = [given._replace(folder=tmp_path / "d", name=name) for given in INPUTS[3:] for name in ("d", "e")]
    alone, together = batches([published[0], INPUTS[0]._replace(folder=tmp_path / "a"), published[1]])
    assert [(verdict.scanner, verdict.answer) for verdict in run_tpllint(alone)] == [(SECURITY, "clean"), (ANY, "flagged")]
    assert [(verdict.scanner, verdict.input) for verdict in run_tpllint(together)] == [
        (scanner, name) for name in ("d", "e") for scanner in (SECURITY, ANY)
    ]


def test_a_flag_on_one_file_of_an_input_outweighs_what_is_said_of_the_others() -> None:
    assert worst(map(Judged, (Answer.CLEAN, Answer.FLAGGED, Answer.INCOMPLETE))).answer is Answer.FLAGGED


def test_what_a_scanner_raises_is_its_answer() -> None:
    assert judged_safely(lambda path: Judged(Answer[path]), "no answer").answer is Answer.CRASH


def test_the_table_counts_each_kind_of_input_and_leaves_out_who_has_not_seen_all() -> None:
    said = {"pillar": "flagged incomplete clean flagged", SECURITY: "flagged clean clean clean", ANY: "flagged " * 4}
    verdicts = [
        Verdict(scanner, given.name, Answer(answer), 0.5)
        for scanner, answers in said.items()
        for given, answer in zip(INPUTS, answers.split(), strict=True)
    ]
    lines = list(table(INPUTS, [*verdicts, Verdict("modelscan", "hostile/a", Answer.UNSEEN, 0.1)]))
    assert lines == [
        "|  | pillar | tpllint | tpllint, any category |",
        "| --- | ---: | ---: | ---: |",
        "| hostile inputs flagged (of 2) | 1 +1 | 1 | 2 |",
        "| &emsp;sandbox escape (of 1) | 1 | 1 | 1 |",
        "| &emsp;files (of 1) | 0 +1 | 0 | 1 |",
        "| hostile inputs not looked at (of 2) | 0 | 0 | 0 |",
        "| benign look-alikes flagged (of 1) | 0 | 0 |  |",
        "| published templates flagged (of 1) | 1 | 0 |  |",
        "| &emsp;those that are the publisher's own (of 1) | 1 | 0 |  |",
        "| look-alikes and published templates not or not fully looked at (of 2) | 0 | 0 | 0 |",
        "| crashes and timeouts (of 4) | 0 | 0 | 0 |",
        "| seconds for an input, median | 0.500 | 0.500 | 0.500 |",
    ]


def test_a_new_verdict_replaces_what_the_same_scanner_said_and_keeps_the_others(tmp_path: Path) -> None:
    old, other, new = (
        Verdict(SECURITY, "hostile/a", Answer.CLEAN, 0.1),
        Verdict("pillar", "hostile/a", Answer.FLAGGED, 0.1, ("contains_url",)),
        Verdict(SECURITY, "hostile/a", Answer.FLAGGED, 0.2),
    )
    write(tmp_path / "verdicts.json", [old, other])
    assert joined(read(tmp_path / "verdicts.json"), [new]) == [other, new]


def test_verdicts_of_other_versions_are_not_mixed_with_new_ones(tmp_path: Path) -> None:
    written(tmp_path, {"verdicts.json": '{"packages": {"pillar": "pillar-gguf-scanner==0.0.2"}, "verdicts": []}'})
    with pytest.raises(SystemExit, match="other versions"):
        read(tmp_path / "verdicts.json")


def test_cases_tell_what_to_expect_and_an_index_whose_a_template_is(tmp_path: Path) -> None:
    case = {"class": "ssti-attribute-walk", "expect": ["report", "survive"]}
    written(
        tmp_path, {"hostile/b/case.json": json.dumps({**case, "expect": "survive"}), "hostile/a/case.json": json.dumps(case)}
    )
    rows = [
        {"slug": slug, "vendor_official": True, "official_grade": grade} for slug, grade in (("own", "A: same"), ("x", "B"))
    ]
    written(tmp_path / "real", {"index.jsonl": "\n".join(map(json.dumps, rows))})
    written(tmp_path / "real", {f"{slug}/chat_template.jinja": TEMPLATE for slug in ("x", "own")})
    told = [(given.name, given.expect, given.group) for given in hostile(tmp_path / "hostile")]
    assert told == [("hostile/a", "report", "sandbox escape"), ("hostile/b", "survive", "sandbox escape")]
    assert [(given.name, given.official) for given in real(tmp_path / "real")] == [
        ("templates/own", True),
        ("templates/x", False),
    ]


def test_each_template_of_a_model_becomes_a_gguf_file_that_is_read_like_it(tmp_path: Path) -> None:
    config = json.dumps({"chat_template": [{"name": "default", "template": TEMPLATE}, {"name": "odd", "template": 1}]})
    given = written(tmp_path / "given", {"case.json": "{}", "chat_template.jinja": "{{ oops", "tokenizer_config.json": config})
    (tmp_path / "scratch").mkdir()
    ready = prepare(Input("hostile/a", given, "report"), tmp_path / "scratch")
    assert sorted(path.name for path in ready.folder.iterdir()) == ["chat_template.jinja", "tokenizer_config.json"]
    broken, good = (tpllint("check", path, "--output-format", "json", cwd=tmp_path).json() for path in ready.ggufs)
    assert "template-syntax-error" in {finding["rule"] for finding in broken["findings"]}
    assert "template-syntax-error" not in {finding["rule"] for finding in good["findings"]}
    assert good["targets"][0]["templates"] == ["default"]


def test_files_that_a_case_describes_are_made_and_no_other_file_is_written(tmp_path: Path) -> None:
    given = written(tmp_path / "given", {"case.json": "{}"})
    (tmp_path / "scratch").mkdir()
    made = {"file": "template.jinja", "python": "'{# ' + 'A'*(1<<3) + ','.join(['b']*2) + ' #}'"}
    ready = prepare(Input("hostile/a", given, "report", generate=made), tmp_path / "scratch")
    assert (ready.folder / "chat_template.jinja").read_text(encoding="utf-8") == "{# AAAAAAAAb,b #}"
    (tmp_path / "other").mkdir()
    with pytest.raises(SystemExit, match="wants to write"):
        prepare(Input("hostile/a", given, "report", generate={**made, "file": "../x"}), tmp_path / "other")


def test_a_linked_file_is_handed_on_as_a_link_and_not_read(tmp_path: Path) -> None:
    given = written(tmp_path / "given", {"case.json": "{}"})
    (tmp_path / "scratch").mkdir()
    link = {"symlink": ["chat_template.jinja", "/dev/zero"]}
    ready = prepare(Input("hostile/a", given, "report", generate=link), tmp_path / "scratch")
    assert (ready.folder / "chat_template.jinja").is_symlink()
    assert ready.ggufs == ()


@pytest.mark.parametrize("source", ["open('x')", "__import__('os')", "'a'.join", "[].__class__", "1 - 1"])
def test_the_expression_of_a_case_can_only_put_constants_together(source: str) -> None:
    with pytest.raises(ValueError, match="no such thing is calculated"):
        calculated(source)


SAYS_CLEAN = """
import sys
print("ready", flush=True)
for line in sys.stdin:
    {}
    print('{{"answer": "clean", "said": [], "tried": ["socket.connect"]}}', flush=True)
"""


def asked(does: str, tmp_path: Path, times: int = 2) -> list[Answer]:
    command = (sys.executable, "-c", SAYS_CLEAN.format(does))
    with Driver(command, str(tmp_path), limit=2.0) as driver:
        return [driver.ask([tmp_path])[0].answer for _ in range(times)]


def test_a_scanner_that_dies_or_hangs_is_started_again(tmp_path: Path) -> None:
    first_time = "import pathlib; mark = pathlib.Path({!r}); new = not mark.exists(); mark.touch(); new and {}"
    assert asked(first_time.format(str(tmp_path / "died"), "sys.exit(7)"), tmp_path) == ["crash", "clean"]
    hangs = "__import__('time').sleep(60)"
    assert asked(first_time.format(str(tmp_path / "hung"), hangs), tmp_path) == ["timeout", "clean"]


def test_a_try_to_reach_a_network_is_told(tmp_path: Path) -> None:
    with Driver((sys.executable, "-c", SAYS_CLEAN.format("pass")), str(tmp_path)) as driver:
        assert driver.ask([tmp_path])[0].said == ("tried to reach a network: socket.connect",)
