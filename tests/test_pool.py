"""The pool of workers: real processes, some of which die, lie or talk too much."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tpllint.checking import Check, check
from tpllint.errors import RepairableError
from tpllint.job import Job, Variant
from tpllint.pool import Answers, Order, Pool
from tpllint.report.text import as_text
from tpllint.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OBEYS = ("tests.packs.obeys",)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(OBEYS, size=1) as made:
        yield made


def order(source: str, origin: str = "local") -> Order:
    job = Job((Variant("default", source),), {}, tokens_known=False, rules=("obey", "raises-at-once"))
    return Order(origin, job)


def process_of(answers: Answers) -> int:
    """The process that answered, in the words of the rule `obey`."""
    return int(next(message["message"] for message in answers.messages if message["kind"] == "problem"))


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("be killed", "it was killed, most likely for want of memory"),
        ("exit", "its process ended with status 3"),
        ("talk nonsense", "over the limit of 16000000"),
        ("nest too deep", "it sent something that is not JSON"),
        ("flood", "it sent more than 16 MB of answers"),
        ("hang", "it did not finish within 10 seconds"),
    ],
)
def test_a_worker_that_fails_ends_its_job_and_no_other(pool: Pool, source: str, reason: str) -> None:
    before, failed, after = pool.run([order("first"), order(source), order("last")])
    assert (before.ended, after.ended) == (None, None)
    assert reason in (failed.ended or "")
    assert process_of(failed) == process_of(before) != process_of(after)


ANSWER = {"kind": "problem", "rule": "obey", "message": "m", "help": "h"}


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"kind": ["problem"]},
        {"kind": "ready"},
        {"kind": "done"},
        {"kind": "done", "exhausted": {"default": "x"}, "undecided": {}},
        {"kind": "done", "exhausted": {}, "undecided": {}, "questions": {"no-such-rule": [["tokens", "x"]]}},
        {"kind": "done", "exhausted": {}, "undecided": {}, "questions": {"obey": [["tokens"]]}},
        {**ANSWER, "rule": "no-such-rule"},
        {**ANSWER, "message": None},
        {**ANSWER, "severity": "fatal"},
        {**ANSWER, "template": 3},
        {**ANSWER, "place": [1, -1, 1, 1]},
        {**ANSWER, "place": [1, 1, 1]},
        {**ANSWER, "place": [2, 1, 1, 1]},
        {**ANSWER, "place": [1, 1, 1, 10**30]},
        {**ANSWER, "place": [1, 1, 1, 1.5]},
        {**ANSWER, "place": [True, 1, 1, 1]},
        {**ANSWER, "related": [{"message": "m", "place": "here"}]},
        {**ANSWER, "related": {}},
        {**ANSWER, "input": {"messages": "none"}},
        {"kind": "more", "rule": "obey", "count": -1},
        {"kind": "crash", "rule": "no-such-rule", "traceback": ""},
        {"kind": "suppression", "template": "default", "says": "", "words": [1], "whole": True},
        {"kind": "render", "template": "default", "text": 3},
        {"kind": "rows", "rows": 1, "late": 0, "rest": 0, "told": []},
        {"kind": "rows", "rows": 1, "late": 0, "told": [[0, [["not-analysed", "fatal", "", None, ""]]]]},
        {"kind": "begun"},
        {"kind": "unusable"},
    ],
    ids=lambda said: json.dumps(said)[:60],
)
def test_what_is_not_of_the_form_of_an_answer_ends_the_job_and_nothing_else(pool: Pool, said: object) -> None:
    failed, after = pool.run([order(f"say {json.dumps(said)}"), order("last")])
    assert failed.ended == "it sent a message out of order"
    assert after.ended is None


def test_a_place_that_is_nowhere_in_the_text_is_told_all_the_same(pool: Pool, tmp_path: Path) -> None:
    said = json.dumps({**ANSWER, "template": "default", "place": [10**9, 10**9, 10**9, 10**9], "file": "../../etc/passwd"})
    place = json.dumps({**ANSWER, "template": "default", "place": [7, 10**9, 2**31, 1]})
    for name, source in (("file", said), ("place", place)):
        (tmp_path / f"{name}.jinja").write_text(f"say {source}")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": f"say {place}"}))
    targets = [str(tmp_path / name) for name in ("file.jinja", "place.jinja", "tokenizer_config.json")]
    report = check(targets, pool, Check(selection=Selection(select=("obey",))))
    assert [finding.message for finding in report.findings].count("m") == 3
    assert as_text(report).count("root:") == 0


def test_a_worker_that_says_more_than_it_was_asked_does_not_answer_again(pool: Pool) -> None:
    done = json.dumps({"kind": "done", "exhausted": {}, "undecided": {}})
    (told,) = pool.run([order(f"say {done}")])
    (after,) = pool.run([order("next")])
    assert told.ended is None
    assert process_of(after) != process_of(told)


def test_what_needs_no_execution_is_told_although_the_template_ends_the_worker(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("{% include 'be killed late' %}{{ x.__class__ }}")
    report = check([str(tmp_path / "t.jinja")], pool, Check())
    assert {"loader-statement", "resource-exhaustion", "not-fully-analysed"} <= {finding.rule for finding in report.findings}
    assert not report.targets[0].fully_analysed
    assert report.crashes == ()


def test_every_job_is_answered_in_its_own_place_and_announced_once(pool: Pool) -> None:
    done: list[int] = []
    orders = [order(source) for source in ("a", "be killed", "b", "exit", "c")]
    answers = pool.run(orders, done.append)
    assert [answer.ended is None for answer in answers] == [True, False, True, False, True]
    assert sorted(done) == list(range(5))


def test_one_worker_serves_all_jobs_of_one_origin(pool: Pool) -> None:
    answers = pool.run([order("a"), order("b"), order("c")]) + pool.run([order("d")])
    assert len({process_of(answer) for answer in answers}) == 1


def test_another_origin_gets_a_process_of_its_own(pool: Pool) -> None:
    origins = ("org/one", "org/two", "org/two", "org/one")
    one, two, still_two, one_again = map(process_of, pool.run([order("a", origin) for origin in origins]))
    assert two == still_two
    assert len({one, two, one_again}) == 3
    assert not alive(one)


def test_many_jobs_are_shared_by_several_workers() -> None:
    with Pool(OBEYS, size=3) as pool:
        answers = pool.run([order(f"{number}") for number in range(40)])
    processes = {process_of(answer) for answer in answers}
    assert all(answer.ended is None for answer in answers)
    assert 1 < len(processes) <= 3
    assert not any(map(alive, processes))


def test_no_jobs_are_no_work(pool: Pool) -> None:
    assert pool.run([]) == []


def test_leaving_ends_workers_that_are_in_the_middle_of_a_job() -> None:
    processes: list[int] = []

    def interrupt(_: int) -> None:
        processes.extend(worker.process.pid for worker in staff._staff)
        raise KeyboardInterrupt

    staff = Pool(OBEYS, size=2)
    with pytest.raises(KeyboardInterrupt), staff:
        staff.run([order("first"), *(order("hang") for _ in range(8))], interrupt)
    assert len(processes) == 2
    assert not any(map(alive, processes))


@pytest.mark.parametrize(
    ("pack", "words"),
    [
        ("tests.packs.raises", "LookupError: this pack is broken"),
        ("tests.packs.exits", "ended the worker process"),
        ("tests.packs.writes", "wrote to its output"),
        ("tests.packs.repeats", "has a second rule TPL001 template-syntax-error"),
        ("tests.packs.no_such_pack", "rule pack 'tests.packs.no_such_pack' cannot be imported"),
    ],
)
def test_a_broken_plug_in_is_an_error_that_names_what_is_wrong(pack: str, words: str) -> None:
    pool = Pool([pack])
    (process,) = (worker.process.pid for worker in pool._staff)
    with pytest.raises(RepairableError) as caught, pool:
        pytest.fail("the pool cannot be entered")
    assert caught.value.kind == "broken-plug-in"
    assert words in caught.value.message
    assert not alive(process)


@pytest.mark.parametrize(("source", "error"), [("raise", "ValueError: raised at once"), ("recurse", "RecursionError")])
def test_a_rule_that_raises_is_a_crash_of_that_rule_alone(pool: Pool, source: str, error: str) -> None:
    (answers,) = pool.run([order(source)])
    (crash,) = (message for message in answers.messages if message["kind"] == "crash")
    assert crash["rule"] == "raises-at-once"
    assert error in crash["traceback"]
    assert answers.ended is None
    assert process_of(answers)


def test_identical_templates_are_analysed_once_and_reported_each(pool: Pool, tmp_path: Path) -> None:
    targets = [tmp_path / name for name in ("one", "two", "other")]
    for target in targets:
        target.mkdir()
        (target / "chat_template.jinja").write_text("{% include 'x' %}" + "{# other #}" * (target.name == "other"))
    done: list[tuple[int, int]] = []
    report = check(list(map(str, targets)), pool, Check(), lambda *progress: done.append(progress))
    assert done == [(2, 3), (3, 3), (3, 3)]
    told = [finding.target for finding in report.findings if finding.rule == "loader-statement"]
    assert told == list(map(str, targets))


def test_a_render_that_answers_too_much_is_refused_and_the_next_one_is_not(pool: Pool) -> None:
    chat = {"name": "long", "data": [{"role": "user", "content": "é" * 2_000_000}]}
    templates = (Variant("default", "{{ messages[0].content }}"),)
    job = Job(templates, {}, tokens_known=False, conversations=(chat,), want="renders")
    refused, answered = pool.run([Order("local", job), order("next")])
    assert "over the limit of 16000000" in (refused.ended or "")
    assert answered.ended is None
