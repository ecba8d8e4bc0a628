"""The door to the Hub, driven through the real client library against a real server on this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.local_hub import HANG_UP, REJECTED_TOKEN, LocalHub, Manner
from tpllint.errors import RepairableError
from tpllint.sources.hub_target import HubTarget, parse_hub_target

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
CONFIG = b'{"bos_token": "<s>"}'
TEMPLATE = b"{{ messages }}"

DRIVER = """
import json, sys
from tpllint.errors import RepairableError
from tpllint.sources.hub import fetch
from tpllint.errors import RepairableError
from tpllint.sources.hub_target import parse_hub_target
assert "huggingface_hub" not in sys.modules
for line in sys.stdin:
    call = json.loads(line)
    argument = call.pop("argument")
    try:
        got = fetch(argument, parse_hub_target(argument), **call)
        told = {"files": {file.name: file.data.decode() for file in got.files.values()},
                "shown": [file.shown for file in got.files.values()],
                "unread": {file.name: file.reason for file in got.unread},
                "target": got.target, "origin": got.origin, "focus": sorted(got.focus), "listing": got.listing}
    except RepairableError as error:
        told = {"kind": error.kind, "message": error.message, "hint": error.hint}
    print(json.dumps(told), flush=True)
"""


@dataclass(frozen=True)
class Outcome:
    """What one call of `fetch` brought: files, or the error."""

    files: dict[str, str] = field(default_factory=dict)
    shown: list[str] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    target: str = ""
    origin: str = ""
    focus: list[str] = field(default_factory=list)
    listing: list[str] = field(default_factory=list)
    kind: str = ""
    message: str = ""
    hint: str = ""


class Tpllint:
    """A process that calls `fetch`: huggingface_hub reads its environment once, when it is imported."""

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

    def fetch(self, argument: str, **options: Any) -> Outcome:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        deadline = threading.Timer(20, self._process.kill)
        deadline.start()
        self._process.stdin.write(json.dumps({"argument": argument, **options}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        deadline.cancel()
        assert line, "no answer within 20 seconds"
        return Outcome(**json.loads(line))

    def __enter__(self) -> Tpllint:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        out, err = self._process.communicate(timeout=20)
        if kind is None:
            assert out + err == "", "progress bars, warnings or tracebacks reached the terminal"


@pytest.fixture(scope="module")
def server() -> Iterator[LocalHub]:
    with LocalHub() as running:
        yield running


@pytest.fixture
def hub(server: LocalHub) -> Iterator[LocalHub]:
    server.recover()
    yield server
    server.recover()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def tpllint(server: LocalHub, home: Path) -> Iterator[Tpllint]:
    with Tpllint(server.url, home) as running:
        yield running


@pytest.mark.parametrize(
    ("argument", "target"),
    [
        ("org/model", HubTarget("org/model", None)),
        ("hf:org/model", HubTarget("org/model", None)),
        ("hf:gpt2", HubTarget("gpt2", None)),
        ("hf:gpt2@v1.0", HubTarget("gpt2", "v1.0")),
        ("org/model@feature/x", HubTarget("org/model", "feature/x")),
        ("org/model@fix.json", HubTarget("org/model", "fix.json")),
        ("org/model@pr/3", HubTarget("org/model", "refs/pr/3")),
        ("org/model@refs/pr/3", HubTarget("org/model", "refs/pr/3")),
        ("hf:org/model.json", HubTarget("org/model.json", None)),
    ],
)
def test_a_model_on_the_hub_is_recognised_by_its_form(argument: str, target: HubTarget) -> None:
    assert parse_hub_target(argument) == target


@pytest.mark.parametrize(
    "argument",
    [
        "gpt2",
        "./org/model",
        "../model",
        "/org/model",
        "org/model/file",
        "org/model@",
        "org/model@../x",
        "org/model@a/../b",
        "org/model@a//b",
        "org/model@pr/3\n",
        "org/mödel",
        "templates/chat.jinja",
        "model/tokenizer_config.json",
        "hf:",
        "-",
        "",
    ],
)
def test_what_is_no_model_on_the_hub_is_left_to_others(argument: str) -> None:
    assert parse_hub_target(argument) is None


def test_only_the_small_files_are_requested_and_by_commit(hub: LocalHub, tpllint: Tpllint) -> None:
    files = {
        "tokenizer_config.json": CONFIG,
        "chat_template.jinja": TEMPLATE,
        "additional_chat_templates/tool_use.jinja": b"tools",
        "additional_chat_templates/deeper/x.jinja": b"no",
        "additional_chat_templates/notes.txt": b"no",
        "model.safetensors": b"no",
        "README.md": b"no",
        "sub/chat_template.jinja": b"no",
    }
    commit = hub.add("org/small", files)
    got = tpllint.fetch("org/small")
    names = ["tokenizer_config.json", "chat_template.jinja", "additional_chat_templates/tool_use.jinja"]
    assert got.files == {name: files[name].decode() for name in names}
    assert got.shown == [f"org/small@{commit}:{name}" for name in names]
    assert (got.target, got.origin, got.unread) == ("org/small", "org/small", {})
    downloads = [(method, f"/org/small/resolve/{commit}/{name}") for name in names for method in ("GET", "HEAD")]
    assert hub.requests[0] == ("GET", "/api/models/org/small?blobs=true")
    assert sorted(hub.requests[1:]) == sorted(downloads)


def test_the_second_run_asks_once_what_a_branch_is_and_nothing_about_a_commit(hub: LocalHub, tpllint: Tpllint) -> None:
    commit = hub.add("org/twice", {"chat_template.jinja": TEMPLATE, "generation_config.json": b"{}", "model.gguf": b"weights"})
    first = tpllint.fetch("org/twice")
    hub.requests.clear()
    again = tpllint.fetch("org/twice")
    assert (again.files, again.listing) == (first.files, first.listing)
    assert hub.requests == [("GET", "/api/models/org/twice?blobs=true")]
    hub.requests.clear()
    for url in (f"org/twice@{commit}", f"{hub.url}/org/twice/commit/{commit}", f"{hub.url}/org/twice/tree/{commit}/"):
        known = tpllint.fetch(url)
        assert (known.files, known.shown, known.listing) == (first.files, first.shown, first.listing)
    assert hub.requests == []


def test_of_a_known_commit_only_what_was_never_asked_for_is_downloaded(hub: LocalHub, tpllint: Tpllint) -> None:
    commit = hub.add("org/later", {"chat_template.jinja": TEMPLATE, "tokenizer.json": b"{}"})
    tpllint.fetch("org/later")
    hub.requests.clear()
    assert list(tpllint.fetch(f"org/later@{commit}", more=("tokenizer.json", "README.md")).files) == [
        "chat_template.jinja",
        "tokenizer.json",
    ]
    assert hub.requests == [(method, f"/org/later/resolve/{commit}/tokenizer.json") for method in ("HEAD", "GET")]


def test_a_listing_that_was_not_kept_as_it_was_written_is_asked_for_again(hub: LocalHub, tpllint: Tpllint, home: Path) -> None:
    commit = hub.add("org/damaged", {"chat_template.jinja": TEMPLATE})
    first = tpllint.fetch("org/damaged")
    (kept,) = (home / "assets" / "tpllint" / "org--damaged").rglob("*.json")
    whole = json.loads(kept.read_text())
    for damaged in (
        b"",
        b"[" * 100_000,
        b"\xff",
        b"[]",
        json.dumps({**whole, "format": 2}).encode(),
        json.dumps({**whole, "commit": "0" * 40}).encode(),
        json.dumps({**whole, "sizes": {"chat_template.jinja": "5"}}).encode(),
        json.dumps({**whole, "sizes": {"../chat_template.jinja": 5}}).encode(),
        json.dumps({**whole, "sizes": {f"{number}.bin": None for number in range(200_000)}}).encode(),
    ):
        kept.write_bytes(damaged)
        hub.requests.clear()
        assert tpllint.fetch(f"org/damaged@{commit}") == replace(first, target=f"org/damaged@{commit}")
        assert hub.requests == [("GET", f"/api/models/org/damaged/revision/{commit}?blobs=true")]
        kept.unlink(missing_ok=True)


def test_a_place_where_no_listing_can_be_kept_does_not_matter(hub: LocalHub, tmp_path: Path) -> None:
    commit = hub.add("org/model", {"chat_template.jinja": TEMPLATE})
    (tmp_path / "file").write_text("in the way")
    with Tpllint(hub.url, tmp_path, HF_ASSETS_CACHE=str(tmp_path / "file")) as tpllint:
        for _ in range(2):
            assert tpllint.fetch(f"org/model@{commit}").files == {"chat_template.jinja": TEMPLATE.decode()}


def test_a_listing_names_what_else_is_there_in_plain_words_and_within_bounds(hub: LocalHub, tpllint: Tpllint) -> None:
    odd = ["../up", "/etc/passwd", "a\x1b[31m", "a\u202eb", ".gitattributes", "x" * 121, "a//b", "/".join("abcdefghi")]
    plain = ["additional_chat_templates/rag.jinja", "Model (1)-Q4_K.gguf", "tekken.json", "onnx/config.json"]
    hub.add("org/listed", dict.fromkeys((*odd, *plain), b"{}"))
    assert tpllint.fetch("org/listed").listing == plain
    many = [f"weights-{number:05}.bin" for number in range(2000)]
    hub.add("org/long", dict.fromkeys((*many, "a/chat_template.jinja", "additional_chat_templates/rag.jinja"), b"{}"))
    assert tpllint.fetch("org/long").listing == ["additional_chat_templates/rag.jinja", *many[:999]]


def test_a_file_that_the_user_pointed_at_is_read_with_what_tells_of_its_tokens(hub: LocalHub, tpllint: Tpllint) -> None:
    names = ["tokenizer_config.json", "chat_template.jinja", "generation_config.json", "additional_chat_templates/rag.jinja"]
    files = {f"{root}{name}": root.encode() + TEMPLATE for root in ("", "onnx/") for name in names}
    commit = hub.add("org/pointed", {**files, "custom.jinja": b"custom"})

    def pointed(path: str) -> tuple[list[str], list[str]]:
        got = tpllint.fetch(f"{hub.url}/org/pointed/blob/main/{path}?download=true#L3")
        return got.focus, [shown.removeprefix(f"org/pointed@{commit}:") for shown in got.shown]

    beside = ["tokenizer_config.json", "generation_config.json"]
    assert pointed("chat_template.jinja") == (["chat_template.jinja"], [*beside, "chat_template.jinja"])
    assert pointed("custom.jinja") == (["custom.jinja"], [*beside, "custom.jinja"])
    assert pointed("additional_chat_templates/rag.jinja") == (
        ["additional_chat_templates/rag.jinja"],
        [*beside, "additional_chat_templates/rag.jinja"],
    )
    assert pointed("onnx/tokenizer_config.json") == (
        ["tokenizer_config.json"],
        ["onnx/generation_config.json", "onnx/tokenizer_config.json"],
    )
    hub.requests.clear()
    got = tpllint.fetch(f"{hub.url}/org/pointed/blob/{commit}/custom.jinja", offline=True)
    assert (got.focus, got.files["custom.jinja"], got.listing) == (["custom.jinja"], "custom", [])
    assert hub.requests == []


def test_a_file_that_is_not_there_or_of_another_kind_is_told(hub: LocalHub, tpllint: Tpllint) -> None:
    hub.add("org/bare", {"chat_template.jinja": TEMPLATE, "model.safetensors": b"weights"})
    got = tpllint.fetch(f"{hub.url}/org/bare/blob/main/nope.jinja")
    assert (got.kind, got.message) == ("no-such-file", "the model org/bare has no file nope.jinja at revision main")
    hub.requests.clear()
    got = tpllint.fetch(f"{hub.url}/org/bare/resolve/main/model.safetensors")
    assert got.kind == "unknown-kind"
    assert got.message == "not a kind of file tpllint reads on the Hugging Face Hub: model.safetensors"
    assert hub.requests == []


def test_a_file_beyond_what_is_listed_is_asked_for(hub: LocalHub, tpllint: Tpllint) -> None:
    hub.add("org/deep", {**{f"{number}.bin": b"" for number in range(1001)}, "z/z.jinja": b"deep"})
    assert tpllint.fetch(f"{hub.url}/org/deep/blob/main/z/z.jinja").files == {"z.jinja": "deep"}
    assert tpllint.fetch(f"{hub.url}/org/deep/blob/main/z/y.jinja").kind == "no-such-file"


def test_a_branch_that_moved_is_seen_as_it_is_now(hub: LocalHub, tpllint: Tpllint) -> None:
    hub.add("org/moving", {"chat_template.jinja": b"old"})
    tpllint.fetch("org/moving")
    hub.add("org/moving", {"chat_template.jinja": b"new"})
    assert tpllint.fetch("org/moving").files == {"chat_template.jinja": "new"}
    assert tpllint.fetch("org/moving", offline=True).files == {"chat_template.jinja": "new"}


def test_revisions_and_pull_requests_are_fetched_by_name(hub: LocalHub, tpllint: Tpllint) -> None:
    hub.add("org/many", {"chat_template.jinja": b"main"})
    hub.add("org/many", {"chat_template.jinja": b"branch"}, revision="feature/x")
    hub.add("org/many", {"chat_template.jinja": b"proposed"}, revision="refs/pr/3")
    assert tpllint.fetch("org/many@feature/x").files == {"chat_template.jinja": "branch"}
    assert tpllint.fetch("org/many@pr/3").files == {"chat_template.jinja": "proposed"}
    assert ("GET", "/api/models/org/many/revision/refs%2Fpr%2F3?blobs=true") in hub.requests
    assert tpllint.fetch("hf:org/many@pr/3", offline=True).files == {"chat_template.jinja": "proposed"}


def test_a_model_without_an_organisation_is_fetched_with_the_prefix(hub: LocalHub, tpllint: Tpllint) -> None:
    commit = hub.add("gpt2", {"tokenizer_config.json": CONFIG})
    assert tpllint.fetch("hf:gpt2").shown == [f"gpt2@{commit}:tokenizer_config.json"]


def test_a_repository_without_the_small_files_is_empty_and_no_error(hub: LocalHub, tpllint: Tpllint) -> None:
    commit = hub.add("org/weights", {"model.safetensors": b"weights"})
    got = tpllint.fetch("org/weights")
    assert got == Outcome(target="org/weights", origin="org/weights", listing=["model.safetensors"])
    assert tpllint.fetch(f"org/weights@{commit}", offline=True) == replace(got, target=f"org/weights@{commit}")


def test_a_file_in_large_file_storage_is_fetched_without_giving_it_the_token(hub: LocalHub, tpllint: Tpllint) -> None:
    config = CONFIG + b" " * 1_500_000
    hub.add("org/large", {"tokenizer_config.json": config}, private_token="hf_secret")
    assert tpllint.fetch("org/large", token="hf_secret").files == {"tokenizer_config.json": config.decode()}
    path, token = hub.requests[-1][1], hub.tokens[-1]
    assert path.startswith("/stored/")
    assert token is None
    assert set(hub.tokens[:-1]) == {"hf_secret"}


def test_a_file_that_is_too_large_is_left_unread(hub: LocalHub, tpllint: Tpllint) -> None:
    files = {"chat_template.jinja": b"x" * 2_000_001, "tokenizer_config.json": CONFIG}
    commit = hub.add("org/huge", files)
    got = tpllint.fetch("org/huge")
    assert got.unread == {"chat_template.jinja": "is larger than 2 MB"}
    assert got.files == {"tokenizer_config.json": CONFIG.decode()}
    assert ("HEAD", f"/org/huge/resolve/{commit}/chat_template.jinja") not in hub.requests


def test_a_file_that_is_too_large_is_left_unread_where_the_server_tells_no_sizes(
    hub: LocalHub, tpllint: Tpllint, home: Path
) -> None:
    hub.tells_sizes = False
    hub.add("org/untold", {"chat_template.jinja": b"y" * 2_000_001, "tokenizer_config.json": CONFIG})
    got = tpllint.fetch("org/untold")
    assert got.unread == {"chat_template.jinja": "is larger than 2 MB"}
    assert got.files == {"tokenizer_config.json": CONFIG.decode()}
    blobs = home / "hub" / "models--org--untold" / "blobs"
    assert [blob.read_bytes() for blob in blobs.iterdir()] == [CONFIG]


def test_more_templates_than_anybody_has_are_left_unread(hub: LocalHub, tpllint: Tpllint) -> None:
    names = [f"additional_chat_templates/t{number:03}.jinja" for number in range(102)]
    hub.add("org/crowded", dict.fromkeys(names, b"same"))
    got = tpllint.fetch("org/crowded")
    assert list(got.files) == names[:100]
    assert got.unread == dict.fromkeys(names[100:], "is beyond the first 100 files")


def test_names_that_lead_elsewhere_are_never_requested(hub: LocalHub, tpllint: Tpllint) -> None:
    names = [
        "../x.jinja",
        "/etc/chat_template.jinja",
        "../chat_template.jinja",
        "additional_chat_templates/../x.jinja",
        "additional_chat_templates//x.jinja",
        "additional_chat_templates/..\\x.jinja",
        "additional_chat_templates/x\n.jinja",
        "additional_chat_templates/x y.jinja",
        "additional_chat_templates/%2e%2e%2fx.jinja",
        "additional_chat_templates/" + "x" * 65 + ".jinja",
        "chat_template.jinja\n",
        "Chat_Template.jinja",
    ]
    hub.add("org/weird", dict.fromkeys(names, b"stolen"))
    assert tpllint.fetch("org/weird").files == {}
    assert hub.requests == [("GET", "/api/models/org/weird?blobs=true")]


URLS = [
    ("https://huggingface.co/org/model", HubTarget("org/model", None)),
    ("http://huggingface.co/org/model/", HubTarget("org/model", None)),
    ("HTTPS://HuggingFace.co/org/model?library=transformers#usage", HubTarget("org/model", None)),
    ("huggingface.co/org/model", HubTarget("org/model", None)),
    ("https://hf.co/org/model.git", HubTarget("org/model", None)),
    ("https://hf.co:443/gpt2", HubTarget("gpt2", None)),
    ("https://huggingface.co/gpt2/tree/main", HubTarget("gpt2", "main")),
    ("https://huggingface.co/org/model/tree/v1.0/", HubTarget("org/model", "v1.0")),
    ("https://huggingface.co/org/model/tree/refs%2Fpr%2F3", HubTarget("org/model", "refs/pr/3")),
    ("https://huggingface.co/org/model/tree/refs/pr/3", HubTarget("org/model", "refs/pr/3")),
    ("https://huggingface.co/org/model/tree/feature%2Fx", HubTarget("org/model", "feature/x")),
    ("https://huggingface.co/org/model/discussions/12", HubTarget("org/model", "refs/pr/12")),
    ("https://huggingface.co/org/model/discussions/12/files", HubTarget("org/model", "refs/pr/12")),
    ("https://huggingface.co/org/model/discussions/12#66f0", HubTarget("org/model", "refs/pr/12")),
    ("https://huggingface.co/org/model/commit/" + "a1" * 20, HubTarget("org/model", "a1" * 20)),
    ("https://huggingface.co/org/model/blob/main/chat_template.jinja", HubTarget("org/model", "main", "chat_template.jinja")),
    ("https://huggingface.co/org/model/resolve/v1/a/b.jinja?download=true", HubTarget("org/model", "v1", "a/b.jinja")),
    ("https://huggingface.co/org/model/raw/refs%2Fpr%2F3/x.json", HubTarget("org/model", "refs/pr/3", "x.json")),
    ("https://huggingface.co/org/model/blob/refs/pr/3/x.json", HubTarget("org/model", "refs/pr/3", "x.json")),
    ("https://huggingface.co/org/model/blob/main/a%20b.gguf", HubTarget("org/model", "main", "a b.gguf")),
    ("http://hub.example:8080/prefix/org/model/tree/v2", HubTarget("org/model", "v2")),
]


@pytest.mark.parametrize(("url", "target"), URLS)
def test_a_url_of_a_model_is_understood(url: str, target: HubTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example:8080/prefix/")
    assert parse_hub_target(url) == target


@pytest.mark.parametrize(
    ("url", "kind", "message"),
    [
        ("https://example.com/org/model", "unknown-host", "not a host of the Hugging Face Hub: example.com"),
        ("https://huggingface.co.example.com/org/model", "unknown-host", "not a host of the Hugging Face Hub: {0}"),
        ("https://huggingface.co:8443/org/model", "unknown-host", "not a host of the Hugging Face Hub: huggingface.co"),
        ("http://127.0.0.1:1/org/model", "unknown-host", "not a host of the Hugging Face Hub: 127.0.0.1"),
        ("https://user:hf_secret@huggingface.co/org/model", "bad-url", "a URL with credentials for huggingface.co"),
        ("https://[huggingface.co/org/model", "bad-url", "not a usable URL: {url}"),
        ("https://huggingface.co:x/org/model", "bad-url", "not a usable URL: {url}"),
        ("https://huggingface.co/datasets/org/data", "not-a-model", "{url} is a dataset, not a model"),
        ("https://huggingface.co/spaces/org/app/tree/main", "not-a-model", "{url} is a space, not a model"),
        ("https://huggingface.co/org/model/tree/main/onnx", "not-a-model", "{url} is a folder inside a model"),
        *(
            (f"https://huggingface.co/{path}", "not-a-model", "{url} is another page of the Hugging Face Hub")
            for path in (
                "",
                "models",
                "docs/hub",
                "api/models/org/model",
                "org/model/blob/main",
                "org/model/discussions",
                "org/model/discussions/x",
                "org/model/settings",
                "org/model/commit/main",
                "org/model/commits/main",
                "org/model/tree",
                "org/model/tree/..",
                "org/model/tree/..%2F..",
                "org/model/blob/main/..%2Fx.jinja",
                "org/model/blob/main/a%0Ab.jinja",
                "org/m%C3%B6del",
                "org/model@v1",
                "..%2F../model",
            )
        ),
    ],
)
def test_a_url_of_anything_else_is_told(url: str, kind: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    with pytest.raises(RepairableError) as caught:
        parse_hub_target(url)
    assert (caught.value.kind, caught.value.message) == (kind, message.format("huggingface.co.example.com", url=url))
    assert caught.value.hint


def test_a_private_model_needs_the_token(hub: LocalHub, tpllint: Tpllint) -> None:
    hub.add("org/private", {"chat_template.jinja": TEMPLATE}, private_token="hf_secret")
    assert tpllint.fetch("org/private").kind == "no-such-repository"
    assert tpllint.fetch("org/private", token="hf_other").kind == "no-such-repository"
    assert tpllint.fetch("org/private", token="hf_secret").files == {"chat_template.jinja": TEMPLATE.decode()}


def test_an_unknown_model_is_told_with_both_possibilities(hub: LocalHub, tpllint: Tpllint) -> None:
    got = tpllint.fetch("org/nowhere")
    assert got.kind == "no-such-repository"
    assert got.message == "the Hugging Face Hub shows no model org/nowhere: it does not exist, or it is private"
    assert got.hint == "check the spelling; for a private model run `hf auth login` or pass --token"


def test_a_gated_model_is_told_apart_from_an_unknown_one(hub: LocalHub, tpllint: Tpllint) -> None:
    hub.add("org/gated", {"chat_template.jinja": TEMPLATE}, gated=True)
    got = tpllint.fetch("org/gated")
    assert got.kind == "gated-repository"
    assert got.message == "the model org/gated is gated, and its files are not open to you"


def test_an_unknown_revision_is_told(hub: LocalHub, tpllint: Tpllint) -> None:
    hub.add("org/present", {"chat_template.jinja": TEMPLATE})
    got = tpllint.fetch("org/present@v2")
    assert got.kind == "no-such-revision"
    assert got.message == "the model org/present has no revision v2"


def test_a_disabled_model_is_told(hub: LocalHub, tpllint: Tpllint) -> None:
    hub.add("org/disabled", {"chat_template.jinja": TEMPLATE}, disabled=True)
    got = tpllint.fetch("org/disabled")
    assert got.kind == "disabled-repository"
    assert got.message == "the model org/disabled is disabled on the Hugging Face Hub"


def test_an_impossible_name_is_told_without_a_request(hub: LocalHub, tpllint: Tpllint) -> None:
    got = tpllint.fetch("org/two--dashes")
    assert got.kind == "invalid-repository-name"
    assert got.message == "org/two--dashes cannot be the name of a model on the Hugging Face Hub"
    assert hub.requests == []


def leftovers(home: Path) -> list[str]:
    """The files in the Hub's cache that no client would take for a file of a model."""
    return sorted(path.name for path in home.rglob("*") if path.name.endswith((".incomplete", ".tmp")))


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"RateLimit": '"api";r=0;t=55', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'}, "55 seconds"),
        (429, {"RateLimit": '"api";r=0;t=1'}, "1 second"),
        (429, {"RateLimit": '"api";r=7;t=55'}, "some minutes"),
        (429, {"RateLimit": '"api";r=7;t=55', "Retry-After": "20"}, "20 seconds"),
        (429, {"RateLimit": f'"api";r=0;t={"9" * 5000}'}, "some minutes"),
        (429, {"RateLimit": '"api";r=0;t=0'}, "some minutes"),
        (429, {"RateLimit": "\x1b[31m"}, "some minutes"),
        (429, {"Retry-After": "30"}, "30 seconds"),
        (429, {"Retry-After": "Wed, 21 Oct 2037 07:28:00 GMT"}, "some minutes"),
        (429, {"Retry-After": "-5"}, "some minutes"),
        (429, {"Retry-After": "86400"}, "some minutes"),
        (503, {"Retry-After": "30"}, "30 seconds"),
        (503, {}, "some minutes"),
    ],
)
@pytest.mark.parametrize("when", ["/api/", "/resolve/"])
def test_how_long_to_wait_is_told_where_the_hub_tells_it(
    hub: LocalHub, tmp_path: Path, status: int, headers: dict[str, str], wait: str, when: str
) -> None:
    hub.add("org/busy", {"chat_template.jinja": TEMPLATE, "config.json": b"{}"})
    hub.fail_with(status, b"later", headers, on=when)
    with Tpllint(hub.url, tmp_path) as tpllint:
        got = tpllint.fetch("org/busy")
    assert got.kind == {429: "rate-limited", 503: "hub-failure"}[status]
    assert got.hint.startswith(f"wait {wait} and run the command again")
    assert leftovers(tmp_path) == []


