"""The door to the Hub, driven through the real client library against a real server on this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.local_hub import HANG_UP, REJECTED_TOKEN, LocalHub
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
                "target": got.target, "origin": got.origin}
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
    server.requests.clear()
    server.tokens.clear()
    yield server
    server.fail_with(None)
    server.tells_sizes = server.tells_commit = True


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
    downloads = [(method, f"/org/small/resolve/{commit}/{name}") for name in names for method in ("HEAD", "GET")]
    assert hub.requests == [("GET", "/api/models/org/small?blobs=true"), *downloads]


def test_the_second_run_downloads_nothing_again(hub: LocalHub, tpllint: Tpllint) -> None:
    commit = hub.add("org/twice", {"chat_template.jinja": TEMPLATE})
    first = tpllint.fetch("org/twice")
    hub.requests.clear()
    second = tpllint.fetch(f"org/twice@{commit}")
    assert second.files == first.files
    assert hub.requests == [("GET", f"/api/models/org/twice/revision/{commit}?blobs=true")]


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
    hub.add("org/weights", {"model.safetensors": b"weights"})
    assert tpllint.fetch("org/weights") == Outcome(target="org/weights", origin="org/weights")


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
                assert got.hint.endswith("or pass --offline to use what is in the cache")
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
