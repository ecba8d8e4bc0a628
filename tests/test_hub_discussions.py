"""The door to discussions and pull requests, driven against a real server on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.local_hub import HANG_UP, READ_ONLY, LocalHub, Manner
from tests.local_hub.community import LARGE_UPLOAD, PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.local_hub.discussions import Discussion

ROOT = Path(__file__).resolve().parent.parent
FILES = {"chat_template.jinja": b"{{ messages }}", "config.json": b"{}"}
MARKER = "<!-- marker -->"
REPORT = f"{MARKER}\nAll is well."
MODEL = "org/model"
API = f"/api/models/{MODEL}"

DRIVER = """
import json, sys
from tpllint.errors import RepairableError
from tpllint.sources import hub_discussions
from tpllint.sources.hub_target import parse_hub_target
assert "huggingface_hub" not in sys.modules

def put_comment(target, number, marker, body, token):
    user, found = hub_discussions.writer(target, token), hub_discussions.discussion(target, number, token)
    hub_discussions.require_open(target, found)
    return hub_discussions.put_comment(target, found, user, marker, body, token)

def propose(target, base, changes, title, description, token, marker):
    user = hub_discussions.writer(target, token)
    changes = [(path, None if text is None else text.encode()) for path, text in changes]
    return hub_discussions.propose(target, base, changes, title, description, token, user=user, marker=marker)

calls = {"put_comment": put_comment, "propose": propose}
for line in sys.stdin:
    call = json.loads(line)
    name, target = call.pop("function"), parse_hub_target(call.pop("target"))
    try:
        told = (calls.get(name) or getattr(hub_discussions, name))(target, **call)._asdict()
    except RepairableError as error:
        told = {"kind": error.kind, "message": error.message, "hint": error.hint}
    print(json.dumps(told), flush=True)
