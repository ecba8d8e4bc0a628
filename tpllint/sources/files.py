"""The files of one model that a door hands over: bytes that were read, and files that could not be read whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tpllint.tokenizer_head import Head

MAX_TEMPLATE_BYTES = 2_000_000
MAX_JSON_BYTES = 32_000_000
MAX_TOKENIZER_BYTES = 64_000_000

CONFIG = "tokenizer_config.json"
TEMPLATE = "chat_template.jinja"
TEMPLATE_FOLDER = "additional_chat_templates"
LEGACY_TEMPLATE = "chat_template.json"
PROCESSOR = "processor_config.json"
TOKENS_MAP = "special_tokens_map.json"
ADDED_TOKENS = "added_tokens.json"
GENERATION = "generation_config.json"
MODEL_CONFIG = "config.json"
ADAPTER = "adapter_config.json"
TOKENIZER = "tokenizer.json"
"""Read whole only where token ids are asked for: it is large, and no template is in it."""

CONFIGURATIONS = (CONFIG, LEGACY_TEMPLATE, PROCESSOR, TOKENS_MAP)
"""Files in a model's root that hold templates or name special tokens; any of them can be a target."""

NEIGHBOURS = (ADDED_TOKENS, GENERATION, MODEL_CONFIG, ADAPTER)
"""Files beside a template that tell what its tokens are and where the model stops."""

JSON_FILES = (*CONFIGURATIONS, *NEIGHBOURS)
"""The JSON files in a model's root that tpllint reads, where they exist."""


LOCAL = "local"
"""The origin of what lies on this machine or came through standard input."""


def max_bytes(name: str) -> int:
    """The largest size at which a file of this name is read."""
    if name == TOKENIZER:
        return MAX_TOKENIZER_BYTES
    return MAX_JSON_BYTES if name.endswith(".json") else MAX_TEMPLATE_BYTES


@dataclass(frozen=True)
class ModelFile:
    """One file that was read whole. `name` is its POSIX path inside the model, `shown` the path that findings print."""

    name: str
    shown: str
    data: bytes


@dataclass(frozen=True)
class UnreadFile:
    """A file that is there and was not read whole; `reason` is a clause such as "is larger than 2 MB"."""

    name: str
    shown: str
    reason: str


@dataclass(frozen=True)
class ModelFiles:
    """What one target brought.

    `focus` holds the names of the files the user pointed at; empty for a whole folder or repository. `origin` separates
    strangers from each other: a worker process never serves two of them. `commit` is the one that the files of a model on the
    Hub are of; None for anything else. `listing` names what lies in the folder or repository, read or not, by POSIX path;
    empty where nothing was listed. `folder` is the one on this machine that the files lie in, and `head` what its
    tokenizer.json begins with: None where there is no such file.
    """

    target: str
    files: Mapping[str, ModelFile]
    focus: frozenset[str] = frozenset()
    origin: str = LOCAL
    unread: tuple[UnreadFile, ...] = field(default=())
    commit: str | None = None
    listing: tuple[str, ...] = ()
    folder: str | None = None
    head: Head | None = None


def merged(models: Sequence[ModelFiles]) -> ModelFiles:
    """What several arguments in one folder brought, as one model with all their files in focus."""
    files = {name: file for model in models for name, file in model.files.items()}
    focus = frozenset(name for model in models for name in model.focus)
    unread = dict.fromkeys(file for model in models for file in model.unread)
    listing = dict.fromkeys(name for model in models for name in model.listing)
    target = " ".join(model.target for model in models)
    first = models[0]
    return ModelFiles(
        target, files, focus, first.origin, tuple(unread), first.commit, tuple(listing), folder=first.folder, head=first.head
    )