def test_a_file_that_fails_is_had_by_the_next_run(hub: LocalHub, tmp_path: Path) -> None:
    hub.add("org/half", {"config.json": b"{}", "chat_template.jinja": TEMPLATE})
    with Tpllint(hub.url, tmp_path) as tpllint:
        hub.fail_with(503, on="chat_template.jinja")
        assert tpllint.fetch("org/half").kind == "hub-failure"
        hub.recover()
        assert list(tpllint.fetch("org/half").files) == ["config.json", "chat_template.jinja"]


def test_a_long_download_is_ended_when_a_file_before_it_fails(hub: LocalHub, tmp_path: Path) -> None:
    hub.add("org/long", {"tokenizer_config.json": CONFIG, "config.json": b" " * 1_500_000})
    hub.fail_with(503, on="/tokenizer_config.json")
    hub.behave(Manner(delay=1), on="/tokenizer_config.json")
    hub.behave(Manner(piece=20_000, pause=0.5), on="/stored/")
    with Tpllint(hub.url, tmp_path) as tpllint:
        assert tpllint.fetch("org/long").kind == "hub-failure"
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize("on", ["/api/", "/resolve/", "/stored/"])
def test_a_connection_that_is_cut_in_the_middle_is_told(hub: LocalHub, tmp_path: Path, on: str, resets: bool) -> None:
    hub.add("org/cut", {"tokenizer_config.json": CONFIG + b" " * 1_500_000, "chat_template.jinja": TEMPLATE})
    hub.behave(Manner(cut=5, resets=resets), on=on)
    with Tpllint(hub.url, tmp_path) as tpllint:
        got = tpllint.fetch("org/cut")
    assert got.kind == "connection-cut"
    assert got.message == "the connection to the Hugging Face Hub was cut in the middle of an answer"
    assert leftovers(tmp_path) == []
    assert len(hub.requests) == len(set(hub.requests)), "something was tried twice"


