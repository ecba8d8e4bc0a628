"""`tpllint review --webhook-payload`: a Job that a webhook of the Hub starts, and what its payload asks for."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub import WebhookPayload

from tests.command import Done, tpllint
from tests.local_hub import LocalHub
from tests.small_tokenizer import CHATML
from tests.webhook_payloads import discussed, payload, pushed
from tpllint.errors import RepairableError
from tpllint.reviewing import MARKER
from tpllint.webhook import MAX_PAYLOAD, MOST_PULL_REQUESTS, Ignored, Proposed, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRITER = "hf_Wr1ter"
FILES = {"chat_template.jinja": CHATML.encode(), "tokenizer_config.json": b'{"eos_token": "<|im_end|>"}'}
MUTE = {**FILES, "chat_template.jinja": CHATML.split("{% if add_generation_prompt %}")[0].encode()}


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub() as running:
        running.add("org/model", FILES)
        running.add_user(WRITER, "reviewer")
        yield running


def job(hub: LocalHub, home: Path, told: object, *arguments: str) -> Done:
    """Run a review as the Hub runs a Job after this event; it must not tell the token."""
    text = told if isinstance(told, str) else json.dumps(told)
    settings = {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home / "home"),
        "NO_PROXY": "*",
        "HF_HUB_OFFLINE": "",
        "HF_TOKEN": WRITER,
    }
    started = {
        "WEBHOOK_PAYLOAD": text,
        "WEBHOOK_REPO_ID": "org/model",
        "WEBHOOK_REPO_TYPE": "model",
        "WEBHOOK_SECRET": "s3cret",
    }
    done = tpllint("review", "--webhook-payload", *arguments, cwd=home, env={**settings, **started})
    assert "Traceback" not in done.out + done.err
    assert WRITER not in done.out + done.err
    return done


def comments(hub: LocalHub, number: int) -> list[str]:
    return [event.text for event in hub.discussion("org/model", number).comments if event.author == "reviewer"]


@pytest.mark.parametrize("scope", ["discussion", "discussion.comment", "repo.content"])
def test_a_job_comments_on_the_pull_request_that_started_it(hub: LocalHub, tmp_path: Path, scope: str) -> None:
    number = hub.open_pull_request("org/model", MUTE)
    told = pushed("refs/heads/x", f"refs/pr/{number}") if scope == "repo.content" else discussed(number, scope)
    done = job(hub, tmp_path, told, "--comment")
    assert (done.code, re.sub(r" \S+\n", " URL\n", done.err)) == (1, "comment posted: URL\n")
    assert [text.startswith(MARKER) for text in comments(hub, number)] == [True]


def test_the_comment_of_a_review_starts_no_other_review(hub: LocalHub, tmp_path: Path) -> None:
    number = hub.open_pull_request("org/model", MUTE)
    job(hub, tmp_path, discussed(number), "--comment")
    hub.recover()
    (written,) = comments(hub, number)
    for action in ("create", "update"):
        done = job(hub, tmp_path, discussed(number, "discussion.comment", action, comment=written), "--comment")
        assert (done.code, done.out, done.err) == (0, "", "nothing to review: the comment is a review\n")
    assert hub.requests == []


def test_what_is_no_event_of_a_webhook_is_told_and_sends_nothing(hub: LocalHub, tmp_path: Path) -> None:
    for told in ("{", "[]", '{"event": {}}'):
        done = job(hub, tmp_path, told, "--comment")
        assert (done.code, done.out) == (2, "")
        assert re.fullmatch(r"error: the payload of the webhook cannot be used: .+\n  help: .+\n", done.err)
    shown = job(hub, tmp_path, "{", "--comment", "--output-format", "json")
    assert (shown.code, shown.json()["error"]["kind"]) == (2, "malformed-payload")
    assert hub.requests == []


@pytest.mark.parametrize("named", [("org/model",), ("--pr", "3"), ("--from", "a"), ("--to", "b")])
def test_a_job_and_a_target_exclude_each_other(hub: LocalHub, tmp_path: Path, named: tuple[str, ...]) -> None:
    done = job(hub, tmp_path, discussed(1), *named)
    assert (done.code, done.err.splitlines()[0]) == (2, "error: --webhook-payload names the pull request itself")


def test_several_pull_requests_at_once_are_told_and_none_is_left_out_silently(hub: LocalHub, tmp_path: Path) -> None:
    done = job(hub, tmp_path, pushed("refs/pr/7", "refs/pr/9"))
    assert (done.code, done.err.splitlines()[0]) == (2, "error: several pull requests have changed at once: 7, 9")


def test_without_a_payload_that_is_told(tmp_path: Path) -> None:
    done = tpllint("review", "--webhook-payload", cwd=tmp_path, env={"WEBHOOK_PAYLOAD": ""})
    assert (done.code, done.err.splitlines()[0]) == (2, "error: there is no WEBHOOK_PAYLOAD in the environment")


def test_a_strangers_words_are_escaped(hub: LocalHub, tmp_path: Path) -> None:
    done = job(hub, tmp_path, payload("update", "\x1b[31m\n::error::" + "x" * 9000))
    assert done.code == 0
    assert re.fullmatch(r"nothing to review: the event is about [ -~]{,250}\n", done.err)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (discussed(3, isPullRequest=False), "the discussion is not a pull request"),
        (discussed(3, status="closed"), "the pull request is closed"),
        (discussed(3, status="merged", action="update"), "the pull request is merged"),
        (discussed(3, status="draft"), "the pull request is draft"),
        (discussed(3, action="delete"), "the action is delete"),
        (pushed("refs/heads/main"), "no pull request has changed"),
        (pushed("refs/pr/3x", "refs/pr/03", "xrefs/pr/3"), "no pull request has changed"),
        (pushed("refs/pr/3", new=None), "no pull request has changed"),
        (payload("update", "repo.content"), "the event names no changed refs"),
        (payload("update", "repo.config"), "the event is about repo.config"),
        (payload("create", "repo"), "the event is about repo"),
        (payload("update", "discussions"), "the event is about discussions"),
        (payload("update", "repo.content", kind="dataset"), "not a model but a dataset"),
    ],
)
def test_other_events_ask_for_nothing(told: dict[str, Any], why: str) -> None:
    assert parse(json.dumps(told)) == Ignored(why)


def test_a_pull_request_that_is_opened_with_the_marker_is_reviewed_all_the_same() -> None:
    assert parse(json.dumps(discussed(3, comment=f"{MARKER} harmless"))) == Proposed("org/model", (3,))


def test_each_pull_request_of_a_push_is_named_once() -> None:
    assert parse(json.dumps(pushed("refs/pr/3", "refs/pr/12", "refs/pr/3"))) == Proposed("org/model", (3, 12))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        '{"event": ',
        "[" * 100_000,
        '"' + "x" * MAX_PAYLOAD + '"',
        json.dumps({**discussed(3), "repo": None}),
        json.dumps({**discussed(3), "discussion": None}),
        json.dumps({**discussed(3), "webhook": {"id": "1", "version": 2}}),
        json.dumps(discussed(0)),
        json.dumps(discussed(10**9)),
        json.dumps(discussed(True)),
        json.dumps(discussed(3, isPullRequest=1)),
        json.dumps(pushed(*(f"refs/pr/{number}" for number in range(1, MOST_PULL_REQUESTS + 2)))),
        *(
            json.dumps(payload("update", "repo.content", name=name))
            for name in ("../x", "-o/m", "hf:o/m", "o/m@x", "o/m\n", "")
        ),
    ],
)
def test_what_no_webhook_sends_is_refused(text: str) -> None:
    with pytest.raises(RepairableError, match="the payload of the webhook cannot be used") as refused:
        parse(text)
    assert refused.value.kind == "malformed-payload"


@pytest.mark.parametrize("told", [discussed(3), discussed(3, "discussion.comment"), pushed("refs/pr/3")])
def test_the_payloads_of_these_tests_are_those_that_the_client_of_the_hub_knows(told: dict[str, Any]) -> None:
    read = WebhookPayload(**told)
    assert (read.repo.name, read.event.scope) == (told["repo"]["name"], told["event"]["scope"])
    numbers = [read.discussion.num] if read.discussion else [int(ref.ref.rpartition("/")[2]) for ref in read.updatedRefs or ()]
    assert parse(read.model_dump_json()) == Proposed("org/model", tuple(numbers))
