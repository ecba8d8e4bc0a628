"""`tpllint serve-webhook`: a real server, real events over HTTP, and a Hub on this machine that is reviewed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.command import Done, tpllint
from tests.local_hub import LocalHub, Manner
from tests.small_tokenizer import CHATML
from tests.webhook_payloads import discussed, payload, pushed
from tpllint.reviewing import MARKER
from tpllint.webhook import MAX_PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WRITER, SECRET = "hf_Wr1ter", "wh-s3cret"
FILES = {"chat_template.jinja": CHATML.encode(), "tokenizer_config.json": b'{"eos_token": "<|im_end|>"}'}
MUTE = {**FILES, "chat_template.jinja": CHATML.split("{% if add_generation_prompt %}")[0].encode()}
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
STARTED, REVIEWED = 90, 60
"""Seconds that the libraries of the server may take to import, and a review to run, on a machine that others use as well."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(true: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


class Server(NamedTuple):
    """A server that runs for a Hub."""

    hub: LocalHub
    port: int
    process: subprocess.Popen[bytes]
    lines: Path

    @property
    def log(self) -> str:
        return self.lines.read_text(encoding="utf-8")

    def post(self, told: object, secret: str | None = SECRET, path: str = "/webhooks/review") -> tuple[int, str]:
        """Send an event, and return the status and what is said."""
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        headers = {"Content-Type": "application/json"} | ({} if secret is None else {"X-Webhook-Secret": secret})
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers)
        try:
            with DIRECT.open(request, timeout=20) as answer:
                return answer.status, json.load(answer)["said"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, str(json.load(error).get("said"))

    def reviewed(self, number: int, times: int = 1) -> None:
        """Wait until this pull request has been reviewed so often."""
        until(lambda: len(re.findall(rf" org/model {number}: ", self.log)) >= times, REVIEWED)


@contextlib.contextmanager
def hub_with_a_model() -> Iterator[LocalHub]:
    with LocalHub() as hub:
        hub.add("org/model", FILES)
        hub.add_user(WRITER, "reviewer")
        yield hub


@contextlib.contextmanager
def serving(home: Path, *arguments: str, **more: str) -> Iterator[Server]:
    """A server that listens; what it does not end by itself is ended behind it."""
    with hub_with_a_model() as hub, open(home / "log", "wb") as log:
        settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home / "home"), "NO_PROXY": "*", "HF_HUB_OFFLINE": ""}
        settings |= {"HF_TOKEN": WRITER, "WEBHOOK_SECRET": SECRET}
        settings |= {name: value.replace("<the Hub>", hub.url) for name, value in more.items()}
        port = free_port()
        command = [sys.executable, "-m", "tpllint", "serve-webhook", "--port", str(port), *arguments]
        with subprocess.Popen(command, cwd=home, env={**os.environ, **settings}, stdout=log, stderr=log) as process:
            made = Server(hub, port, process, home / "log")
            try:
                until(lambda: process.poll() is not None or "listening" in made.log, STARTED)
                assert process.poll() is None, made.log
                yield made
            finally:
                process.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One where a single pull request may wait while another one is reviewed."""
    home = tmp_path_factory.mktemp("server")
    (home / "secret").write_text(f"{SECRET}\n")
    with serving(home, "--queue", "1", "--secret-file", str(home / "secret"), WEBHOOK_SECRET="") as made:
        yield made
        assert made.process.poll() is None, made.log
        made.process.terminate()
        assert made.process.wait(30) == 0, made.log
        told = made.log
        assert told.endswith(" ended\n")
        assert not re.search("Traceback|defect|gradio", told)
        assert WRITER not in told
        assert SECRET not in told


@pytest.fixture(autouse=True)
def _calm(request: pytest.FixtureRequest) -> Iterator[None]:
    """Nothing of one test is left for the next one."""
    yield
    if "server" in request.fixturenames:
        request.getfixturevalue("server").hub.recover()


def comments(server: Server, number: int) -> list[str]:
    return [event.text for event in server.hub.discussion("org/model", number).comments if event.author == "reviewer"]


def test_a_pull_request_is_reviewed_once_for_two_events(server: Server) -> None:
    number = server.hub.open_pull_request("org/model", MUTE)
    assert server.post(discussed(number)) == (202, f"queued: org/model {number}")
    server.reviewed(number)
    assert [text.startswith(MARKER) for text in comments(server, number)] == [True]
    assert server.post(pushed(f"refs/pr/{number}"))[0] == 202
    server.reviewed(number, times=2)
    assert len(comments(server, number)) == 1
    assert re.search(rf"^\S+ org/model {number}: exit code 0, comment posted: \S+$", server.log, re.MULTILINE)
    assert re.search(rf"^\S+ org/model {number}: exit code 0, comment unchanged: \S+$", server.log, re.MULTILINE)


@pytest.mark.parametrize(("secret", "status"), [(None, 401), ("", 403), ("wh-s3cre", 403), (f"{SECRET}x", 403), ("\xe9", 403)])
def test_whoever_does_not_know_the_secret_is_turned_away(server: Server, secret: str | None, status: int) -> None:
    number = server.hub.open_pull_request("org/model", MUTE)
    server.hub.recover()
    assert server.post(discussed(number), secret)[0] == status
    assert server.post(b"{", secret)[0] == status, "before the payload is read"
    assert server.hub.requests == []


def test_nobody_can_log_in_to_what_the_library_offers(server: Server) -> None:
    assert server.post(b"", path="/gradio_api/upload")[0] in (401, 404, 405)


@pytest.mark.parametrize(
    ("told", "status", "said"),
    [
        (discussed(1, isPullRequest=False), 200, "ignored: the discussion is not a pull request"),
        (discussed(1, "discussion.comment", comment=f"{MARKER}\n"), 200, "ignored: the comment is a review"),
        (payload("update", "\x1b[31m\nforged"), 200, r"ignored: the event is about \u{1b}[31m\nforged"),
        (payload("update", "half \ud83d"), 200, r"ignored: the event is about half \u{d83d}"),
        (payload("update", "x" * 1000), 200, f"ignored: the event is about {'x' * 372}..."),
        (b"{", 400, "the payload of the webhook cannot be used: it is not JSON"),
        (b"\xff", 400, "the payload is not UTF-8"),
        (b" " * (MAX_PAYLOAD + 1), 413, "the payload is too long"),
    ],
)
def test_other_events_are_answered_and_reviewed_by_nobody(server: Server, told: Any, status: int, said: str) -> None:
    server.hub.recover()
    assert server.post(told) == (status, said)
    assert server.hub.requests == []
    assert not re.search("^forged|\x1b", server.log, re.MULTILINE)


def test_the_queue_is_bounded_and_holds_a_pull_request_once(server: Server) -> None:
    first, second, third = (server.hub.open_pull_request("org/model", MUTE) for _ in range(3))
    server.hub.recover()
    server.hub.behave(Manner(delay=4), on=f"/discussions/{first}", method="GET")
    assert server.post(discussed(first))[0] == 202
    until(lambda: server.hub.requests, REVIEWED)
    assert server.post(discussed(second))[0] == 202
    assert server.post(discussed(second))[0] == 202, "it waits already"
    assert server.post(discussed(third)) == (503, f"the queue is full: org/model {third}")
    server.reviewed(second)
    assert [len(comments(server, number)) for number in (first, second, third)] == [1, 1, 0]
    assert len(re.findall(rf" org/model {second}: ", server.log)) == 1


def test_of_a_push_of_many_pull_requests_those_that_fit_are_reviewed(server: Server) -> None:
    first, second, third = (server.hub.open_pull_request("org/model", MUTE) for _ in range(3))
    told = server.post(pushed(*(f"refs/pr/{number}" for number in (first, second, third))))
    assert told == (503, f"the queue is full: org/model {second}, {third}; queued: org/model {first}")
    server.reviewed(first)
    assert [len(comments(server, number)) for number in (first, second, third)] == [1, 0, 0]


def test_a_sender_who_hangs_up_takes_one_line(server: Server) -> None:
    before = server.log
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        head = f"POST /webhooks/review HTTP/1.1\r\nHost: here\r\nX-Webhook-Secret: {SECRET}\r\nContent-Length: 100\r\n\r\n"
        connection.sendall(head.encode() + b'{"event"')
    until(lambda: server.log != before, REVIEWED)
    assert server.post(b"{")[0] == 400
    first, _ = server.log.removeprefix(before).splitlines()
    assert first.endswith(" the sender hung up before the end")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits another process")
def test_a_review_that_cannot_be_started_is_logged_and_the_next_one_runs(server: Server) -> None:
    first, second = (server.hub.open_pull_request("org/model", MUTE) for _ in range(2))
    usual = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    with contextlib.closing(HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        connection.connect()
        connection.request("POST", "/webhooks/review", b"{", {"X-Webhook-Secret": SECRET})
        connection.getresponse().read()
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (3, usual[1]))
        try:
            connection.request("POST", "/webhooks/review", json.dumps(discussed(first)), {"X-Webhook-Secret": SECRET})
            assert connection.getresponse().read()
            server.reviewed(first)
        finally:
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, usual)
    assert f" org/model {first}: not reviewed: no process can be started: too many open files\n" in server.log
    server.post(discussed(second))
    server.reviewed(second)
    assert len(comments(server, second)) == 1


def test_a_review_that_fails_is_logged_and_the_next_one_runs(server: Server) -> None:
    gone, number = (server.hub.open_pull_request("org/model", MUTE) for _ in range(2))
    server.hub.delete_discussion("org/model", gone)
    server.post(discussed(gone))
    server.reviewed(gone)
    assert re.search(rf"^\S+ org/model {gone}: exit code 2, error: .+$", server.log, re.MULTILINE)
    server.post(discussed(number))
    server.reviewed(number)
    assert len(comments(server, number)) == 1


def start(cwd: Path, *arguments: str, **settings: str) -> Done:
    return tpllint("serve-webhook", *arguments, cwd=cwd, env={"WEBHOOK_SECRET": "", **settings})


def test_without_a_secret_it_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    for arguments in ((), ("--secret-file", "empty")):
        done = start(tmp_path, *arguments)
        assert (done.code, done.err.splitlines()[0]) == (2, "error: there is no secret by which the Hub is known")


def test_a_file_that_holds_no_secret_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "long").write_text("x" * 1001)
    (tmp_path / "latin").write_bytes(b"\xe9")
    told = {name: start(tmp_path, "--secret-file", name).err.splitlines()[0] for name in ("missing", "pipe", "long", "latin")}
    assert told == {
        "missing": "error: no such file: missing",
        "pipe": "error: not a regular file: pipe",
        "long": "error: long holds no secret but a long text",
        "latin": "error: latin is not UTF-8",
    }


def test_without_gradio_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "gradio.py").write_text("raise ModuleNotFoundError('No module named gradio')")
    done = start(tmp_path, WEBHOOK_SECRET=SECRET, PYTHONPATH=str(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: a server for webhooks needs gradio, which is not installed\n  help: pip install 'tpllint[webhook]'\n"
    )


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("", "host '' cannot be listened on: it is empty"),
        ("a..b", "host a..b cannot be listened on: "),
        ("fe80::1%eth0", "host fe80::1%eth0 cannot be listened on: an address with a zone is not supported"),
        ("name.invalid", "host name.invalid cannot be listened on: "),
        ("192.0.2.1", "host 192.0.2.1 cannot be listened on: "),
    ],
)
def test_a_host_that_cannot_be_listened_on_is_told_once(tmp_path: Path, host: str, reason: str) -> None:
    done = start(tmp_path, "--host", host, "--port", str(free_port()), WEBHOOK_SECRET=SECRET)
    first, second = done.err.splitlines()
    assert (done.code, first.startswith(f"error: {reason}"), second.startswith("  help: ")) == (2, True, True), done.err


def test_a_port_that_is_taken_is_told_once(tmp_path: Path, server: Server) -> None:
    done = start(tmp_path, "--port", str(server.port), WEBHOOK_SECRET=SECRET)
    taken = f"error: port {server.port} of 127.0.0.1 cannot be listened on: address already in use"
    assert (done.code, done.err.splitlines()) == (2, [taken, "  help: choose another --port"])


def test_it_listens_on_an_address_of_ipv6(tmp_path: Path) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    with serving(tmp_path, "--host", "::1") as server:
        assert f" listening: POST http://[::1]:{server.port}/webhooks/review\n" in server.log
        with contextlib.closing(HTTPConnection("::1", server.port, timeout=20)) as connection:
            connection.request("POST", "/webhooks/review", b"{", {"X-Webhook-Secret": SECRET})
            assert connection.getresponse().status == 400


def test_a_secret_may_be_written_in_any_encoding(tmp_path: Path) -> None:
    with serving(tmp_path, WEBHOOK_SECRET="caf\udce9") as server:
        assert [server.post(b"{", secret)[0] for secret in ("caf\xe9", "caf\xe8")] == [400, 403]


def test_a_proxy_is_for_reviews_and_not_for_the_server_itself(tmp_path: Path) -> None:
    names = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
    settings = {**dict.fromkeys(names, "<the Hub>"), "NO_PROXY": "", "no_proxy": "", "HF_ENDPOINT": "http://hub.invalid"}
    with serving(tmp_path, "--no-comment", **settings) as server:
        assert server.hub.requests == []
        server.post(discussed(1))
        server.reviewed(1)
        assert server.hub.requests
        assert all(target.startswith("http://hub.invalid/") for _, target in server.hub.requests)


def processes(group: int) -> list[str]:
    """The processes of a group that run."""
    listed = subprocess.run(["ps", "-A", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if line.split()[0] == str(group) and not line.split()[1].startswith("Z")]


def review_of(server: Server) -> int:
    """The process that reviews; it leads a group."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    (found,) = [int(line.split()[0]) for line in listed.splitlines() if line.split()[1] == str(server.process.pid)]
    return found