@pytest.mark.parametrize("on", ["/api/", "/resolve/", "/stored/"])
@pytest.mark.parametrize("resets", [False, True])
def test_a_hub_that_hangs_up_is_told(hub: LocalHub, tmp_path: Path, on: str, resets: bool) -> None:
    hub.add("org/gone", {"tokenizer_config.json": CONFIG + b" " * 1_500_000})
    hub.fail_with(HANG_UP, on=on)
    hub.behave(Manner(resets=resets), on=on)
    with Tpllint(hub.url, tmp_path) as tpllint:
        assert tpllint.fetch("org/gone").kind == "hub-unreachable"
    assert leftovers(tmp_path) == []


@contextmanager
def black_hole() -> Iterator[str]:
    """An address where no connection is ever accepted or refused: the queue of a listener that accepts nothing is full."""
    with socket.socket() as listener, ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


SILENT = {
    "never begins the listing": (Manner(delay=60), "/api/", "hub-unreachable"),
    "stops in the listing": (Manner(piece=10, pause=60), "/api/", "hub-too-slow"),
    "trickles the listing": (Manner(piece=1, pause=0.5), "/api/", "hub-too-slow"),
    "dies after the listing": (Manner(delay=60), "/resolve/", "hub-unreachable"),
    "never begins a stored file": (Manner(delay=60), "/stored/", "hub-unreachable"),
    "stops in a file": (Manner(piece=10, pause=60), "/resolve/", "hub-too-slow"),
    "trickles a file": (Manner(piece=100, pause=0.5), "/stored/", "hub-too-slow"),
}


