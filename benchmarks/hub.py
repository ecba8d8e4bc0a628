"""A model on a loopback Hub, and the caches of somebody who has never seen it and of somebody who has."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.local_hub import LocalHub

MODEL = "org/model"
SMALL = ("*.json", "chat_template.jinja")
DOWNLOAD = ("-c", f"from huggingface_hub import snapshot_download; snapshot_download('{MODEL}', allow_patterns={SMALL})")
"""What people write today to have the few small files of a model."""


@dataclass(frozen=True)
class HubModel:
    """`cold` makes an environment with an empty cache each time; `warm` always gives the same, in which the model was seen.

    `pull_request` is the number of one that changes three files.
    """

    commit: str
    pull_request: int
    cold: Callable[[], Mapping[str, str]]
    warm: Callable[[], Mapping[str, str]]


@contextmanager
def hub_model(folder: Path, scratch: Path) -> Iterator[HubModel]:
    """Serve the files of a folder as a model, with the other small files that published models have."""
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    rest = dict.fromkeys(("config.json", "generation_config.json"), b'{"eos_token_id": 2}')
    warm = tempfile.mkdtemp(dir=scratch)
    with LocalHub() as hub:
        commit = hub.add(MODEL, rest | files)
        number = hub.open_pull_request(MODEL, revision(rest | files), "Better", "somebody", "See for yourself.")

        def environment(home: str) -> Mapping[str, str]:
            return {"HF_ENDPOINT": hub.url, "HF_HOME": home, "NO_PROXY": "*", "HF_TOKEN": "", "HF_HUB_OFFLINE": ""}

        yield HubModel(commit, number, lambda: environment(tempfile.mkdtemp(dir=scratch)), lambda: environment(warm))


def revision(files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The files of a model whose template forgets a line end, and two others that say the same with a line end more."""
    changed = dict(files)
    changed["chat_template.jinja"] = files["chat_template.jinja"].replace(b"<|im_end|>\\n", b"<|im_end|>")
    for name in ("tokenizer_config.json", "generation_config.json"):
        changed[name] = files[name] + b"\n"
    return changed
