"""GGUF files on the Hub: the head by ranges, from servers that keep to the protocol and from others."""

from __future__ import annotations

import contextlib
import io
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.command import tpllint
from tests.gguf_model import CHATML, write_gguf
from tests.local_hub import LARGE, LocalHub
from tpllint.errors import RepairableError
from tpllint.sources.gguf import read_metadata
from tpllint.sources.hub_ranges import FIRST_BLOCK, RangedFile
from tpllint.sources.hub_target import HubTarget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TARGET = HubTarget("org/model", None)
CONTENT = bytes(range(256)) * 12_000
HEADERS = {"authorization": "Bearer secret", "user-agent": "tpllint"}


class Storage:
    """A server of one file; `mode` is how it deals with ranges."""

    def __init__(self, mode: str = "honest", content: bytes = CONTENT) -> None:
        self.mode = mode
        self.content = content
        self.asked: list[tuple[str, str | None, str | None]] = []
        self.sent = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("_Bound", (_Handler,), {"storage": self}))
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Storage:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    storage: Storage
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        storage = self.storage
        storage.asked.append((self.path, self.headers.get("Range"), self.headers.get("Authorization")))
        if self.path in ("/elsewhere", "/here", "/loop", "/file-scheme"):
            places = {"/elsewhere": f"http://localhost:{storage.port}/file", "/here": "/file", "/loop": "/loop"}
            self._answer(302, {"Location": places.get(self.path, "file:///etc/passwd")}, b"")
            return
        first, last = map(int, re.findall("[0-9]+", self.headers["Range"]))
        body, size = storage.content[first : last + 1], len(storage.content)
        told = f"bytes {first}-{first + len(body) - 1}/{size}"
        match storage.mode:
            case "ignores":
                self._answer(200, {}, storage.content)
            case "ignores-later" if first:
                self._answer(200, {}, storage.content)
            case "other-place":
                self._answer(206, {"Content-Range": f"bytes {first + 1}-{last}/{size}"}, body[1:])
            case "more-than-asked":
                self._answer(206, {"Content-Range": f"bytes {first}-{last + 1}/{size}"}, storage.content[first : last + 2])
            case "other-length":
                self._answer(206, {"Content-Range": told}, body[:-1])
            case "no-range":
                self._answer(206, {}, body)
            case "refuses":
                self._answer(403, {}, b"")
            case _:
                self._answer(206, {"Content-Range": told}, body)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            for start in range(0, len(body), 65_536):
                self.wfile.write(body[start : start + 65_536])
                self.storage.sent += 65_536

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client(follow_redirects=True, trust_env=False) as client:
        yield client


def read_all(file: RangedFile) -> bytes:
    with contextlib.closing(file):
        return b"".join(iter(lambda: file.read(100_000), b""))


@pytest.mark.parametrize("mode", ["honest", "ignores"])
def test_a_file_is_read_whole_in_growing_blocks_or_as_it_comes(client: httpx2.Client, mode: str) -> None:
    with Storage(mode) as storage:
        assert read_all(RangedFile(client, TARGET, f"{storage.url}/file", HEADERS)) == CONTENT
    assert [asked[1] for asked in storage.asked] == ["bytes=0-999999", "bytes=1000000-2999999", "bytes=3000000-3071999"][
        : 3 if mode == "honest" else 1
    ]


def test_only_the_head_is_fetched(client: httpx2.Client) -> None:
    with Storage() as storage:
        file = RangedFile(client, TARGET, f"{storage.url}/file", HEADERS)
        assert file.read(4) == CONTENT[:4]
        file.close()
    assert [asked[1] for asked in storage.asked] == [f"bytes=0-{FIRST_BLOCK - 1}"]


def test_a_server_that_sends_it_all_is_cut_off(client: httpx2.Client) -> None:
    with Storage("ignores", b"x" * 200_000_000) as storage:
        file = RangedFile(client, TARGET, f"{storage.url}/file", HEADERS)
        assert file.read(4) == b"xxxx"
        file.close()
    assert storage.sent < 100_000_000


@pytest.mark.parametrize(("path", "token"), [("/here", "Bearer secret"), ("/elsewhere", None)])
def test_another_host_does_not_see_the_token(client: httpx2.Client, path: str, token: str | None) -> None:
    with Storage() as storage:
        assert read_all(RangedFile(client, TARGET, f"{storage.url}{path}", HEADERS)) == CONTENT
    assert [(asked[0], asked[2]) for asked in storage.asked] == [(path, "Bearer secret"), *[("/file", token)] * 3]


@pytest.mark.parametrize("mode", ["other-place", "more-than-asked", "other-length", "no-range", "ignores-later"])
def test_a_server_that_lies_about_ranges_is_told(client: httpx2.Client, mode: str) -> None:
    with Storage(mode) as storage, pytest.raises(RepairableError) as told:
        read_all(RangedFile(client, TARGET, f"{storage.url}/file", HEADERS))
    assert told.value.kind == "malformed-hub-answer"


@pytest.mark.parametrize(("path", "kind"), [("/loop", "malformed-hub-answer"), ("/file-scheme", "malformed-hub-answer")])
def test_a_redirect_that_leads_nowhere_is_told(client: httpx2.Client, path: str, kind: str) -> None:
    with Storage() as storage, pytest.raises(RepairableError) as told:
        read_all(RangedFile(client, TARGET, f"{storage.url}{path}", HEADERS))
    assert told.value.kind == kind