def test_a_hub_that_keeps_silent_or_trickles_is_given_up(tmp_path: Path) -> None:
    files = {"tokenizer_config.json": CONFIG + b" " * 1_500_000, "chat_template.jinja": TEMPLATE}
    with ExitStack() as running:
        calls = {}
        for case, (manner, on, kind) in SILENT.items():
            hub = running.enter_context(LocalHub())
            hub.add("org/silent", files)
            hub.behave(manner, on=on)
            calls[case] = (hub.url, kind)
        (tmp_path / "sitecustomize.py").write_text(
            "import socket, time\nsocket.getaddrinfo = lambda *_, **__: time.sleep(600)\n"
        )
        calls["is a black hole"] = (running.enter_context(black_hole()), "hub-unreachable")
        calls["has no address"] = ("http://hub.invalid", "hub-unreachable")
        started = {case: running.enter_context(Tpllint(url, tmp_path / case)) for case, (url, _) in calls.items()}
        lookup = Tpllint("http://hub.invalid", tmp_path, PYTHONPATH=f"{tmp_path}:{ROOT}")
        calls["is looked up without end"] = ("", "hub-unreachable")
        started["is looked up without end"] = running.enter_context(lookup)
        with ThreadPoolExecutor(len(calls)) as pool:
            outcomes = pool.map(lambda process: process.fetch("org/silent"), started.values())
            told = {case: outcome.kind for case, outcome in zip(started, outcomes, strict=True)}
    assert told == {case: kind for case, (_, kind) in calls.items()}
    assert leftovers(tmp_path) == []


