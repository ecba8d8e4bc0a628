"""The loopback Hub sends parts of files as storage services do, and is for huggingface_hub what the real one is."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, DiscussionComment, HfApi
from huggingface_hub.errors import HfHubHTTPError

from tests.local_hub import HANG_UP, LARGE, READ_ONLY, REJECTED_TOKEN, LocalHub, Manner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SMALL = b"0123456789"


def got(hub: LocalHub, path: str, asked: str | None, method: str = "GET") -> tuple[int, str | None, bytes]:
    """The status, the Content-Range and the body of an answer."""
    connection = http.client.HTTPConnection(urlsplit(hub.url).netloc)
    connection.request(method, path, headers={} if asked is None else {"Range": asked})
    answer = connection.getresponse()
    told = answer.status, answer.headers["Content-Range"], answer.read()
    connection.close()
    return told


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (None, (200, None, SMALL)),
        ("bytes=0-3", (206, "bytes 0-3/10", b"0123")),
        ("bytes=7-", (206, "bytes 7-9/10", b"789")),
        ("bytes=7-99", (206, "bytes 7-9/10", b"789")),
        ("bytes=-2", (206, "bytes 8-9/10", b"89")),
        ("bytes=10-", (416, "bytes */10", b"")),
        ("bytes=-", (200, None, SMALL)),
        ("bytes=0-1,3-4", (200, None, SMALL)),
    ],
)
def test_a_part_of_a_file_is_sent_where_it_is_asked_for(asked: str | None, told: tuple[int, str | None, bytes]) -> None:
    with LocalHub() as hub:
        commit = hub.add("org/model", {"small": SMALL})
        assert got(hub, f"/org/model/resolve/{commit}/small", asked) == told
        assert hub.ranges == [asked]
        hub.takes_ranges = False
        assert got(hub, f"/org/model/resolve/{commit}/small", asked) == (200, None, SMALL)


def test_a_stored_file_is_sent_in_parts_by_the_other_host() -> None:
    with LocalHub() as hub:
        commit = hub.add("org/model", {"large": SMALL * LARGE})
        connection = http.client.HTTPConnection(urlsplit(hub.url).netloc)
        connection.request("HEAD", f"/org/model/resolve/{commit}/large")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["X-Linked-Size"]) == (302, str(10 * LARGE))
        stored = urlsplit(answer.headers["Location"])
        connection.close()
        assert stored.netloc == urlsplit(hub.other_url).netloc
        assert got(hub, stored.path, "bytes=5-11") == (206, f"bytes 5-11/{10 * LARGE}", b"5678901")
        assert got(hub, stored.path, "bytes=0-", "HEAD") == (206, f"bytes 0-{10 * LARGE - 1}/{10 * LARGE}", b"")


FILES = {"chat_template.jinja": b"{{ messages }}", "config.json": b"{}"}


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub() as running:
        running.add("org/model", FILES)
        for token, name in (("hf_ann", "ann"), ("hf_bob", "bob"), ("hf_org", "org")):
            running.add_user(token, name)
        running.add_user("hf_reader", "ann", READ_ONLY)
        yield running


def api(hub: LocalHub, token: str | bool = "hf_ann") -> HfApi:
    return HfApi(hub.url, token=token)


def refused(call: Callable[[], object]) -> tuple[int, str]:
    """The status of a refusal and what the Hub says."""
    with pytest.raises(HfHubHTTPError) as caught:
        call()
    return caught.value.response.status_code, caught.value.response.headers.get("X-Error-Message", "")


def test_a_token_tells_who_asks_and_what_it_may_do(hub: LocalHub) -> None:
    told = api(hub, "hf_reader").whoami()
    assert (told["name"], told["auth"]["accessToken"]["role"]) == ("ann", "read")
    assert refused(lambda: api(hub, "hf_nobody").whoami()) == (401, REJECTED_TOKEN)


def test_a_discussion_is_opened_commented_edited_and_closed(hub: LocalHub) -> None:
    talk = api(hub).create_discussion("org/model", "A question", description="Why?")
    assert (talk.num, talk.author, talk.status, talk.is_pull_request, talk.target_branch) == (1, "ann", "open", False, None)
    comment = api(hub, "hf_bob").comment_discussion("org/model", 1, "because")
    edited = api(hub, "hf_bob").edit_discussion_comment("org/model", 1, comment.id, "because of that")
    assert (edited.id, edited.content, edited.edited, edited.author) == (comment.id, "because of that", True, "bob")
    api(hub).change_discussion_status("org/model", 1, "closed")
    seen = api(hub).get_discussion_details("org/model", 1)
    said = [(event.author, event.content) for event in seen.events if isinstance(event, DiscussionComment)]
    assert (seen.status, said) == ("closed", [("ann", "Why?"), ("bob", "because of that")])


def test_only_its_author_edits_a_comment(hub: LocalHub) -> None:
    number = hub.open_discussion("org/model")
    comment = hub.comment("org/model", number, "ann", "mine")
    status, _ = refused(lambda: api(hub, "hf_bob").edit_discussion_comment("org/model", number, comment.id, "yours"))
    assert (status, comment.text) == (403, "mine")


def test_who_may_not_write_is_refused_and_nothing_is_written(hub: LocalHub) -> None:
    number = hub.open_discussion("org/model")

    def status(token: str | bool) -> int:
        return refused(lambda: api(hub, token).comment_discussion("org/model", number, "no"))[0]

    assert [status(token) for token in ("hf_x", "hf_reader", False)] == [401, 403, 401]
    hub.discussion("org/model", number).locked = True
    assert refused(lambda: api(hub).comment_discussion("org/model", number, "no"))[0] == 403
    assert [event.text for event in hub.discussion("org/model", number).comments] == ["Why?"]


def test_a_token_of_nobody_is_refused_once_there_are_users(hub: LocalHub) -> None:
    assert refused(lambda: api(hub, "hf_nobody").model_info("org/model")) == (401, REJECTED_TOKEN)
    assert api(hub, False).model_info("org/model").id == "org/model"


def test_a_comment_that_is_too_long_is_refused(hub: LocalHub) -> None:
    number = hub.open_discussion("org/model")
    api(hub).comment_discussion("org/model", number, "x" * 65_536)
    assert refused(lambda: api(hub).comment_discussion("org/model", number, "x" * 65_537))[0] == 400


def test_a_discussion_that_was_deleted_is_no_more(hub: LocalHub) -> None:
    number = hub.open_pull_request("org/model", {"a": b"b"})
    assert api(hub).get_discussion_details("org/model", number).target_branch == "refs/heads/main"
    hub.delete_discussion("org/model", number)
    assert refused(lambda: api(hub).get_discussion_details("org/model", number))[0] == 404
    assert refused(lambda: api(hub).comment_discussion("org/model", number, "hello"))[0] == 404


def test_discussions_are_listed_by_who_opened_them_and_what_they_are(hub: LocalHub) -> None:
    for number in range(60):
        hub.open_pull_request("org/model", {"a": str(number).encode()}, author="ann" if number % 2 else "bob")
    hub.open_discussion("org/model", author="ann")
    hub.discussion("org/model", 2).status = "closed"
    asked = api(hub).get_repo_discussions("org/model", author="ann", discussion_type="pull_request", discussion_status="open")
    assert [talk.num for talk in asked] == list(range(60, 2, -2))
    assert len(list(api(hub).get_repo_discussions("org/model"))) == 61


def test_a_commit_becomes_a_pull_request(hub: LocalHub) -> None:
    main = api(hub).model_info("org/model").sha
    hub.add("org/model", {**FILES, "later.json": b"{}"})
    made = api(hub).create_commit(
        "org/model",
        [CommitOperationAdd("chat_template.jinja", b"better"), CommitOperationDelete("config.json")],
        commit_message="Mend the template",
        commit_description="It was broken.",
        create_pr=True,
        parent_commit=main,
    )
    assert made.pr_url == f"{hub.url}/org/model/discussions/1"
    talk = api(hub).get_discussion_details("org/model", 1)
    assert (talk.title, talk.author, talk.status, talk.git_reference) == ("Mend the template", "ann", "open", "refs/pr/1")
    assert [file.path for file in api(hub).list_repo_tree("org/model", revision="refs/pr/1")] == ["chat_template.jinja"]
    assert [commit.commit_id for commit in api(hub).list_repo_commits("org/model", revision="refs/pr/1")] == [made.oid, main]
    assert [json.loads(line)["key"] for line in hub.bodies[hub.requests.index(_commit_request())].splitlines()] == [
        "header",
        "file",
        "deletedFile",
    ]


def _commit_request() -> tuple[str, str]:
    return ("POST", "/api/models/org/model/commit/main?create_pr=1")


def test_a_commit_on_something_else_than_the_tip_is_refused(hub: LocalHub) -> None:
    old = api(hub).model_info("org/model").sha
    hub.add("org/model", {"a": b"new"})
    operations = [CommitOperationAdd("a", b"newer")]

    def commit(parent: str | None, token: str, *, create_pr: bool) -> object:
        return api(hub, token).create_commit(
            "org/model", operations, commit_message="More", parent_commit=parent, create_pr=create_pr
        )

    assert refused(lambda: commit(old, "hf_org", create_pr=False))[0] == 412
    assert refused(lambda: commit("0" * 40, "hf_ann", create_pr=True))[0] == 412
    assert refused(lambda: commit(None, "hf_ann", create_pr=False))[0] == 403
    commit(None, "hf_org", create_pr=False)
    assert len(api(hub).list_repo_commits("org/model")) == 3


def test_commits_are_listed_page_by_page_and_a_pull_request_can_be_behind(hub: LocalHub) -> None:
    main = [hub.add("org/model", {"a": str(number).encode()}) for number in range(59)]
    number = hub.open_pull_request("org/model", {"a": b"proposed"}, parent=main[5])
    listed = [commit.commit_id for commit in api(hub).list_repo_commits("org/model")]
    assert listed[:59] == main[::-1]
    assert len(listed) == 60
    assert [target for _, target in hub.requests] == [
        "/api/models/org/model/commits/main",
        "/api/models/org/model/commits/main?p=1&limit=50",
    ]
    proposed = [commit.commit_id for commit in api(hub).list_repo_commits("org/model", revision=f"refs/pr/{number}")]
    assert proposed[1:7] == main[5::-1]
    merged = hub.merge("org/model", number)
    assert api(hub).model_info("org/model").sha == merged
    assert hub.discussion("org/model", number).status == "merged"


def test_a_failure_is_of_one_method_after_some_requests_and_for_some_times(hub: LocalHub) -> None:
    number = hub.open_discussion("org/model")
    hub.fail_with(503, on="/discussions", method="POST", after=1, times=1)
    asked = f"/api/models/org/model/discussions/{number}"

    def status(method: str) -> int:
        return got(hub, asked if method == "GET" else f"{asked}/nothing", None, method)[0]

    assert [status(method) for method in ("GET", "POST", "GET", "POST", "POST")] == [200, 401, 200, 503, 401]


def test_what_was_written_stays_though_the_answer_is_lost(hub: LocalHub) -> None:
    number = hub.open_discussion("org/model")
    hub.behave(Manner(cut=0), on="/comment", times=1)
    with pytest.raises(Exception, match="peer closed"):
        api(hub).comment_discussion("org/model", number, "kept")
    hub.fail_with(HANG_UP, on="/comment", times=1)
    with pytest.raises(Exception, match="disconnected"):
        api(hub).comment_discussion("org/model", number, "lost")
    api(hub).comment_discussion("org/model", number, "said")
    assert [event.text for event in hub.discussion("org/model", number).comments] == ["Why?", "kept", "said"]


def test_requests_with_bodies_share_a_connection(hub: LocalHub) -> None:
    connection = http.client.HTTPConnection(urlsplit(hub.url).netloc)
    for number in range(1, 4):
        body = json.dumps({"title": f"Question {number}", "description": "x" * 60_000})
        connection.request("POST", "/api/models/org/model/discussions", body, {"Authorization": "Bearer hf_ann"})
        assert json.loads(connection.getresponse().read())["num"] == number
    connection.close()