def test_a_refusal_is_told(client: httpx2.Client) -> None:
    with Storage("refuses") as storage, pytest.raises(RepairableError) as told:
        read_all(RangedFile(client, TARGET, f"{storage.url}/file", HEADERS))
    assert told.value.kind == "forbidden-repository"


def test_the_weights_behind_a_header_are_never_asked_for(client: httpx2.Client, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", vocabulary=[f"token {number}" for number in range(100_000)])
    content = path.read_bytes() + b"weights!" * 2_000_000
    with Storage(content=content) as storage:
        file = RangedFile(client, TARGET, f"{storage.url}/file", HEADERS)
        metadata = read_metadata(file)
        file.close()
    assert metadata == read_metadata(io.BytesIO(content))
    assert len(storage.asked) == 2


@pytest.mark.parametrize("large", [False, True])
def test_a_repository_of_gguf_files_is_checked(tmp_path: Path, large: bool) -> None:
    files = {
        "README.md": b"x",
        "model-Q8.gguf": b"not this one",
        "model-Q4.gguf": write_gguf(tmp_path / "m.gguf", CHATML.replace("m.role", "m.role | nope")).read_bytes(),
    }
    if large:
        files["model-Q4.gguf"] += b"w" * LARGE
    with LocalHub() as hub:
        commit = hub.add("org/model", files)
        settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "NO_PROXY": "*", "HF_TOKEN": "hf_secret"}
        done = tpllint("check", "org/model", "--output-format", "json", cwd=tmp_path, env=settings)
    (found,) = done.json()["findings"]
    assert (found["rule"], found["path"]) == ("unknown-filter-or-test", f"org/model@{commit}:model-Q4.gguf")
    assert done.json()["targets"][0]["note"] == "the chat template was read from model-Q4.gguf, the first of 2 .gguf files"
    stored = [token for (_, path), token in zip(hub.requests, hub.tokens, strict=True) if path.startswith("/stored/")]
    assert stored == ([None] if large else [])


def test_a_gguf_file_in_the_cache_makes_no_request(tmp_path: Path) -> None:
    content = write_gguf(tmp_path / "m.gguf").read_bytes()
    with LocalHub() as hub:
        commit = hub.add("org/model", {"m.gguf": content})
        snapshot = tmp_path / "home" / "hub" / "models--org--model" / "snapshots" / commit
        snapshot.mkdir(parents=True)
        (snapshot / "m.gguf").write_bytes(content)
        settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "NO_PROXY": "*"}
        assert tpllint("check", "org/model", cwd=tmp_path, env=settings).code == 0
        assert not [path for _, path in hub.requests if "resolve" in path]
        offline = tpllint("check", f"org/model@{commit}", "--offline", cwd=tmp_path, env=settings)
    assert (offline.code, offline.out.splitlines()[-1]) == (0, "no findings in 1 template")


def settings_of(hub: LocalHub, folder: Path) -> dict[str, str]:
    return {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "home"), "NO_PROXY": "*", "HF_TOKEN": ""}


def test_an_empty_or_cut_file_is_a_finding_and_no_error_of_the_hub(tmp_path: Path) -> None:
    with LocalHub() as hub:
        hub.add("org/empty", {"empty.gguf": b""})
        hub.add("org/cut", {"cut.gguf": write_gguf(tmp_path / "m.gguf").read_bytes()[:200]})
        run = ("check", "org/empty", "org/cut", "--output-format", "json")
        done = tpllint(*run, cwd=tmp_path, env=settings_of(hub, tmp_path))
    assert {finding["target"]: finding["message"] for finding in done.json()["findings"]} == {
        "org/empty": "empty.gguf is too short for a GGUF file",
        "org/cut": "cut.gguf ends inside the value of tokenizer.ggml.tokens",
    }


def test_nothing_beside_a_gguf_file_is_fetched_for_its_rules(tmp_path: Path) -> None:
    misspelled = CHATML.replace("<|im_start|>assistant", "<|im_stant|>assistant")
    held = write_gguf(tmp_path / "m.gguf", misspelled).read_bytes()
    with LocalHub() as hub:
        commit = hub.add("org/model", {"m.gguf": held, "tokenizer.json": b"{}"})
        done = tpllint("check", "org/model", cwd=tmp_path, env=settings_of(hub, tmp_path))
        assert "there is no tokenizer.json that tells the token ids" in done.out, "a rule has asked"
        asked = [path for _, path in hub.requests if "resolve" in path]
    assert asked == [f"/org/model/resolve/{commit}/m.gguf"]


def test_a_prompt_of_a_gguf_file_is_reproduced_with_the_template_itself(tmp_path: Path) -> None:
    held = write_gguf(tmp_path / "m.gguf").read_bytes()
    with LocalHub() as hub:
        hub.add("org/model", {"m.gguf": held})
        for target in ("m.gguf", "org/model", f"{hub.url}/org/model/blob/main/m.gguf"):
            done = tpllint("render", "-v", target, "--canonical", "user", cwd=tmp_path, env=settings_of(hub, tmp_path))
            assert f"template = {CHATML!a}\n" in done.out + done.err