def test_many_models_on_a_hub_that_keeps_silent_are_not_each_waited_for(hub: LocalHub, tmp_path: Path) -> None:
    names = [f"org/silent-{number}" for number in range(5)]
    files = {"chat_template.jinja": TEMPLATE}
    for name in (*names, "org/good", "org/late"):
        hub.add(name, files)
    hub.behave(Manner(delay=60), on="/api/models/org/silent")
    hub.behave(Manner(delay=3), on="/api/models/org/late")
    with Tpllint(hub.url, tmp_path / "1") as alone, Tpllint(hub.url, tmp_path / "2") as mixed, ThreadPoolExecutor(2) as pool:
        told = pool.map(
            lambda each: [each[0].fetch(name).kind for name in each[1]],
            [
                (alone, names),
                (mixed, ["org/silent-0", "org/good", "org/late"]),
            ],
        )
        kinds = list(told)
    assert kinds == [["hub-unreachable"] * 5, ["hub-unreachable", "", ""]], "a Hub that answers again is trusted as before"
    asked = [path for _, path in hub.requests if "silent" in path]
    assert len(asked) == 2 + 1, "what the first has waited for is enough, but for one short question"


def test_a_hub_that_is_slow_but_answers_is_waited_for(hub: LocalHub, tpllint: Tpllint) -> None:
    hub.add("org/slow", {"chat_template.jinja": TEMPLATE, "tokenizer_config.json": CONFIG})
    hub.behave(Manner(delay=1, piece=20, pause=0.1))
    assert list(tpllint.fetch("org/slow").files) == ["tokenizer_config.json", "chat_template.jinja"]