"""


class Door:
    """A process that calls the functions of the door: huggingface_hub reads its environment once."""

    def __init__(self, endpoint: str, home: Path, **environment: str) -> None:
        kept = {name: text for name, text in os.environ.items() if not name.upper().startswith(("HF_", "HUGGING"))}
        settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "PYTHONPATH": str(ROOT), "NO_PROXY": "*"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", DRIVER],
            env=kept | settings | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, function: str, token: str | None = "hf_ann", target: str = MODEL, **arguments: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"function": function, "target": target, "token": token, **arguments}) + "\n")
        self._process.stdin.flush()
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told

    def put(self, number: int, body: str = REPORT, token: str | None = "hf_ann") -> dict[str, Any]:
        return self.call("put_comment", token, number=number, marker=MARKER, body=body)

    def propose(self, base: str, changes: Mapping[str, str | None], **other: Any) -> dict[str, Any]:
        texts = {"title": "Mend the template", "description": f"{MARKER} It was broken."}
        return self.call("propose", **{"base": base, "changes": list(changes.items()), "marker": MARKER, **texts, **other})

    def __enter__(self) -> Door:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        out, err = self._process.communicate(timeout=30)
        if kind is None:
            assert out + err == "", "progress bars, warnings or tracebacks reached the terminal"


def populated(hub: LocalHub) -> LocalHub:
    hub.add(MODEL, FILES)
    for token, name in (("hf_ann", "ann"), ("hf_bob", "bob")):
        hub.add_user(token, name)
    hub.add_user("hf_reader", "ann", READ_ONLY)
    return hub


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub() as running:
        yield populated(running)


@pytest.fixture
def door(hub: LocalHub, tmp_path: Path) -> Iterator[Door]:
    with Door(hub.url, tmp_path) as running:
        yield running


@pytest.fixture
def number(hub: LocalHub) -> int:
    """A pull request."""
    return hub.open_pull_request(MODEL, {**FILES, "chat_template.jinja": b"proposed"}, text="Please.")


def texts(talk: Discussion) -> list[tuple[str | None, str]]:
    return [(event.author, event.text) for event in talk.comments]


def test_a_discussion_is_read_in_one_request_without_the_diff(hub: LocalHub, door: Door, number: int) -> None:
    hub.comment(MODEL, number, None, "from somebody who left")
    hub.comment(MODEL, number, "bob", "hidden").hidden = True
    hub.discussion(MODEL, number).change("bob", "open")
    told = door.call("discussion", None, number=number)
    assert {name: told[name] for name in told if name != "comments"} == {
        "repository": MODEL,
        "number": number,
        "title": "A proposal",
        "author": "somebody",
        "status": "open",
        "is_pull_request": True,
        "base": "main",
        "locked": False,
    }
    assert [comment[1:] for comment in told["comments"]] == [
        ["somebody", "Please.", False],
        [None, "from somebody who left", False],
        ["bob", "hidden", True],
    ]
    assert hub.requests == [("GET", f"{API}/discussions/{number}")]


def test_a_discussion_that_proposes_nothing_has_no_base(hub: LocalHub, door: Door) -> None:
    told = door.call("discussion", None, number=hub.open_discussion(MODEL))
    assert (told["is_pull_request"], told["base"]) == (False, None)


def test_a_discussion_that_is_not_there_is_told(hub: LocalHub, door: Door, number: int) -> None:
    hub.delete_discussion(MODEL, number)
    told = door.call("discussion", number=number)
    assert (told["kind"], told["message"]) == (
        "no-such-discussion",
        f"the model org/model has no discussion or pull request {number}",
    )
    assert door.call("discussion", target="org/nowhere", number=1)["kind"] == "no-such-repository"
    assert door.call("discussion", token="hf_nobody", number=1)["kind"] == "rejected-token"


def test_a_pull_request_on_the_tip_of_its_branch_needs_one_request(hub: LocalHub, door: Door) -> None:
    tip = hub.add(MODEL, {"a": b"tip"})
    number = hub.open_pull_request(MODEL, {"a": b"proposed"})
    told = door.call("base_commit", number=number, base="main", tip=tip)
    assert told == {"commit": tip, "branch": "main", "is_exact": True}
    assert hub.requests == [("GET", f"{API}/commits/refs%2Fpr%2F{number}?p=0&limit=200")]
    assert door.call("base_commit", number=number, base="main") == told


def test_a_pull_request_behind_its_branch_is_held_against_where_it_branched_off(hub: LocalHub, door: Door) -> None:
    main = [hub.add(MODEL, {"a": str(index).encode()}) for index in range(300)]
    near = hub.open_pull_request(MODEL, {"a": b"near"}, parent=main[-30])
    far = hub.open_pull_request(MODEL, {"a": b"far"}, parent=main[10])
    for number, commit, pages in ((near, main[-30], 1), (far, main[10], 2)):
        hub.requests.clear()
        told = door.call("base_commit", number=number, base="main", tip=main[-1])
        assert told == {"commit": commit, "branch": "main", "is_exact": True}
        assert len(hub.requests) == 1 + pages


def test_where_a_pull_request_branched_off_too_far_back_the_tip_is_taken_and_told(hub: LocalHub, door: Door) -> None:
    old = hub.add(MODEL, {"a": b"old"})
    for index in range(1001):
        tip = hub.add(MODEL, {"a": str(index).encode()})
    number = hub.open_pull_request(MODEL, {"a": b"proposed"}, parent=old)
    told = door.call("base_commit", number=number, base="main", tip=tip)
    assert told == {"commit": tip, "branch": "main", "is_exact": False}
    assert len(hub.requests) == 1 + 5


def test_a_base_that_cannot_be_had_is_told(hub: LocalHub, door: Door, number: int) -> None:
    assert door.call("base_commit", number=99, base="main")["message"] == "the model org/model has no pull request 99"
    assert door.call("base_commit", number=number, base="dev")["message"] == "the model org/model has no revision dev"


def test_a_comment_is_posted_once_and_edited_from_then_on(hub: LocalHub, door: Door, number: int) -> None:
    posted = door.put(number)
    assert posted["outcome"] == "posted"
    assert posted["url"] == f"{hub.url}/{MODEL}/discussions/{number}#{posted['comment_id']}"
    assert sorted(hub.requests) == [
        ("GET", f"{API}/discussions/{number}"),
        ("GET", "/api/whoami-v2"),
        ("POST", f"{API}/discussions/{number}/comment"),
    ]
    hub.requests.clear()
    assert door.put(number) == {**posted, "outcome": "unchanged"}
    assert [method for method, _ in hub.requests] == ["GET", "GET"]
    other = REPORT + "\nOr is it?"
    assert door.put(number, other) == {**posted, "outcome": "updated"}
    assert texts(hub.discussion(MODEL, number)) == [("somebody", "Please."), ("ann", other)]


def test_a_comment_of_a_stranger_is_never_edited(hub: LocalHub, door: Door, number: int) -> None:
    hub.comment(MODEL, number, "bob", REPORT)
    hub.comment(MODEL, number, None, REPORT)
    assert door.put(number)["outcome"] == "posted"
    assert [author for author, _ in texts(hub.discussion(MODEL, number))] == ["somebody", "bob", None, "ann"]


def test_a_comment_that_was_hidden_is_let_be(hub: LocalHub, door: Door, number: int) -> None:
    hub.comment(MODEL, number, "ann", REPORT).hidden = True
    assert door.put(number)["outcome"] == "posted"


def test_the_token_of_the_environment_writes_too(hub: LocalHub, tmp_path: Path, number: int) -> None:
    (tmp_path / "token").write_text("hf_bob")
    with Door(hub.url, tmp_path, HF_TOKEN="hf_ann") as named, Door(hub.url, tmp_path) as stored:
        named.put(number, token=None)
        stored.put(number, token=None)
        stored.put(number, REPORT + "!", token="hf_ann")
    assert texts(hub.discussion(MODEL, number))[1:] == [("ann", REPORT + "!"), ("bob", REPORT)]


@pytest.mark.parametrize(
    ("token", "kind", "requests"),
    [
        (None, "no-token", 0),
        ("hf_…", "rejected-token", 0),
        ("hf_nobody", "rejected-token", 2),
        ("hf_reader", "no-write-right", 2),
    ],
)
def test_who_may_not_write_is_told_before_anything_is(
    hub: LocalHub, door: Door, number: int, token: str | None, kind: str, requests: int
) -> None:
    told = door.put(number, token=token)
    assert (told["kind"], bool(told["hint"])) == (kind, True)
    assert len(hub.requests) <= requests
    assert {method for method, _ in hub.requests} <= {"GET"}


def test_a_token_that_turns_out_not_to_write_is_told(hub: LocalHub, door: Door, number: int) -> None:
    hub.fail_with(403, b"{}", on="/comment")
    assert door.put(number)["kind"] == "no-write-right"


def test_a_discussion_that_takes_no_comments_is_told_and_none_is_sent(hub: LocalHub, door: Door, number: int) -> None:
    talk = hub.discussion(MODEL, number)
    kinds = []
    for talk.status, talk.locked in (("closed", False), ("merged", False), ("open", True)):
        kinds.append(door.put(number)["kind"])
    assert kinds == ["discussion-closed", "discussion-closed", "discussion-locked"]
    hub.delete_discussion(MODEL, number)
    assert door.put(number)["kind"] == "no-such-discussion"
    assert {method for method, _ in hub.requests} == {"GET"}


def test_a_comment_that_is_too_long_is_told_and_not_sent(hub: LocalHub, door: Door, number: int) -> None:
    longest = MARKER + "x" * (65_536 - len(MARKER))
    told = door.put(number, longest + "x")
    assert told["message"] == "a comment on the Hugging Face Hub has at most 65,536 characters, and this one has more"
    assert {method for method, _ in hub.requests} == {"GET"}
    assert door.put(number, longest)["outcome"] == "posted"
    astral = MARKER + "\N{GRINNING FACE}" * 32_765
    assert door.put(number, astral)["kind"] == "comment-too-long", "JavaScript counts two for each"


@pytest.mark.parametrize("on", ["/whoami", "/discussions/", "/comment"])
def test_a_rate_limit_ends_it_wherever_it_comes(hub: LocalHub, door: Door, number: int, on: str) -> None:
    hub.fail_with(429, b"", {"Retry-After": "30"}, on=on)
    told = door.put(number)
    assert (told["kind"], told["hint"][:15]) == ("rate-limited", "wait 30 seconds")
    assert len(hub.requests) == len(set(hub.requests)), "something was tried twice"
    hub.recover()
    assert door.put(number)["outcome"] == "posted"
    assert len(texts(hub.discussion(MODEL, number))) == 2


LOST = [
    ("is cut off", Manner(cut=5)),
    ("is reset", Manner(cut=0, resets=True)),
]


@pytest.mark.parametrize("manner", [manner for _, manner in LOST], ids=[name for name, _ in LOST])
def test_a_comment_whose_answer_is_lost_is_found_by_the_next_run(
    hub: LocalHub, door: Door, number: int, manner: Manner
) -> None:
    hub.behave(manner, on="/comment")
    assert door.put(number)["kind"] == "unconfirmed-write"
    assert [method for method, _ in hub.requests].count("POST") == 1
    hub.recover()
    assert door.put(number)["outcome"] == "unchanged"
    assert len(texts(hub.discussion(MODEL, number))) == 2


@pytest.mark.parametrize(
    ("status", "body"), [(HANG_UP, b""), (500, b""), (504, b""), (200, b"<html>"), (200, b"[" * 100_000), (200, b"{}")]
)
def test_an_answer_that_does_not_tell_what_was_done_is_told_as_such(
    hub: LocalHub, door: Door, number: int, status: int, body: bytes
) -> None:
    hub.fail_with(status, body, on="/comment")
    assert door.put(number)["kind"] == "unconfirmed-write"
    assert [method for method, _ in hub.requests].count("POST") == 1


@pytest.mark.parametrize(
    "body",
    [
        b"<html>login to the hotel network</html>",
        b"[]",
        b"[" * 100_000,
        b'{"title": "x"}',
        b" " * 17_000_000 + b"{}",
        b'{"title": "x", "status": "open", "isPullRequest": true, "events": [], "changes": {"base": "refs/heads/../x"}}',
    ],
)
def test_an_answer_that_is_none_of_the_hubs_is_told(hub: LocalHub, door: Door, number: int, body: bytes) -> None:
    hub.fail_with(200, body, on=f"/discussions/{number}")
    assert door.call("discussion", number=number)["kind"] == "malformed-hub-answer"
    assert door.put(number)["kind"] == "malformed-hub-answer"
    hub.fail_with(200, body[:100_000], on="/commits/")
    assert door.call("base_commit", number=number, base="main")["kind"] == "malformed-hub-answer"


def test_a_hub_that_keeps_silent_or_trickles_is_given_up(tmp_path: Path) -> None:
    silent = {
        "whoami": (Manner(delay=60), "/whoami", "hub-unreachable"),
        "details": (Manner(piece=1, pause=0.5), "/discussions/", "hub-too-slow"),
        "comment": (Manner(delay=60), "/comment", "unconfirmed-write"),
        "answer": (Manner(piece=10, pause=60), "/comment", "unconfirmed-write"),
    }
    with ExitStack() as running:
        doors = {}
        for case, (manner, on, _) in silent.items():
            hub = populated(running.enter_context(LocalHub()))
            hub.open_discussion(MODEL)
            hub.behave(manner, on=on)
            doors[case] = running.enter_context(Door(hub.url, tmp_path / case))
        with ThreadPoolExecutor(len(doors)) as pool:
            told = pool.map(lambda door: door.put(1)["kind"], doors.values())
            assert dict(zip(doors, told, strict=True)) == {case: kind for case, (_, _, kind) in silent.items()}


def test_a_hub_that_takes_its_time_to_write_is_waited_for(hub: LocalHub, door: Door, number: int) -> None:
    hub.behave(Manner(delay=9), on="/comment")
    assert door.put(number)["outcome"] == "posted"


def test_the_token_is_sent_to_no_other_host(hub: LocalHub, tmp_path: Path, number: int) -> None:
    with LocalHub() as other, Door(hub.url, tmp_path) as door:
        populated(other).open_discussion(MODEL)
        elsewhere = other.url.replace("127.0.0.1", "localhost")
        hub.fail_with(307, headers={"Location": f"{elsewhere}{API}/discussions/1/comment"}, on="/comment")
        assert "kind" in door.put(number)
        assert set(other.tokens) == {None}
        assert len(texts(other.discussion(MODEL, 1))) == 1


def test_a_model_that_was_renamed_is_written_to_under_its_old_name(hub: LocalHub, door: Door, number: int) -> None:
    hub.move("org/old", MODEL)
    assert door.call("put_comment", target="org/old", number=number, marker=MARKER, body=REPORT)["outcome"] == "posted"


def test_offline_nothing_is_asked(hub: LocalHub, tmp_path: Path, number: int) -> None:
    with Door(hub.url, tmp_path, HF_HUB_OFFLINE="1") as door:
        assert door.put(number)["kind"] == "offline-discussion"
    assert hub.requests == []


def main_of(hub: LocalHub) -> str:
    return hub.add(MODEL, FILES)


def test_changes_become_one_commit_of_a_pull_request(hub: LocalHub, door: Door) -> None:
    base = main_of(hub)
    told = door.propose(base, {"chat_template.jinja": "mended", "config.json": None})
    assert told == {"number": 1, "url": f"{hub.url}/{MODEL}/discussions/1", "is_new": True}
    talk = hub.discussion(MODEL, 1)
    assert (talk.title, talk.author, talk.base) == ("Mend the template", "ann", "main")
    assert texts(talk) == [("ann", f"{MARKER} It was broken.")]
    assert hub.files(MODEL, "refs/pr/1") == {"chat_template.jinja": b"mended"}
    assert door.call("base_commit", number=1, base="main")["commit"] == base
    assert [target.partition("?")[0] for _, target in hub.requests[:4]] == [
        "/api/whoami-v2",
        f"{API}/discussions",
        f"{API}/preupload/{base}",
        f"{API}/commit/main",
    ]


def test_a_second_pull_request_is_not_opened_while_the_first_one_is_open(hub: LocalHub, door: Door) -> None:
    base, changes = main_of(hub), {"chat_template.jinja": "mended"}
    hub.open_pull_request(MODEL, {"a": b"b"}, author="bob", text=MARKER)
    hub.open_pull_request(MODEL, {"a": b"c"}, author="ann", text="by hand")
    first = door.propose(base, changes)
    assert door.propose(base, changes) == {**first, "is_new": False}
    assert sum(target.endswith("create_pr=1") and "/commit/" in target for _, target in hub.requests) == 1
    hub.discussion(MODEL, first["number"]).status = "closed"
    assert door.propose(base, changes)["number"] == first["number"] + 1


def test_a_pull_request_is_found_behind_many_others(hub: LocalHub, door: Door) -> None:
    base, changes = main_of(hub), {"chat_template.jinja": "mended"}
    first = door.propose(base, changes)
    for _ in range(PAGE):
        hub.open_pull_request(MODEL, {"a": b"b"}, "Another matter", author="ann", text=MARKER)
    hub.recover()
    assert door.propose(base, changes) == {**first, "is_new": False}
    assert len(hub.requests) == 4, "whoever it is, two pages, and the one pull request of this title"


def test_what_cannot_be_proposed_is_told_and_leaves_nothing(hub: LocalHub, door: Door) -> None:
    base, changes = main_of(hub), {"chat_template.jinja": "mended"}
    kinds = [
        door.propose(base, {"chat_template.jinja": "{{ messages }}"})["kind"],
        door.propose(base, {"tokenizer.json": "x" * LARGE_UPLOAD})["kind"],
        door.propose(base, changes, target=f"{MODEL}@pr/3")["kind"],
        door.propose(base, changes, target=f"{MODEL}@{base}")["kind"],
        door.propose(base, changes, token=None)["kind"],
        door.propose(base, changes, token="hf_reader")["kind"],
        door.propose("0" * 40, changes)["kind"],
    ]
    hub.fail_with(412, on="/commit/")
    kinds.append(door.propose(base, changes)["kind"])
    assert kinds == [
        "nothing-to-propose",
        "unwritable-file",
        "not-a-branch",
        "not-a-branch",
        "no-token",
        "no-write-right",
        "no-such-revision",
        "pull-request-conflict",
    ]
    assert door.call("discussion", number=1)["kind"] == "no-such-discussion"


def test_a_pull_request_whose_answer_is_lost_is_found_by_the_next_run(hub: LocalHub, door: Door) -> None:
    base, changes = main_of(hub), {"chat_template.jinja": "mended"}
    hub.behave(Manner(cut=5), on="/commit/")
    assert door.propose(base, changes)["kind"] == "unconfirmed-write"
    hub.recover()
    assert door.propose(base, changes) == {"number": 1, "url": f"{hub.url}/{MODEL}/discussions/1", "is_new": False}
