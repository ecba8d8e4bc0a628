"""`tpllint serve-webhook`: a real server, real events over HTTP, and a Hub on this machine that is reviewed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
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
    """A server that runs for a Hub; one pull request may wait while another one is reviewed."""

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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("server")
    (home / "secret").write_text(f"{SECRET}\n")
    with LocalHub() as hub, open(home / "log", "wb") as log:
        hub.add("org/model", FILES)
        hub.add_user(WRITER, "reviewer")
        settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home / "home"), "NO_PROXY": "*", "HF_HUB_OFFLINE": ""}
        port = free_port()
        command = [sys.executable, "-m", "tpllint", "serve-webhook", "--port", str(port), "--queue", "1"]
        process = subprocess.Popen(
            [*command, "--secret-file", str(home / "secret")],
            cwd=home,
            env={**os.environ, **settings, "HF_TOKEN": WRITER},
            stdout=log,
            stderr=log,
        )
        made = Server(hub, port, process, home / "log")
        try:
            until(lambda: process.poll() is not None or "listening" in made.log, STARTED)
            assert process.poll() is None, made.log
            yield made
            assert process.poll() is None, made.log
        finally:
            process.terminate()
            process.wait(30)
        told = made.log
        assert process.returncode == 0, told
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
        (payload("update", "\x1b[31m\nforged"), 200, "ignored: the event is about \x1b[31m\nforged"),
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
    assert start(tmp_path, "--secret-file", "missing").err.startswith("error: missing cannot be read\n")


def test_without_gradio_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "gradio.py").write_text("raise ModuleNotFoundError('No module named gradio')")
    done = start(tmp_path, WEBHOOK_SECRET=SECRET, PYTHONPATH=str(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: a server for webhooks needs gradio, which is not installed\n  help: pip install 'tpllint[webhook]'\n"
    )


def test_a_port_that_is_taken_is_told_and_ctrl_c_ends_it(tmp_path: Path, server: Server) -> None:
    done = start(tmp_path, "--port", str(server.port), WEBHOOK_SECRET=SECRET)
    assert (done.code, done.err.splitlines()[0]) == (2, f"error: port {server.port} of 127.0.0.1 cannot be listened on")
    command = [sys.executable, "-m", "tpllint", "serve-webhook", "--no-comment", "--port", str(free_port())]
    environment = {**os.environ, "WEBHOOK_SECRET": SECRET}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "listening" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.stderr.read().endswith(" ended\n")
    assert process.returncode == 0