def test_the_token_is_sent_to_no_other_host(hub: LocalHub, tmp_path: Path) -> None:
    with LocalHub() as other:
        commit = hub.add("org/model", {"chat_template.jinja": TEMPLATE})
        other.add("org/model", {"chat_template.jinja": TEMPLATE})
        elsewhere = other.url.replace("127.0.0.1", "localhost")
        with Tpllint(hub.url, tmp_path / "listing", HF_TOKEN="hf_secret") as tpllint:
            hub.fail_with(302, headers={"Location": f"{elsewhere}/api/models/org/model?blobs=true"}, on="/api/")
            assert tpllint.fetch("org/model").files == {"chat_template.jinja": TEMPLATE.decode()}
        assert other.requests == [("GET", "/api/models/org/model?blobs=true")]
        hub.recover()
        with Tpllint(hub.url, tmp_path / "file", HF_TOKEN="hf_secret") as tpllint:
            path = f"/org/model/resolve/{commit}/chat_template.jinja"
            told = {"Location": elsewhere + path, "X-Repo-Commit": commit, "ETag": '"a1"'}
            hub.fail_with(302, headers=told, on="/resolve/")
            assert tpllint.fetch("org/model").files == {"chat_template.jinja": TEMPLATE.decode()}
        assert other.requests[1:] == [("GET", path)]
    assert set(other.tokens) == {None}
    assert set(hub.tokens) == {"hf_secret"}


