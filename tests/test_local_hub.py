"""The loopback Hub sends parts of files as storage services do."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest

from tests.local_hub import LARGE, LocalHub

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