BURST = """
import os, signal, sys

install, left = signal.signal, [signal.SIGTERM, signal.SIGINT] * 10

def again(frame, event, argument):
    if left:
        os.kill(os.getpid(), left.pop())

def signal_with_more(number, handler):
    def handle(*told):
        sys.setprofile(again)
        handler(*told)

    return install(number, handle if callable(handler) else handler)

signal.signal = signal_with_more
"""
"""Python runs this when it starts: while a signal is handled, further ones come at each call of a function."""


def test_signals_that_follow_one_another_end_it_with_the_review_that_runs(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BURST)
    with serving(tmp_path, PYTHONPATH=os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])) as server:
        number = server.hub.open_pull_request("org/model", MUTE)
        server.hub.recover()
        server.hub.behave(Manner(delay=60), on=f"/discussions/{number}", method="GET")
        server.post(discussed(number))
        until(lambda: server.hub.requests, REVIEWED)
        review = review_of(server)
        assert processes(review)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(30) == 0
        assert server.log.endswith(" ended\n")
        assert processes(review) == []


def test_without_anybody_who_reads_its_log_it_goes_on(tmp_path: Path) -> None:
    with hub_with_a_model() as hub:
        numbers = [hub.open_pull_request("org/model", MUTE) for _ in range(2)]
        settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "NO_PROXY": "*", "HF_HUB_OFFLINE": ""}
        environment = {**os.environ, **settings, "HF_TOKEN": WRITER, "WEBHOOK_SECRET": SECRET}
        port = free_port()
        command = [sys.executable, "-m", "tpllint", "serve-webhook", "--port", str(port)]
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            try:
                assert b"listening" in process.stderr.readline()
                process.stderr.close()
                server = Server(hub, port, process, tmp_path)
                for number in numbers:
                    assert server.post(discussed(number))[0] == 202
                    until(lambda number=number: comments(server, number), REVIEWED)  # type: ignore[misc]
                process.terminate()
                assert process.wait(30) == 0
            finally:
                process.kill()


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    with serving(tmp_path, "--no-comment") as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(30) == 0
        assert server.log.endswith(" ended\n")