def test_a_model_that_was_renamed_is_found_under_its_old_name(hub: LocalHub, tpllint: Tpllint) -> None:
    hub.add("org/new", {"chat_template.jinja": TEMPLATE}, private_token="hf_secret")
    hub.move("org/old", "org/new")
    assert tpllint.fetch("org/old", token="hf_secret").files == {"chat_template.jinja": TEMPLATE.decode()}


@pytest.mark.parametrize("on", ["/api/", "/resolve/"])
def test_redirects_without_end_are_told(hub: LocalHub, tmp_path: Path, on: str) -> None:
    commit = hub.add("org/round", {"chat_template.jinja": TEMPLATE})
    path = "/api/models/org/round" if on == "/api/" else f"/org/round/resolve/{commit}/chat_template.jinja"
    hub.fail_with(302, headers={"Location": path}, on=on)
    with Tpllint(hub.url, tmp_path) as tpllint:
        assert tpllint.fetch("org/round").kind == "malformed-hub-answer"


def test_a_discussion_that_proposes_nothing_is_told_as_such(hub: LocalHub, tpllint: Tpllint) -> None:
    hub.add("org/talk", {"chat_template.jinja": TEMPLATE})
    for argument in (f"{hub.url}/org/talk/discussions/7", "org/talk@pr/7"):
        got = tpllint.fetch(argument)
        assert (got.kind, got.message) == ("no-such-pull-request", "the model org/talk has no pull request 7")


REFUSALS = [
    (401, {"X-Error-Message": REJECTED_TOKEN}, "rejected-token: the Hugging Face Hub does not accept the access token"),
    (401, {}, "no-such-repository: the Hugging Face Hub shows no model org/any: it does not exist, or it is private"),
    (403, {}, "forbidden-repository: the Hugging Face Hub refuses access to the model org/any"),
    (429, {}, "rate-limited: the Hugging Face Hub answers no more requests for now: there were too many"),
    (500, {}, "hub-failure: the Hugging Face Hub answers with a server error"),
    (503, {}, "hub-failure: the Hugging Face Hub answers with a server error"),
    (404, {}, "malformed-hub-answer: the answer about org/any is not one that the Hugging Face Hub gives"),
    (HANG_UP, {}, "hub-unreachable: the Hugging Face Hub cannot be reached"),
]


@pytest.mark.parametrize(("status", "headers", "told"), REFUSALS)
def test_a_refusal_is_told_in_words_of_our_own(
    hub: LocalHub, tpllint: Tpllint, status: int, headers: dict[str, str], told: str
) -> None:
    hub.fail_with(status, b"\x1b[31mtrust me", headers)
    got = tpllint.fetch("org/any")
    assert f"{got.kind}: {got.message}" == told
    assert got.hint
    assert len(hub.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"<html>login to the hotel network</html>",
        b"[]",
        b"[" * 100_000,
        b"\xff",
        b'{"sha": "main", "siblings": []}',
        b'{"sha": "0000000000000000000000000000000000000000"}',
        b'{"sha": 0, "siblings": []}',
    ],
)
def test_an_answer_that_is_none_of_the_hubs_is_told(hub: LocalHub, tpllint: Tpllint, body: bytes) -> None:
    hub.fail_with(200, body)
    assert tpllint.fetch("org/any").kind == "malformed-hub-answer"


def test_an_odd_entry_in_a_listing_is_passed_over(hub: LocalHub, tpllint: Tpllint) -> None:
    told = {"sha": "0" * 40, "siblings": [None, 3, {}, {"rfilename": ["chat_template.jinja"]}], "cardData": {"self": 1}}
    hub.fail_with(200, json.dumps(told).encode())
    assert tpllint.fetch("org/any") == Outcome(target="org/any", origin="org/any")


def test_another_commit_than_the_named_one_is_not_accepted(hub: LocalHub, tpllint: Tpllint) -> None:
    hub.fail_with(200, json.dumps({"sha": "0" * 40, "siblings": []}).encode())
    assert tpllint.fetch("org/any@" + "1" * 40).kind == "malformed-hub-answer"


def test_files_without_the_hubs_metadata_are_not_accepted(hub: LocalHub, tpllint: Tpllint) -> None:
    hub.tells_commit = False
    hub.add("org/careless", {"chat_template.jinja": TEMPLATE})
    assert tpllint.fetch("org/careless").kind == "malformed-hub-answer"


def test_a_token_that_cannot_be_sent_is_told_without_a_request(hub: LocalHub, tpllint: Tpllint) -> None:
    for token in ("hf_…", "hf_a\nb", "hf_a b"):
        assert tpllint.fetch("org/any", token=token).kind == "rejected-token"
    assert hub.requests == []


def test_offline_uses_the_cache_and_makes_no_request(hub: LocalHub, tpllint: Tpllint) -> None:
    files = {"tokenizer_config.json": CONFIG, "additional_chat_templates/tool_use.jinja": b"tools", "README.md": b"no"}
    commit = hub.add("org/kept", files)
    online = tpllint.fetch("org/kept")
    hub.requests.clear()
    assert tpllint.fetch("org/kept", offline=True) == online
    assert tpllint.fetch(f"org/kept@{commit}", offline=True).shown == online.shown
    assert hub.requests == []


def test_offline_without_the_files_is_an_error(hub: LocalHub, tpllint: Tpllint) -> None:
    hub.add("org/partly", {"chat_template.jinja": TEMPLATE})
    hub.add("org/partly", {"chat_template.jinja": b"v2"}, revision="v2")
    tpllint.fetch("org/partly")
    hub.requests.clear()
    for argument in ("org/partly@v2", "org/absent", "org/partly@" + "0" * 40):
        assert tpllint.fetch(argument, offline=True).kind == "not-cached"
    got = tpllint.fetch("org/absent", offline=True)
    assert got.message == (
        "tpllint is offline, and the cache has no template and no configuration of org/absent at revision main"
    )
    assert got.hint == "run the command once without --offline and with HF_HUB_OFFLINE unset"
    assert hub.requests == []


def test_the_environment_gives_the_token_and_turns_the_network_off(hub: LocalHub, tmp_path: Path) -> None:
    hub.add("org/mine", {"chat_template.jinja": TEMPLATE}, private_token="hf_mine")
    with Tpllint(hub.url, tmp_path, HF_TOKEN="hf_mine", HF_HUB_DISABLE_PROGRESS_BARS="0") as logged_in:
        assert logged_in.fetch("org/mine").files == {"chat_template.jinja": TEMPLATE.decode()}
    hub.requests.clear()
    with Tpllint(hub.url, tmp_path, HF_HUB_OFFLINE="1") as offline:
        assert offline.fetch("org/mine").files == {"chat_template.jinja": TEMPLATE.decode()}
        assert offline.fetch("org/other").kind == "not-cached"
    assert hub.requests == []


def test_a_hub_that_is_down_is_told_and_offline_still_works(hub: LocalHub, tpllint: Tpllint, home: Path) -> None:
    hub.add("org/before", {"chat_template.jinja": TEMPLATE})
    tpllint.fetch("org/before")
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        with Tpllint(f"http://127.0.0.1:{deaf.getsockname()[1]}", home) as tpllint_alone:
            for argument in ("org/before", "org/unseen"):
                got = tpllint_alone.fetch(argument)
                assert (got.kind, got.message) == ("hub-unreachable", "the Hugging Face Hub cannot be reached")
                assert got.hint.endswith("; `tpllint check --offline` uses what is in the cache")
            kept = tpllint_alone.fetch("org/before", offline=True)
    assert kept.files == {"chat_template.jinja": TEMPLATE.decode()}


def test_settings_that_cannot_work_are_told(hub: LocalHub, tmp_path: Path) -> None:
    no_folder = tmp_path / "file"
    no_folder.write_text("in the way")
    hub.add("org/any", {"chat_template.jinja": TEMPLATE})
    with Tpllint(hub.url, tmp_path, HF_HUB_CACHE=str(no_folder)) as without_cache:
        got = without_cache.fetch("org/any")
    assert got.kind == "unusable-cache"
    assert got.message == "the cache of huggingface_hub cannot be used: not a directory"
    for address in ("localhost:80", "http://127.0.0.1:99999", "http://["):
        with Tpllint(address, tmp_path) as without_address:
            assert without_address.fetch("org/any").kind == "invalid-hub-settings"
    with Tpllint(hub.url, tmp_path, NO_PROXY="", HTTP_PROXY="gopher://localhost") as without_proxy:
        assert without_proxy.fetch("org/any").kind == "unusable-proxy"
